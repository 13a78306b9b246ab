"""Greedy decoding of many rows in one batch, each starting from a draft.

Between two updates of an utterance its text hardly changes. So the previous hypothesis is fed as a draft in one pass over
all its tokens; the longest prefix that greedy choice agrees with is kept, and only from there on is decoded token by token.
The result is that of decoding from scratch (speculative decoding: Leviathan et al. 2023, greedy case).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.biasing.walk import Favour, GoBack, Near
from model.sampling import echo_start, loop_start, lost_track

_KEPT_LOSS = 14.0  # nats
_NEAR = 4  # tokens from where a draft was left to where it may go on
EDGE = 0.5  # of the attention, above which a look at the last unit of audio is meant


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
    is_scored: bool = False  # log-probabilities of the wanted tokens that are given are wanted, too
    margin: float = 0.0  # how much less likely than the best one the other tokens may be that are wanted as well, in nats
    of: NDArray[np.int64] | None = None  # those whose log-probabilities are wanted, too, if the chooser can_branch


@dataclass(frozen=True, slots=True)
class Choices:
    """The answer to an Ask."""

    tokens: Sequence[int]  # [wanted]
    log_probabilities: Sequence[float]  # [wanted]
    attended: Sequence[int]  # [aligned]: unit of the audio that each looked at most
    scores: Tensor  # [heads, aligned, units] before softmax
    opening: Tensor | None  # float32[V]
    given: Sequence[float] = ()  # [wanted - 1], if asked for: log-probability of each token that follows a wanted one
    near: Sequence[Near] = ()  # [wanted], if a margin was given: the likeliest first
    of: Sequence[NDArray[np.float32] | None] = ()  # [wanted]: log-probabilities of the tokens asked for


class Chooser(Protocol):
    """A decoder that chooses greedily."""

    reads_ahead: bool  # several tokens cost it little more than one
    can_branch: bool  # it answers `of`, and asks of one call may be at the same place if those that start later come first

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
    favour: Favour | None = None  # phrases that may be taken although they are less likely
    kept: frozenset[int] = frozenset()  # tokens of the draft that stay although others are likelier
    loyal: float = 0.0  # nats by which the others may be less likely than the best ones, and stay
    near_margin: float = 0.0  # nats within which other tokens than the best are wanted, though nothing is favoured
    tokens: list[int] = field(default_factory=list)
    log_probabilities: list[float] = field(default_factory=list)
    end_log_probability: float = 0.0
    scores: list[Tensor] = field(default_factory=list)  # alignment scores of the rows that predict each token
    attended: list[int] = field(default_factory=list)  # unit that each forced or free token looked at most
    near: list[Near] = field(default_factory=list)  # to choose from at each free token, if a margin is given
    start_logits: Tensor | None = None  # float32[V] at start_index
    is_done: bool = False
    is_cut: bool = False
    is_silent: bool = False  # nobody speaks, whatever was read
    is_stale: bool = False  # other tokens' keys and values are at its place now

    @property
    def given(self) -> int:
        """Tokens before the free ones."""
        return len(self.prompt) + len(self.forced)

    @property
    def margin(self) -> float:
        """Within which other tokens than the best one are wanted."""
        return max(self.near_margin, self.favour.margin if self.favour else 0.0)

    @property
    def is_steadfast(self) -> bool:
        """Some of the draft stays although other tokens are likelier."""
        return bool(self.kept) or self.loyal > 0

    def afresh(self, favour: Favour | None = None) -> Row:
        """As before anything was chosen, its text the draft."""
        return Row(
            self.place,
            self.prompt,
            self.forced,
            self.tokens,
            self.limit,
            self.ends,
            self.heard,
            self.unit_frames,
            self.start_index,
            self.cached,
            self.is_guarded,
            favour,
            near_margin=self.near_margin,
        )

    def resumed(self) -> int:
        """The place in the draft from which it may go on: behind the token that was taken last, or taken instead of one of its.

        Prompt lookup (Saxena 2023), the draft being the prompt.
        """
        at = len(self.tokens) - 1
        near = range(max(0, at - _NEAR), min(at + _NEAR + 1, len(self.draft)))
        same = [i for i in near if self.draft[i] == self.tokens[at]]
        if same:
            return min(same, key=lambda i: abs(i - at)) + 1
        return at + 1 if self.tokens[:at] == self.draft[:at] else len(self.draft)

    def take(self, found: Choices, index: int, begin: int = 0) -> None:
        """Accept the next token, the answer's free one number `index`, then see whether to stop.

        `begin`: the place in the draft of the first one.
        """
        at = len(found.attended) - len(found.tokens) + index
        self.scores.append(found.scores[:, at : at + 1])
        self.attended.append(found.attended[at])
        if found.near:
            self.near.append(found.near[index])
        loss = _KEPT_LOSS if begin + index in self.kept else self.loyal
        if loss and index < len(found.given) and found.log_probabilities[index] - found.given[index] <= loss:
            if self.favour is not None:
                self.favour.follow(self.forced + self.tokens, len(self.tokens), self.draft[begin + index])
            self._accept(self.draft[begin + index], found.given[index])
        elif self.favour is None:
            self._accept(found.tokens[index], found.log_probabilities[index])
        else:
            self._accept(*self._favoured(self.favour))

    def _favoured(self, favour: Favour) -> tuple[int, float]:
        """The choice among what is near, after going back to where a phrase was begun in vain."""
        while True:
            at = len(self.tokens)
            looked = [unit * self.unit_frames for unit in self.attended[len(self.forced) :]]
            found = favour.choose(self.forced + self.tokens, at, self.near[at], looked, self.heard * self.unit_frames)
            if not isinstance(found, GoBack):
                return found
            del self.tokens[found.position :], self.log_probabilities[found.position :], self.near[found.position + 1 :]
            del self.scores[found.position + 2 :], self.attended[len(self.forced) + found.position + 1 :]

    def _accept(self, token: int, log_probability: float) -> None:
        if token in self.ends:
            self.end_log_probability, self.is_done = log_probability, True
            return
        self.tokens.append(token)
        self.log_probabilities.append(log_probability)
        self._guard()

    def _guard(self) -> None:
        text = self.forced + self.tokens
        starts = self._runaways(text) if self.is_guarded else ()
        start = next((start for start in starts if start is not None), None)
        if start is not None:
            self._cut(max(0, start - len(self.forced)))
        elif len(text) >= self.limit:
            self._cut(len(self.tokens))

    def _runaways(self, text: list[int]) -> Iterator[int | None]:
        yield loop_start(text)
        yield lost_track([unit * self.unit_frames for unit in self.attended], self.heard * self.unit_frames)
        yield echo_start(text, self.attended)

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
        row.start_logits, row.scores, row.attended = found.opening, [found.scores[:, :forced]], list(found.attended[:forced])
        _take_agreed(row, found, 0)


def _take_agreed(row: Row, found: Choices, begin: int) -> None:
    """Of the draft from `begin` on what greedy choice agrees with, and one token more."""
    before = list(row.tokens)
    for index in range(len(found.tokens)):
        if not row.is_done and row.tokens == [*before, *row.draft[begin : begin + index]]:
            row.take(found, index, begin)


def _whole(row: Row) -> Ask:
    tokens, free = [*row.prompt, *row.forced, *row.draft][row.cached :], len(row.draft) + 1
    opening = None if row.start_index is None else row.start_index - row.cached
    aligned, is_scored = len(row.forced) + free, row.is_steadfast
    return Ask(row.place, tokens, row.cached, row.heard, aligned, free, not row.forced, opening, is_scored, row.margin)


def finish(choose: Chooser, rows: Sequence[Row]) -> None:
    """Step by step from what is accepted, all unfinished rows together."""
    active = [row for row in rows if not row.is_done]
    while active:
        begins = [row.resumed() if choose.reads_ahead else len(row.draft) for row in active]
        answers = choose([_next(row, begin) for row, begin in zip(active, begins, strict=True)])
        for row, found, begin in zip(active, answers, begins, strict=True):
            _take_agreed(row, found, begin)
        active = [row for row in active if not row.is_done]


def _next(row: Row, begin: int) -> Ask:
    room = max(0, row.limit - len(row.forced) - len(row.tokens) - 1)
    tokens, start = [row.tokens[-1], *row.draft[begin : begin + room]], row.given + len(row.tokens) - 1
    is_scored = row.is_steadfast and len(tokens) > 1
    return Ask(row.place, tokens, start, row.heard, len(tokens), len(tokens), False, None, is_scored, row.margin)


def rescore(choose: Chooser, row: Row, text: Sequence[int], since: int, margin: float = 0.0) -> Row:
    """The row with these free tokens instead of its own, whatever their probability; with what is near, if a margin is given.

    `since`: how many of the first ones are its own still, and were when it was last asked about; they are not decoded again.
    """
    forced, count = len(row.forced), len(text) - since + 1
    start = row.given + since - 1 if since else row.cached
    tokens, aligned = [*row.prompt, *row.forced, *text][start:], count if since else forced + count
    (found,) = choose([Ask(row.place, tokens, start, row.heard, aligned, count, not (row.forced or since), None, True, margin)])
    before = forced + since if since else 0
    return replace(
        row,
        tokens=list(text),
        log_probabilities=[*row.log_probabilities[:since], *found.given],
        scores=[torch.cat(row.scores, 1)[:, :before], found.scores] if since else [found.scores],
        attended=[*row.attended[:before], *found.attended],
        near=list(found.near) if margin else row.near,
        is_done=True,
    )


def following_tokens(asks: Sequence[Ask]) -> list[int]:
    """The token after each wanted one where its probability is asked for, else -1."""
    return [token for ask in asks for token in _following(ask)]


def _following(ask: Ask) -> Sequence[int]:
    return [*ask.tokens[len(ask.tokens) - ask.wanted + 1 :], -1] if ask.is_scored else [-1] * ask.wanted


def most_attended(scores: Tensor, heard: int) -> list[int]:
    """Scores [heads, n, units] before softmax -> the unit of the real audio that each of n rows looks at most.

    The last unit counts if it has more than EDGE of the attention: where sound is cut off, it draws some that means nothing.
    """
    if not scores.shape[0] or not heard:
        return [0] * scores.shape[1]
    seen = scores[:, :, :heard].softmax(-1).mean(0)
    seen[:, -1].masked_fill_(seen[:, -1] <= EDGE, 0.0)
    units: list[int] = seen.argmax(-1).tolist()
    return units
