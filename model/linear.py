"""Linear layers over packed rows: float32, or int8 weights with each row of activations quantised by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

Linear: TypeAlias = Callable[[Tensor], Tensor]  # float32[N, in] -> float32[N, out]


class FloatLinear:
    """y = x Wᵀ + b."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self.weight, self.bias = weight.contiguous(), bias

    def __call__(self, x: Tensor) -> Tensor:
        """float32[N, in] -> float32[N, out]."""
        return torch.nn.functional.linear(x, self.weight, self.bias)


class Int8Linear:
    """Symmetric int8, one scale per output and one per row of x.

    Scales per row and sums in int32 make a row's result independent of the rows beside it, which a scale per tensor would not.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self.scale = weight.abs().amax(1).clamp_min(1e-12) / 127
        self.weight = (weight / self.scale[:, None]).round_().to(torch.int8).contiguous()
        self.bias = bias

    def __call__(self, x: Tensor) -> Tensor:
        """float32[N, in] -> float32[N, out]."""
        scale = x.abs().amax(1, keepdim=True).clamp_min_(1e-12).div_(127)
        y = torch._int_mm((x / scale).round_().to(torch.int8), self.weight.T).to(torch.float32)
        y.mul_(scale).mul_(self.scale)
        return y if self.bias is None else y.add_(self.bias)


def linear(weight: Tensor, bias: Tensor | None, precision: str) -> Linear:
    """A layer in the given precision, "float32" or "int8"."""
    return Int8Linear(weight, bias) if precision == "int8" else FloatLinear(weight, bias)
