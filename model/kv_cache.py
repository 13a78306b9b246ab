"""Keys and values of streams, allocated once and written by position."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from model.attention import Spans
from model.lengths import WINDOW_FRAMES
from model.rotary import Rotary


class SelfCache:
    """Keys and values of the tokens so far: float32[layers, 2, H, positions, d]; later positions overwrite."""

    def __init__(self, layers: int, heads: int, positions: int, width: int) -> None:
        self._kv = torch.empty(layers, 2, heads, positions, width)

    def clear(self) -> None:
        """All positions zero."""
        self._kv.zero_()

    def write(self, layer: int, start: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Store [H, n, d] from position `start`; returns all keys and values up to there."""
        end = start + k.shape[1]
        self._kv[layer, 0, :, start:end], self._kv[layer, 1, :, start:end] = k, v
        return self._kv[layer, 0, :, :end], self._kv[layer, 1, :, :end]


class SilentTail:
    """Keys and values of the silence that fills a 30 s window, thinned out.

    Neighbouring silent positions are nearly the same, so one in `stride` is kept and counts `stride` times: log(stride) is
    added to its attention scores. Positions ascend and come before the frames in a cache, so that those after any frame
    together with the frames are one slice and no copy is made.
    """

    def __init__(self, kv: Tensor, stride: int) -> None:
        """`kv` is float32[layers, 2, H, 1500, d] of pure silence."""
        self.kv = kv[:, :, :, stride // 2 :: stride].contiguous()
        self.stride = stride
        self.size = self.kv.shape[3]
        self.bias = torch.cat([torch.full((self.size,), math.log(stride)), torch.zeros(WINDOW_FRAMES)])

    def first_after(self, frames: int) -> int:
        """Index of the first kept position that lies after `frames`."""
        return min(self.size, -(-(frames - self.stride // 2) // self.stride))


class FrameCache:
    """Keys and values of encoder frames, by position, behind the silent tail: float32[layers, 2, H, tail + 1500, d]."""

    def __init__(self, tail: SilentTail) -> None:
        layers, two, heads, _, width = tail.kv.shape
        self._tail = tail
        self._kv = torch.empty(layers, two, heads, tail.size + WINDOW_FRAMES, width)
        self._kv[:, :, :, : tail.size] = tail.kv

    def clear(self) -> None:
        """All frames zero; the silent tail stays."""
        self._kv[:, :, :, self._tail.size :] = 0.0

    def write(self, layer: int, first: int, k: Tensor, v: Tensor) -> None:
        """Store [H, n, d] for frames from `first`."""
        start = self._tail.size + first
        end = start + k.shape[1]
        self._kv[layer, 0, :, start:end], self._kv[layer, 1, :, start:end] = k, v

    def read(self, layer: int, frames: int) -> tuple[Tensor, Tensor, Tensor]:
        """Keys, values [H, S, d] and score bias [S] of the silence after `frames` and of the frames themselves."""
        begin, end = self._tail.first_after(frames), self._tail.size + frames
        return self._kv[layer, 0, :, begin:end], self._kv[layer, 1, :, begin:end], self._tail.bias[begin:end]

    def frame_keys(self, layer: int, frames: int) -> Tensor:
        """Keys [H, frames, d] of the frames alone."""
        return self._kv[layer, 0, :, self._tail.size : self._tail.size + frames]


class FrameStore:
    """Keys and values of the frames of many streams, a slot each: [layers, 2, slots, positions, H, d]."""

    def __init__(
        self, layers: int, slots: int, positions: int, heads: int, width: int, device: torch.device, dtype: torch.dtype
    ) -> None:
        self._kv = torch.zeros(layers, 2, slots, positions + 1, heads, width, device=device, dtype=dtype)  # one nobody reads
        self.positions = positions

    def write(self, layer: int, slots: Tensor, spans: Spans, k: Tensor, v: Tensor) -> None:
        """Store packed rows [N, H, d] at their positions; stream i of the spans is in slot `slots[i]`."""
        rows = slots[spans.stream]
        self._kv[layer, 0, rows, spans.position], self._kv[layer, 1, rows, spans.position] = k, v

    def read(self, layer: int, slots: Tensor, positions: int) -> Tensor:
        """Keys and values [2, B, positions, H, d] of the first positions."""
        return self._kv[layer, :, slots, :positions]

    def shift(self, slot: int, dropped: int, turned: Rotary | None) -> None:
        """Forget the first positions; the others move to the front, keys turned back by as much."""
        kept = self._kv[:, :, slot, dropped : self.positions].clone()
        if turned is not None:
            kept[:, 0] = turned.turned_back(kept[:, 0], dropped)
        self._kv[:, :, slot, : self.positions - dropped] = kept


class RowCache:
    """Keys and values of the tokens of one step's streams, a row each: [layers, 2, rows, positions, G, d].

    Rows belong to nobody between steps: what a stream keeps is copied in and out.
    """

    def __init__(
        self, layers: int, rows: int, positions: int, heads: int, width: int, device: torch.device, dtype: torch.dtype
    ) -> None:
        self.kv = torch.zeros(layers, 2, rows, positions, heads, width, device=device, dtype=dtype)
        self.rows, self.positions = rows, positions

    def write(self, layer: int, spans: Spans, k: Tensor, v: Tensor) -> None:
        """Store packed [N, G, d] at their positions; stream i of the spans has row i."""
        self.kv[layer, 0, spans.stream, spans.position], self.kv[layer, 1, spans.stream, spans.position] = k, v

    def read(self, layer: int, rows: int, positions: int) -> tuple[Tensor, Tensor]:
        """Keys and values [rows, positions, G, d]: views."""
        return self.kv[layer, 0, :rows, :positions], self.kv[layer, 1, :rows, :positions]

    @staticmethod
    def mask(spans: Spans, keys: int, repeats: int, dtype: torch.dtype) -> Tensor:
        """[B, 1, repeats * Q, keys]: a row sees the positions up to its own."""
        position = spans.position[spans.padded]
        seen = torch.arange(keys, device=position.device) <= position[:, :, None]
        bias = torch.where(seen, 0.0, -math.inf).to(dtype)
        return bias[:, None].expand(-1, repeats, -1, -1).reshape(len(position), 1, -1, keys)
