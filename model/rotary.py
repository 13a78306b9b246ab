"""Rotary position embedding (Su et al. 2021) in the half-split form: dimension i turns with dimension i + r/2."""

from __future__ import annotations

import torch
from torch import Tensor


class Rotary:
    """Turns the first `width` dimensions of each head by its position."""

    def __init__(self, width: int, theta: float, positions: int, device: torch.device, dtype: torch.dtype) -> None:
        frequencies = 1.0 / theta ** (torch.arange(0, width, 2, device=device).float() / width)
        angles = torch.arange(positions, device=device).float()[:, None] * frequencies
        both = torch.cat([angles, angles], 1)
        self.width, self._cos, self._sin = width, both.cos().to(dtype), both.sin().to(dtype)

    def at(self, position: Tensor) -> tuple[Tensor, Tensor]:
        """Cosines and sines [N, 1, width] at positions int64[N]."""
        return self._cos[position][:, None], self._sin[position][:, None]

    def turned(self, x: Tensor, angles: tuple[Tensor, Tensor]) -> Tensor:
        """[N, H, d] -> [N, H, d]."""
        cos, sin = angles
        turning, rest = x[..., : self.width], x[..., self.width :]
        one, two = turning.chunk(2, -1)
        turned = turning * cos + torch.cat([-two, one], -1) * sin
        return torch.cat([turned, rest], -1) if rest.shape[-1] else turned

    def turned_back(self, x: Tensor, positions: int) -> Tensor:
        """What is turned already, [..., H, d], as if it stood so many positions earlier."""
        return self.turned(x, (self._cos[positions], -self._sin[positions]))
