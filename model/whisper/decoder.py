"""Whisper's decoder over packed rows of many streams, each at its own position."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.attention import attend, by_head
from model.biasing.walk import Near
from model.decoding import Ask, Choices, following_tokens, most_attended
from model.kv_cache import FrameCache, SelfCache
from model.linear import Norm, Weights, fused
from model.sampling import GreedyChoice, given_probabilities, near, probabilities_of
from model.whisper.configuration import WhisperConfig
from model.whisper.encoder import FeedForward

_ROWS = 32


class Place(NamedTuple):
    """Where a stream's keys and values are, and how many frames count."""

    self_cache: SelfCache
    cross_cache: FrameCache
    frames: int


@dataclass(frozen=True, slots=True)
class DecoderJob:
    """Tokens of one stream, to be placed at `start` and after."""

    tokens: Sequence[int]
    start: int
    self_cache: SelfCache
    cross_cache: FrameCache
    frames: int


class DecoderLayer:
    """Self-attention, cross-attention, feed-forward."""

    def __init__(self, weights: Weights, name: str, precision: str) -> None:
        self.self_norm = Norm(weights, f"{name}.self_attn_layer_norm")
        self.qkv = fused(weights, [f"{name}.self_attn.{p}_proj" for p in "qkv"], precision)
        self.self_out = fused(weights, [f"{name}.self_attn.out_proj"], precision)
        self.cross_norm = Norm(weights, f"{name}.encoder_attn_layer_norm")
        self.cross_q = fused(weights, [f"{name}.encoder_attn.q_proj"], precision)
        self.cross_out = fused(weights, [f"{name}.encoder_attn.out_proj"], precision)
        self.feed_forward = FeedForward(weights, name, precision)


