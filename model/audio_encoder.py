"""The encoder of Whisper and of what came from it, for many streams at once on any device.

Streams are packed one after another; each attends to its frozen frames (whose keys and values are kept), to its own rows and
to the silence that fills the window after them (docs/decisions/0002-silent-tail.md).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from model.attention import Spans, attend_padded
from model.devices import put
from model.kv_cache import FrameStore
from model.lengths import WINDOW_FRAMES
from model.linear import FloatLinear, Norm, Weights, fused
from model.rotary import Rotary


@dataclass(frozen=True, slots=True)
class LayerNames:
    """What a checkpoint calls the parts of a layer."""

    attention_norm: str
    output: str
    feed_forward_norm: str
    widen: str
    narrow: str


@dataclass(frozen=True, slots=True)
class Passage:
    """Rows of one pass: of each stream some frames, in positions of its window."""

    spans: Spans
    mask: Tensor  # [B, 1, 1, S], added to the scores of frozen, own and silent keys
    frozen: int  # most frames of the store that a stream attends to
    has_tail: bool  # some stream ends before the window does
    slots: Tensor  # int64[B] of the store


class Convolutions:
    """The stem: two convolutions over three rows each, the second of which halves the rate."""

    def __init__(self, weights: Weights, name: str) -> None:
        self._one, self._two = (self._linear(weights, f"{name}.conv{i}") for i in (1, 2))

    @staticmethod
    def _linear(weights: Weights, name: str) -> FloatLinear:
        return FloatLinear(weights[f"{name}.weight"].transpose(1, 2).flatten(1), weights[f"{name}.bias"])

    def __call__(self, mel: Tensor, at_start: Tensor) -> Tensor:
        """Mel [B, 2T + 3, M] from two frames before the first -> [B, T, D]; `at_start` bool[B]: the window begins here.

        Before a window both convolutions see zeros, as in training.
        """
        x = F.gelu(self._one(_threes(mel, 1)))
        x[:, 0] = x[:, 0].masked_fill(at_start[:, None], 0.0)
        return F.gelu(self._two(_threes(x, 2)))


def _threes(x: Tensor, stride: int) -> Tensor:
    """[B, n, C] -> [B, (n - 3) // stride + 1, 3 * C]."""
    count = (x.shape[1] - 3) // stride + 1
    return torch.cat([x[:, i : i + (count - 1) * stride + 1 : stride] for i in range(3)], 2)


class AudioEncoderLayer:
    """Self-attention, then the feed-forward part."""

    def __init__(self, weights: Weights, name: str, names: LayerNames) -> None:
        self.norm = Norm(weights, f"{name}.{names.attention_norm}")
        self.qkv = fused(weights, [f"{name}.self_attn.{p}_proj" for p in "qkv"])
        self.out = fused(weights, [f"{name}.self_attn.{names.output}"])
        self.wide_norm = Norm(weights, f"{name}.{names.feed_forward_norm}")
        self.widen, self.narrow = fused(weights, [f"{name}.{names.widen}"]), fused(weights, [f"{name}.{names.narrow}"])

    def project(self, x: Tensor, heads: int) -> tuple[Tensor, Tensor, Tensor]:
        """[N, D] -> queries, keys, values [N, H, d]."""
        q, k, v = self.qkv(self.norm(x)).view(len(x), 3, heads, -1).unbind(1)
        return q, k, v

    def feed_forward(self, x: Tensor) -> Tensor:
        """[N, D] -> [N, D], to be added."""
        return self.narrow(F.gelu(self.widen(self.wide_norm(x))))


class AudioEncoder:
    """The stack; positions are either turned into queries and keys (`rotary`) or added to the stem's output (`positions`)."""

    def __init__(
        self,
        stem: Convolutions,
        layers: Sequence[AudioEncoderLayer],
        norm: Norm,
        heads: int,
        *,
        rotary: Rotary | None = None,
        positions: Tensor | None = None,
    ) -> None:
        self.layers, self.heads = layers, heads
        self._stem, self._norm, self._rotary, self._positions = stem, norm, rotary, positions
        self._tails: list[Tensor] = []
        self._tail_stride = 1

    def keep_silence(self, mel: Tensor, stride: int) -> Tensor:
        """Keep the keys and values of one in `stride` positions of a window of silence, mel [1, 3003, M]; gives their states.

        Each counts `stride` times: log(stride) is added to its scores.
        """
        self._tails, self._tail_stride = [], stride
        passage, kept = self.passage([0], [WINDOW_FRAMES], dtype=mel.dtype, device=mel.device), []
        x = self.stem(mel, passage.spans, torch.tensor([True], device=mel.device))
        for layer in self.layers:
            q, k, v = self._turned(layer.project(x, self.heads), passage.spans)
            kept.append(torch.stack([k, v])[:, None, stride // 2 :: stride].contiguous())
            x = self._through(layer, x, attend_padded(q, k[None], v[None], passage.mask, passage.spans))
        self._tails = kept
        return self._norm(x)[stride // 2 :: stride]

    def passage(
        self,
        starts: Sequence[int],
        sizes: Sequence[int],
        slots: Sequence[int] | None = None,
        frozen: Sequence[int] | None = None,
        *,
        dtype: torch.dtype,
        device: torch.device,
    ) -> Passage:
        """Rows from `starts` of each stream, and how many frames of its slot it attends to besides (by default none)."""
        frozen, count = frozen or [0] * len(sizes), len(sizes)
        numbers = np.array([starts, sizes, frozen, slots or [0] * count], np.int64)
        start, size, before, slot = put(numbers, device).unbind(0)
        has_tail = bool(self._tails) and int((numbers[0] + numbers[1]).min()) < WINDOW_FRAMES
        mask = self._mask(start, size, before, max(sizes), max(frozen), has_tail=has_tail)
        return Passage(Spans.of(starts, sizes, device), mask.to(dtype), max(frozen), has_tail, slot)

    def regular(self, mel: Tensor, numbers: Tensor, frozen: int, store: FrameStore | None) -> Tensor:
        """The same for streams of one size, nothing of which the host must know, so that it can be a graph.

        Mel [B, 2Q + 3, M] and int64[4, B]: starts, sizes (up to Q), frozen frames (up to `frozen`), slots. Gives [B * Q, D],
        of which the rows past a stream's size mean nothing.
        """
        start, size, before, slot = numbers.unbind(0)
        queries, last = (mel.shape[1] - 3) // 2, WINDOW_FRAMES - 1 if store is None else store.positions
        spans = Spans.regular(start, queries, last)
        mask = self._mask(start, size, before, queries, frozen, has_tail=bool(self._tails))
        passage = Passage(spans, mask.to(mel.dtype), frozen, bool(self._tails), slot)
        return self(self.stem(mel, spans, start == 0), passage, store)

    def _mask(self, start: Tensor, size: Tensor, before: Tensor, queries: int, frozen: int, *, has_tail: bool) -> Tensor:
        """[B, 1, 1, S] for frozen, own and silent keys."""
        device = start.device
        seen = [_unseen(before, torch.arange(frozen, device=device)), _unseen(size, torch.arange(queries, device=device))]
        if has_tail:
            places = torch.arange(self._tail_stride // 2, WINDOW_FRAMES, self._tail_stride, device=device)
            seen.append(torch.where(places < (start + size)[:, None], -math.inf, math.log(self._tail_stride)))
        return torch.cat(seen, 1)[:, None, None]

    def stem(self, mel: Tensor, spans: Spans, at_start: Tensor) -> Tensor:
        """Padded mel [B, 2Q + 3, M] -> packed rows [N, D]."""
        x = self._stem(mel, at_start).flatten(0, 1)[spans.packed]
        return x if self._positions is None else x + self._positions[spans.position]

    def __call__(self, x: Tensor, passage: Passage, store: FrameStore | None = None) -> Tensor:
        """Rows [N, D] from the stem -> states [N, D]; with a store, keys and values of the rows are kept in it."""
        for index, layer in enumerate(self.layers):
            q, k, v = self._turned(layer.project(x, self.heads), passage.spans)
            keys, values = self._around(index, passage, store, k, v)
            if store is not None:
                store.write(index, passage.slots, passage.spans, k, v)
            x = self._through(layer, x, attend_padded(q, keys, values, passage.mask, passage.spans))
        return self._norm(x)

    def _turned(self, qkv: tuple[Tensor, Tensor, Tensor], spans: Spans) -> tuple[Tensor, Tensor, Tensor]:
        q, k, v = qkv
        if self._rotary is None:
            return q, k, v
        angles = self._rotary.at(spans.position)
        return self._rotary.turned(q, angles), self._rotary.turned(k, angles), v

    @staticmethod
    def _through(layer: AudioEncoderLayer, x: Tensor, attended: Tensor) -> Tensor:
        x = x + layer.out(attended)
        return x + layer.feed_forward(x)

    def _around(self, index: int, passage: Passage, store: FrameStore | None, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Frozen, own and silent keys and values, each [B, S, H, d]."""
        parts = [torch.stack([k, v])[:, passage.spans.padded]]
        if store is not None and passage.frozen:
            parts.insert(0, store.read(index, passage.slots, passage.frozen))
        if passage.has_tail:
            parts.append(self._tails[index].expand(-1, len(passage.slots), -1, -1, -1))
        keys, values = torch.cat(parts, 2).unbind(0)
        return keys, values


def _unseen(most: Tensor, places: Tensor) -> Tensor:
    """Minus infinity where a place is not below int64[B], else 0: [B, S]."""
    return torch.where(places >= most[:, None], -math.inf, 0.0)


def layers_of(weights: Sequence[Mapping[str, Tensor]], names: Sequence[str], parts: LayerNames) -> list[AudioEncoderLayer]:
    """A stack from the weights of each layer."""
    return [AudioEncoderLayer(w, name, parts) for w, name in zip(weights, names, strict=True)]
