"""Speech for which a text has no words: among words of another language a phrase is often left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.alignment import token_starts
from model.decoding import Row
from model.words import Pieces, is_wide


@dataclass(frozen=True, slots=True)
class GapOptions:
    """In encoder frames of 20 ms, where nothing else is said."""

    character: int = 16  # that a character of a script without spaces may last
    word: int = 12  # that any other word may last, and
    letter: int = 6  # for each of its letters
    least: int = 10  # of voice for which there are no words
    before: int = 5  # that are heard before it
    own: int = 8  # of the word behind it, not heard
    doubt: float = 0.5  # nats a token that words must have cost to be heard alone
    share: float = 0.6  # of the letters of such words, at least, that phrases in their place must have


class Gap(NamedTuple):
    """Frames `start` to `stop` of the window, in the place of some free tokens or, if there are none, before the next one."""

    place: int
    until: int
    start: int
    stop: int


def starts_of(row: Row) -> list[int]:
    """The frames at which the free tokens start, the one at which the last one ends, and how many were heard."""
    return [*token_starts(row.scores, len(row.forced) + len(row.tokens), row.heard)[len(row.forced) :], row.heard]


def gaps(starts: Sequence[int], pieces: Pieces, voiced: NDArray[np.bool_], options: GapOptions) -> Iterator[Gap]:
    """Before words of a script without spaces, or numbers, that last too long: alignment gives them what was said before them."""
    place = 0
    for (word, tokens), (start, stop, more) in zip(pieces, _spans(starts, pieces, voiced, options), strict=False):
        if more and not _is_latin(word):
            yield Gap(place, place, max(0, start - options.before), stop - options.own)
        place += len(tokens)


def doubted(row: Row, starts: Sequence[int], pieces: Pieces, is_known: Callable[[str], bool], options: GapOptions) -> Iterator[Gap]:
    """Runs of doubted Latin words that are no phrases."""
    at = 0
    for is_run, run in groupby(pieces, key=lambda piece: _is_latin(piece[0]) and not is_known(piece[0])):
        place, at = at, at + sum(len(tokens) for _, tokens in run)
        if is_run and -sum(row.log_probabilities[place:at]) >= options.doubt * (at - place):
            yield Gap(place, at, max(0, starts[place] - options.before), starts[at] + options.before)


def missing(row: Row, pieces: Pieces, voiced: NDArray[np.bool_], options: GapOptions) -> int:
    """Frames of voice that are too many for the words that they are given, and those after the last word.

    0 if it cannot be told who speaks when.
    """
    return sum(more for _, _, more in _spans(starts_of(row), pieces, voiced, options)) if len(voiced) else 0


def _spans(starts: Sequence[int], pieces: Pieces, voiced: NDArray[np.bool_], options: GapOptions) -> Iterator[tuple[int, int, int]]:
    """Of each word and the end: the frame at which it starts, the one at which it ends, and how many of those are too many."""
    at = 0
    for word, tokens in (*pieces, ("", [0])):
        start, stop = starts[at], starts[at + len(tokens)]
        more = int(voiced[start:stop].sum()) - _allowed(word, options)
        yield start, stop, more if more >= options.least else 0
        at += len(tokens)


def _is_latin(word: str) -> bool:
    return any(letter.isascii() and letter.isalpha() for letter in word)


def _allowed(word: str, options: GapOptions) -> int:
    wide, others = sum(map(is_wide, word)), sum(letter.isalnum() and not is_wide(letter) for letter in word)
    return options.character * wide + (options.word + options.letter * others if others else 0)