class Decoder:
    """The stack; holds weights only, all state is in the jobs' caches."""

    def __init__(self, weights: Weights, config: WhisperConfig, precision: str) -> None:
        names = [f"decoder.layers.{i}" for i in range(config.decoder_layers)]
        self.heads = config.decoder_attention_heads
        self.width = config.d_model // self.heads
        self.embedding = weights["decoder.embed_tokens.weight"]
        self.positions = weights["decoder.embed_positions.weight"]
        self.layers = [DecoderLayer(weights, name, precision) for name in names]
        self.norm = Norm(weights, "decoder.layer_norm")
        self.cross_kv = [fused(weights, [f"{n}.encoder_attn.{p}_proj" for p in "kv"], precision) for n in names]
        self.vocabulary = fused(weights, ["decoder.embed_tokens"], precision)
        self.alignment_heads: dict[int, list[int]] = {}
        for layer, head in config.alignment_heads:
            self.alignment_heads.setdefault(layer, []).append(head)

    def project(self, states: Tensor) -> Tensor:
        """Encoder states [n, D] -> cross-attention keys and values [layers, 2, H, n, d]."""
        return torch.stack([torch.stack(each) for each in self._projected(states)])

    def _projected(self, states: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        for layer in self.cross_kv:
            k, v = layer(states).chunk(2, 1)
            yield by_head(k, self.heads), by_head(v, self.heads)

    def remember(self, cache: FrameCache, first: int, states: Tensor) -> None:
        """Store the cross-attention keys and values of states [n, D] of frames from `first`."""
        for layer, (k, v) in enumerate(self._projected(states)):
            cache.write(layer, first, k, v)

    def __call__(self, jobs: Sequence[DecoderJob]) -> tuple[list[Tensor], list[Tensor]]:
        """Hidden states [n, D] and alignment scores [heads, n, frames] (before softmax) of each job's tokens."""
        sizes = [len(job.tokens) for job in jobs]
        x = self.embedding[torch.tensor([t for job in jobs for t in job.tokens])]
        x = x + torch.cat([self.positions[job.start : job.start + len(job.tokens)] for job in jobs])
        scores: list[list[Tensor]] = [[] for _ in jobs]
        heard = [list(own) for _, own in groupby(jobs, key=lambda job: (id(job.cross_cache), job.frames))]
        listening = [sum(len(job.tokens) for job in own) for own in heard]
        for index, layer in enumerate(self.layers):
            qkv = (part.split(sizes) for part in layer.qkv(layer.self_norm(x)).chunk(3, 1))
            x = x + layer.self_out(torch.cat([self._attend_self(index, *each) for each in zip(jobs, *qkv, strict=True)]))
            queries = layer.cross_q(layer.cross_norm(x))
            sounds = zip(heard, queries.split(listening), strict=True)
            x = x + layer.cross_out(torch.cat([self._attend_audio(index, own[0], q) for own, q in sounds]))
            x = x + layer.feed_forward(x)
            for job, q, collected in zip(jobs, queries.split(sizes), scores, strict=True):
                collected.extend(self._align(index, job, q))
        return list(self.norm(x).split(sizes)), [torch.cat(each) for each in scores]

    def _attend_self(self, index: int, job: DecoderJob, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        k, v = job.self_cache.write(index, job.start, by_head(k, self.heads), by_head(v, self.heads))
        return attend(q, k, v, _causal(q.shape[0], k.shape[1]) if q.shape[0] > 1 else None)

    def _attend_audio(self, index: int, job: DecoderJob, q: Tensor) -> Tensor:
        return attend(q, *job.cross_cache.read(index, job.frames))

    def _align(self, index: int, job: DecoderJob, q: Tensor) -> list[Tensor]:
        heads = self.alignment_heads.get(index)
        if not heads:
            return []
        keys = job.cross_cache.frame_keys(index, job.frames)[heads]
        return [by_head(q, self.heads)[heads] @ keys.transpose(1, 2) * self.width**-0.5]


class DecoderStack(Protocol):
    """What choosing needs of a decoder."""

    def __call__(self, jobs: Sequence[DecoderJob]) -> tuple[list[Tensor], list[Tensor]]:
        """Hidden states [n, D] and alignment scores [heads, n, frames] of each job's tokens."""

    def vocabulary(self, hidden: Tensor, /) -> Tensor:
        """Hidden states [N, D] -> logits [N, V]."""


class GreedyDecoder:
    """Chooses with a decoder; the `place` of what it is asked is a Place."""

    reads_ahead = True
    can_branch = True  # each layer writes and reads the keys and values of one ask after the other

    def __init__(self, decoder: DecoderStack, best: GreedyChoice) -> None:
        self._decoder, self._best = decoder, best

    def __call__(self, asks: Sequence[Ask]) -> Iterator[Choices]:
        """Answer each, in order."""
        hidden, scores = self._decoder([DecoderJob(ask.tokens, ask.start, *ask.place) for ask in asks])
        openings = self._openings(asks, hidden)
        wanted = torch.cat([h[-ask.wanted :] for ask, h in zip(asks, hidden, strict=True)])
        margins, of = zip(*((ask.margin, ask.of) for ask in asks for _ in range(ask.wanted)), strict=True)
        found = self._found(wanted, _first_flags(asks), following_tokens(asks), margins, of)
        for ask, score in zip(asks, scores, strict=True):
            aligned = score[:, -ask.aligned :]
            tokens, log_probabilities, given, others, own = zip(*(next(found) for _ in range(ask.wanted)), strict=True)
            opening = next(openings) if ask.opening is not None else None
            looked = most_attended(aligned, ask.heard)
            yield Choices(tokens, log_probabilities, looked, aligned, opening, given[:-1], others, own)

    def _openings(self, asks: Sequence[Ask], hidden: Sequence[Tensor]) -> Iterator[Tensor]:
        wanted = [h[ask.opening] for ask, h in zip(asks, hidden, strict=True) if ask.opening is not None]
        return iter(self._decoder.vocabulary(torch.stack(wanted)) if wanted else ())

    def _found(
        self,
        hidden: Tensor,
        is_first: Sequence[bool],
        following: Sequence[int],
        margins: Sequence[float],
        of: Sequence[NDArray[np.int64] | None],
    ) -> Iterator[tuple[int, float, float, Near, NDArray[np.float32] | None]]:
        """Tokens, log-probabilities, those of the tokens that follow, what is near, and what else is asked for.

        Some rows at a time: the logits of a long draft are tens of megabytes.
        """
        for start in range(0, len(hidden), _ROWS):
            rows = slice(start, start + _ROWS)
            logits = self._decoder.vocabulary(hidden[rows])
            tokens, log_probabilities = self._best(logits, is_first[rows])
            given = given_probabilities(logits, tokens, log_probabilities, following[rows])
            others = near(logits, tokens, log_probabilities, margins[rows])
            own = probabilities_of(logits, tokens, log_probabilities, of[rows])
            yield from zip(tokens, log_probabilities, given, others, own, strict=True)


def _first_flags(asks: Sequence[Ask]) -> list[bool]:
    return [ask.is_first and i == 0 for ask in asks for i in range(ask.wanted)]


def _causal(rows: int, keys: int) -> Tensor:
    """Bias [rows, keys] under which row i sees the keys up to its own, the last `rows` of them being the rows' own."""
    return torch.full((rows, keys), float("-inf")).triu_(keys - rows + 1)
