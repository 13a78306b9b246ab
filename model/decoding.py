"""Greedy decoding of many rows in one batch, each starting from a draft.

Between two updates of an utterance its text hardly changes. So the previous hypothesis is fed as a draft in one pass over
all its tokens; the longest prefix that greedy choice agrees with is kept, and only from there on is decoded token by token.
The result is that of decoding from scratch (speculative decoding: Leviathan et al. 2023, greedy case).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor

from model.sampling import loop_start, lost_track


@dataclass(frozen=True, slots=True)
class Ask:
    """Tokens of one row for the device, and what is wanted of them."""

    place: Any  # where the family keeps this row's keys and values
    tokens: Sequence[int]
    start: int  # position of tokens[0]
    heard: int  # units of real audio that a token can look at
    aligned: int  # the last tokens, whose attention to the audio is wanted
    wanted: int  # the last tokens, after which the best next one is wanted
    is_first: bool  # nothing was said before the first wanted token
    opening: int | None  # the token whose logits are wanted as they are


@dataclass(frozen=True, slots=True)
class Choices:
    """The answer to an Ask."""

    tokens: Sequence[int]  # [wanted]
    log_probabilities: Sequence[float]  # [wanted]
    attended: Sequence[int]  # [aligned]: unit of the audio that each looked at most
    scores: Tensor  # [heads, aligned, units] before softmax
    opening: Tensor | None  # float32[V]


class Chooser(Protocol):
    """A decoder that chooses greedily."""

    def __call__(self, asks: Sequence[Ask]) -> Iterable[Choices]:
        """Answer each, in order; all in one pass."""


@dataclass(slots=True)
class Row:
    """One stream's decoding: the prompt and forced tokens are given, the draft is verified, the rest is found."""

    place: Any  # where the family keeps this row's keys and values
    prompt: list[int]
    forced: list[int]
    draft: list[int]
    limit: int  # most tokens the audio can hold
    ends: frozenset[int]  # tokens that end a text
    heard: int = 0  # units of real audio
    unit_frames: int = 1  # encoder frames that make a unit
    start_index: int | None = None  # of the start-of-transcript token in the prompt
    cached: int = 0  # tokens of the prompt whose keys and values are there already
    is_guarded: bool = True  # against loops and running on
    tokens: list[int] = field(default_factory=list)
    log_probabilities: list[float] = field(default_factory=list)
    end_log_probability: float = 0.0
    scores: list[Tensor] = field(default_factory=list)  # alignment scores of the rows that predict each token
    attended: list[int] = field(default_factory=list)  # unit that each forced or free token looked at most
    start_logits: Tensor | None = None  # float32[V] at start_index
    is_done: bool = False
    is_cut: bool = False

    @property
    def given(self) -> int:
        """Tokens before the free ones."""
        return len(self.prompt) + len(self.forced)

    def take(self, token: int, log_probability: float, attended: int) -> None:
        """Accept the next token, then see whether to stop."""
        if token in self.ends:
            self.end_log_probability, self.is_done = log_probability, True
            return
        self.tokens.append(token)
        self.log_probabilities.append(log_probability)
        self.attended.append(attended)
        self._guard()

    def _guard(self) -> None:
        text = self.forced + self.tokens
        loop = loop_start(text) if self.is_guarded else None
        frames = [unit * self.unit_frames for unit in self.attended]
        lost = lost_track(frames, self.heard * self.unit_frames) if self.is_guarded else None
        if loop is not None:
            self._cut(max(0, loop - len(self.forced)))
        elif lost is not None:
            self._cut(max(0, lost - len(self.forced)))
        elif len(text) >= self.limit:
            self._cut(len(self.tokens))

    def _cut(self, keep: int) -> None:
        del self.tokens[keep:], self.log_probabilities[keep:]
        self.is_done = self.is_cut = True


def decode(choose: Chooser, rows: Sequence[Row]) -> None:
    """Run every row to its end; rows leave the batch as they finish."""
    verify(choose, rows)
    finish(choose, rows)


def verify(choose: Chooser, rows: Sequence[Row]) -> None:
    """One pass over prompt, forced tokens and draft of every row; accepts what greedy choice agrees with and one token more."""
    for row, found in zip(rows, choose([_whole(row) for row in rows]), strict=True):
        forced = len(row.forced)
        row.start_logits, row.scores, row.attended = found.opening, [found.scores[:, : forced + 1]], list(found.attended[:forced])
        for index in range(len(row.draft) + 1):
            _accept(row, index, found)


def _whole(row: Row) -> Ask:
    tokens, free = [*row.prompt, *row.forced, *row.draft][row.cached :], len(row.draft) + 1
    opening = None if row.start_index is None else row.start_index - row.cached
    return Ask(row.place, tokens, row.cached, row.heard, len(row.forced) + free, free, not row.forced, opening)


def _accept(row: Row, index: int, found: Choices) -> None:
    """The choice after `index` draft tokens counts if all of them were agreed with."""
    if row.is_done or row.tokens != row.draft[:index]:
        return
    at = len(row.forced) + index
    if index:
        row.scores.append(found.scores[:, at : at + 1])
    row.take(found.tokens[index], found.log_probabilities[index], found.attended[at])


def finish(choose: Chooser, rows: Sequence[Row]) -> None:
    """Token by token from what is accepted, all unfinished rows together."""
    active = [row for row in rows if not row.is_done]
    while active:
        for row, found in zip(active, choose([_last(row) for row in active]), strict=True):
            row.scores.append(found.scores)
            row.take(found.tokens[0], found.log_probabilities[0], found.attended[0])
        active = [row for row in active if not row.is_done]


def _last(row: Row) -> Ask:
    return Ask(row.place, row.tokens[-1:], row.given + len(row.tokens) - 1, row.heard, 1, 1, False, None)


def most_attended(scores: Tensor, heard: int) -> list[int]:
    """Scores [heads, n, units] before softmax -> the unit of the real audio that each of n rows looks at most."""
    if not scores.shape[0] or not heard:
        return [0] * scores.shape[1]
    units: list[int] = scores[:, :, :heard].softmax(-1).mean(0).argmax(-1).tolist()
    return units
