"""Greedy decoding of many rows in one batch, each starting from a draft.

Between two updates of an utterance its text hardly changes. So the previous hypothesis is fed as a draft in one pass over
all its tokens; the longest prefix that greedy choice agrees with is kept, and only from there on is decoded token by token.
The result is that of decoding from scratch (speculative decoding: Leviathan et al. 2023, greedy case).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from model.kv_cache import FrameCache, SelfCache
from model.sampling import GreedyChoice, loop_start, lost_track
from model.whisper.decoder import DecoderJob

_ROWS = 32


class DecoderStack(Protocol):
    """What the loop needs of a decoder."""

    def __call__(self, jobs: Sequence[DecoderJob]) -> tuple[list[Tensor], list[Tensor]]:
        """Hidden states [n, D] and alignment scores [heads, n, frames] of each job's tokens."""

    def vocabulary(self, hidden: Tensor, /) -> Tensor:
        """Hidden states [N, D] -> logits [N, V]."""


@dataclass(slots=True)
class Row:
    """One stream's decoding: the prompt and forced tokens are given, the draft is verified, the rest is found."""

    self_cache: SelfCache
    cross_cache: FrameCache
    frames: int
    prompt: list[int]
    start_index: int  # of the start-of-transcript token in the prompt
    forced: list[int]
    draft: list[int]
    limit: int  # most tokens the audio can hold
    end: int  # the end token's id
    tokens: list[int] = field(default_factory=list)
    log_probabilities: list[float] = field(default_factory=list)
    end_log_probability: float = 0.0
    scores: list[Tensor] = field(default_factory=list)  # alignment scores of the rows that predict each token
    attended: list[int] = field(default_factory=list)  # frame that each forced or free token looked at most
    heard: int = 0  # frames of real audio
    start_logits: Tensor | None = None  # float32[V] at start_index
    is_done: bool = False
    is_cut: bool = False

    def job(self, tokens: Sequence[int], start: int) -> DecoderJob:
        """These tokens at this position of the row's caches."""
        return DecoderJob(tokens, start, self.self_cache, self.cross_cache, self.frames)

    @property
    def given(self) -> int:
        """Tokens before the free ones."""
        return len(self.prompt) + len(self.forced)

    def take(self, token: int, log_probability: float, attended: int) -> None:
        """Accept the next token, then see whether to stop."""
        if token == self.end:
            self.end_log_probability, self.is_done = log_probability, True
            return
        self.tokens.append(token)
        self.log_probabilities.append(log_probability)
        self.attended.append(attended)
        self._guard()

    def _guard(self) -> None:
        text = self.forced + self.tokens
        loop = loop_start(text)
        lost = lost_track(self.attended, self.heard)
        if loop is not None:
            self._cut(max(0, loop - len(self.forced)))
        elif lost is not None:
            self._cut(max(0, lost - len(self.forced)))
        elif len(text) >= self.limit:
            self._cut(len(self.tokens))

    def _cut(self, keep: int) -> None:
        del self.tokens[keep:], self.log_probabilities[keep:]
        self.is_done = self.is_cut = True


def decode(model: DecoderStack, choose: GreedyChoice, rows: Sequence[Row]) -> None:
    """Run every row to its end; rows leave the batch as they finish."""
    verify(model, choose, rows)
    finish(model, choose, rows)


def verify(model: DecoderStack, choose: GreedyChoice, rows: Sequence[Row]) -> None:
    """One pass over prompt, forced tokens and draft of every row; accepts what greedy choice agrees with and one token more."""
    hidden, scores = model([row.job(row.prompt + row.forced + row.draft, 0) for row in rows])
    starts = model.vocabulary(torch.cat([h[r.start_index : r.start_index + 1] for r, h in zip(rows, hidden, strict=True)]))
    for row, logits in zip(rows, starts, strict=True):
        row.start_logits = logits
    free = torch.cat([h[r.given - 1 :] for r, h in zip(rows, hidden, strict=True)])
    chosen = _chosen(model, choose, free, [flag for row in rows for flag in _first_flags(row)])
    for row, score in zip(rows, scores, strict=True):
        row.scores = [score[:, len(row.prompt) - 1 : row.given]]
        attended = most_attended(score[:, len(row.prompt) - 1 :], row.heard)
        row.attended = attended[: len(row.forced)]
        for index, frame in enumerate(attended[len(row.forced) :]):
            _accept(row, index, *next(chosen), frame, score)


def _chosen(model: DecoderStack, choose: GreedyChoice, hidden: Tensor, is_first: Sequence[bool]) -> Iterator[tuple[int, float]]:
    """Tokens and log-probabilities, some rows at a time: the logits of a long draft are tens of megabytes."""
    for start in range(0, len(hidden), _ROWS):
        tokens, log_probabilities = choose(model.vocabulary(hidden[start : start + _ROWS]), is_first[start : start + _ROWS])
        yield from zip(tokens, log_probabilities, strict=True)


def _first_flags(row: Row) -> list[bool]:
    return [not row.forced and i == 0 for i in range(len(row.draft) + 1)]


def _accept(row: Row, index: int, token: int, log_probability: float, attended: int, score: Tensor) -> None:
    """The choice after `index` draft tokens counts if all of them were agreed with."""
    if row.is_done or row.tokens != row.draft[:index]:
        return
    if index:
        row.scores.append(score[:, row.given + index - 1 : row.given + index])
    row.take(token, log_probability, attended)


def finish(model: DecoderStack, choose: GreedyChoice, rows: Sequence[Row]) -> None:
    """Token by token from what is accepted, all unfinished rows together."""
    active = [row for row in rows if not row.is_done]
    while active:
        hidden, scores = model([row.job(row.tokens[-1:], row.given + len(row.tokens) - 1) for row in active])
        tokens, log_probabilities = choose(model.vocabulary(torch.cat(hidden)), [False] * len(active))
        for row, score, token, log_probability in zip(active, scores, tokens, log_probabilities, strict=True):
            row.scores.append(score)
            row.take(token, log_probability, most_attended(score, row.heard)[0])
        active = [row for row in active if not row.is_done]


def most_attended(scores: Tensor, heard: int) -> list[int]:
    """Scores [heads, n, frames] before softmax -> the frame of the real audio that each of n rows looks at most."""
    if not scores.shape[0] or not heard:
        return [0] * scores.shape[1]
    frames: list[int] = scores[:, :, :heard].softmax(-1).mean(0).argmax(-1).tolist()
    return frames
