"""Whisper's encoder over packed rows of many streams, incremental, with the 30 s of padding as a silent tail.

A pass takes, for each stream, the frames from `first` on: earlier ones are frozen, their keys and values lie in the
stream's cache. `first = 0` is the whole window, as an offline pass would compute it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from model.attention import attend, by_head
from model.kv_cache import FrameCache
from model.linear import FloatLinear, Norm, Weights, fused
from model.whisper.configuration import WhisperConfig


@dataclass(frozen=True, slots=True)
class EncoderJob:
    """Frames `first` to `frames` of a window; `mel` float32[n_mels, 2 * frames + 1] covers the whole window and one more."""

    cache: FrameCache
    mel: Tensor
    first: int
    frames: int


_ROWS = 256


class FeedForward:
    """Norm, widen, GELU, narrow."""

    def __init__(self, weights: Weights, name: str, precision: str) -> None:
        self.norm = Norm(weights, f"{name}.final_layer_norm")
        self.widen = fused(weights, [f"{name}.fc1"], precision)
        self.narrow = fused(weights, [f"{name}.fc2"], precision)

    def __call__(self, x: Tensor) -> Tensor:
        """float32[N, D] -> float32[N, D], to be added to x; some rows at a time, so that what is widened stays in the cache."""
        return torch.cat([self.narrow(F.gelu(self.widen(self.norm(rows)))) for rows in x.split(_ROWS)])


class EncoderLayer:
    """Self-attention over frozen, own and silent frames, then the feed-forward part."""

    def __init__(self, weights: Weights, name: str, heads: int, precision: str) -> None:
        attention = f"{name}.self_attn"
        self.heads = heads
        self.norm = Norm(weights, f"{name}.self_attn_layer_norm")
        self.qkv = fused(weights, [f"{attention}.{p}_proj" for p in "qkv"], precision)
        self.out = fused(weights, [f"{attention}.out_proj"], precision)
        self.feed_forward = FeedForward(weights, name, precision)

    def project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """float32[N, D] -> queries, keys, values, each [N, D]."""
        q, k, v = self.qkv(self.norm(x)).chunk(3, 1)
        return q, k, v


class Convolution:
    """Over three rows at a time, then GELU.

    As a matrix product and in blocks, since torch's convolution and GELU keep some memory for every length they have ever seen.
    """

    def __init__(self, weights: Weights, name: str, stride: int) -> None:
        weight = weights[f"{name}.weight"]
        self.inputs, self._width = weight.shape[1:]
        self._stride, self._linear = stride, FloatLinear(weight.flatten(1), weights[f"{name}.bias"])

    def __call__(self, x: Tensor) -> Tensor:
        """float32[n, in] -> float32[(n - 3) // stride + 1, out]."""
        y = self._linear(x.unfold(0, self._width, self._stride).flatten(1))
        return torch.cat([F.gelu(rows) for rows in y.split(_ROWS)])


class Encoder:
    """The stack; holds weights only, all state is in the jobs' caches."""

    def __init__(self, weights: Weights, config: WhisperConfig, precision: str) -> None:
        self.heads = config.encoder_attention_heads
        self.width = config.d_model // self.heads
        self.positions = weights["encoder.embed_positions.weight"]
        self.conv1, self.conv2 = Convolution(weights, "encoder.conv1", 1), Convolution(weights, "encoder.conv2", 2)
        self.layers = [EncoderLayer(weights, f"encoder.layers.{i}", self.heads, precision) for i in range(config.encoder_layers)]
        self.norm = Norm(weights, "encoder.layer_norm")

    def stem(self, mel: Tensor, first: int, frames: int) -> Tensor:
        """Frames `first` to `frames` from the mel of the window, float32[frames - first, D], positions added.

        Frame i needs mel 2i - 2 to 2i + 2; before the window both convolutions see zeros, as in training.
        """
        heard = mel.T[: 2 * frames + 1]
        if first:
            x = self.conv1(heard[2 * first - 2 :])
        else:
            x = F.pad(self.conv1(F.pad(heard, (0, 0, 1, 0))), (0, 0, 1, 0))
        return self.conv2(x) + self.positions[first:frames]

    def silence(self, value: float) -> tuple[Tensor, Tensor]:
        """Keys and values float32[layers, 2, H, 1500, d] and states [1500, D] of 30 s of features `value`."""
        mel = torch.full((self.conv1.inputs, 2 * len(self.positions)), value)
        x = self.stem(F.pad(mel, (0, 1)), 0, len(self.positions))
        kept = []
        for layer in self.layers:
            q, k, v = layer.project(x)
            k, v = by_head(k, self.heads), by_head(v, self.heads)
            kept.append(torch.stack([k, v]))
            x = x + layer.out(attend(q, k, v))
            x = x + layer.feed_forward(x)
        return torch.stack(kept), self.norm(x)

    def __call__(self, jobs: Sequence[EncoderJob]) -> list[Tensor]:
        """States float32[frames - first, D] of each job; keys and values go to its cache."""
        x = torch.cat([self.stem(job.mel, job.first, job.frames) for job in jobs])
        sizes = [job.frames - job.first for job in jobs]
        for index, layer in enumerate(self.layers):
            projected = zip(jobs, *(part.split(sizes) for part in layer.project(x)), strict=True)
            x = x + layer.out(torch.cat([self._attend(index, *each) for each in projected]))
            x = x + layer.feed_forward(x)
        return list(self.norm(x).split(sizes))

    def _attend(self, index: int, job: EncoderJob, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        job.cache.write(index, job.first, by_head(k, self.heads), by_head(v, self.heads))
        return attend(q, *job.cache.read(index, job.frames))
