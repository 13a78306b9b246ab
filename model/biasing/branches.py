"""A text with one phrase more: wherever one may have been said, what was read is taken up again with the phrase in it.

Favouring (walk.py) takes the first phrase that is near enough, so one that comes later, or begins with a token far from the
likeliest, is never tried. Here all phrases compete at all places: first by how much likelier their first token is there than
elsewhere in the same text (pointwise mutual information: Church and Hanks 1990), then by all of their tokens, at last by the
whole text that follows from them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.biasing.likely import letters
from model.biasing.phrases import HotwordList, Kept, firsts
from model.biasing.trie import Encode, forms, parted, worth
from model.decoding import Ask, Choices, Chooser, Row, decode
from model.interfaces import Hotword
from model.words import Pieces

_FLOOR = 1e-6  # of a token's probability elsewhere
_WORDS = 8  # that a phrase is compared with


@dataclass(frozen=True, slots=True)
class BranchOptions:
    """Bounds in nats are for a weight of 1."""

    margin: float = 12.0  # that the first token may be less likely than the likeliest one there
    surprising: int = 32  # phrases that are weighed because their first token is likelier there than elsewhere
    near: int = 8  # because it is near
    least: float = 0.0  # nats that all tokens with the phrase's bonus must be worth more than what is likeliest there
    most: int = 4  # that are read on
    loyal: float = 2.0  # by which tokens of the text after the phrase may be less likely than the best ones, and stay


class Beginning(NamedTuple):
    """One way to write a phrase."""

    tokens: tuple[int, ...]
    is_spaced: bool
    letters: str
    hotword: Hotword


class Branch(NamedTuple):
    """A phrase at a place in a text."""

    place: int  # the token before which it begins
    beginning: Beginning
    gain: float  # nats by which its first token is likelier than the likeliest one there: 0 or less

    def value(self, later: float, bonus: float) -> float:
        """Nats, with the log-probability of later tokens and what a phrase is worth."""
        return self.gain + later + bonus * worth(self.beginning.hotword)


class Heard(NamedTuple):
    """A text and what might have been instead."""

    first: Row  # where it was read
    row: Row
    words: list[str]
    places: list[int]  # the token before which each word begins, and the end
    looked: Sequence[int]  # the unit of audio that each token looked at
    gains: NDArray[np.float32]  # [places, tokens asked for], as a branch's
    surprises: NDArray[np.float32]  # likewise: nats by which it is likelier there than elsewhere


class Beginnings:
    """All ways to write the phrases of a list, by their first tokens."""

    def __init__(self, hotwords: HotwordList, encode: Encode) -> None:
        found = dict[int, list[Beginning]]()
        for word in hotwords:
            for form in dict.fromkeys((*forms(word), *parted(word), *word.sayings)) if word.weight > 0 else ():
                for space in (" ", ""):
                    tokens = tuple(encode(space + form))
                    found.setdefault(tokens[0], []).append(Beginning(tokens, bool(space), letters(form), word))
        self.tokens, self.each = np.array(list(found), np.int64), list(found.values())


class Branches:
    """For one model."""

    def __init__(self, encode: Encode, options: BranchOptions | None = None) -> None:
        self.options = options or BranchOptions()
        self._beginnings = Kept(lambda hotwords: Beginnings(hotwords, encode))

    def prepare(self, hotwords: HotwordList) -> None:
        """Make what is kept of a list."""
        self._beginnings(hotwords)

    def read(
        self,
        choose: Chooser,
        first: Row,
        row: Row,
        pieces: Pieces,
        lists: Iterable[HotwordList],
        bonus: float,
        *,
        is_wide: bool = False,
    ) -> list[Row]:
        """What follows where a phrase is put into the row's text, of the phrases that promise most.

        `first`: the row whose place it is read at; `pieces`: the row's words; `bonus`: nats that a phrase is worth;
        `is_wide`: phrases that begin with the same token at the same place count as one.
        """
        known = [self._beginnings(hotwords) for hotwords in lists]
        each = [beginnings for list_ in known for beginnings in list_.each]
        heard = _heard(choose, first, row, pieces, np.concatenate([list_.tokens for list_ in known]))
        weighed = list(dict.fromkeys(self._weighed(heard, each, bonus, is_wide)))
        chosen = sorted(self._promising(choose, heard, weighed, bonus), key=lambda each: -each[0])[: self.options.most]
        return [_read_on(choose, heard, branch, looked, self.options.loyal) for _, branch, looked in chosen]

    def _weighed(self, heard: Heard, each: Sequence[Sequence[Beginning]], bonus: float, is_wide: bool) -> Iterator[Branch]:
        yield from self._foremost(heard, heard.surprises, each, bonus, self.options.surprising, is_wide)
        yield from self._foremost(heard, heard.gains, each, bonus, self.options.near, is_wide)

    def _foremost(
        self,
        heard: Heard,
        scores: NDArray[np.float32],
        each: Sequence[Sequence[Beginning]],
        bonus: float,
        count: int,
        is_wide: bool,
    ) -> Iterator[Branch]:
        """So many phrases, each at the place and with the first token where its score is highest."""
        near = heard.gains >= -self.options.margin
        order = np.argsort(np.where(near, -scores, np.inf), axis=None, kind="stable")[: int(near.sum())]
        taken, begun = dict[Hotword, int](), set[int]()
        for index in order.tolist():
            at, token = divmod(index, near.shape[1])
            for beginning in each[token]:
                branch, word = Branch(heard.places[at], beginning, float(heard.gains[at, token])), beginning.hotword
                is_worth = branch.value(0.0, bonus) >= self.options.least
                if is_worth and taken.get(word, index) == index and _fits(heard, at, beginning):
                    taken[word] = index
                    begun.add(index)
                    yield branch
            if len(begun if is_wide else taken) >= count:
                return

    def _promising(
        self, choose: Chooser, heard: Heard, branches: Iterable[Branch], bonus: float
    ) -> Iterator[tuple[float, Branch, int]]:
        """What those are worth whose tokens are not too unlikely, and the unit of audio that is looked at after them."""
        kept = [b for b, p in _with_second(choose, heard, branches) if b.value(p, bonus) >= self.options.least]
        for branch, found in zip(kept, choose([_ask(heard.first, branch) for branch in kept]) if kept else (), strict=True):
            value = branch.value(sum(found.given), bonus)
            if value >= self.options.least:
                yield value, branch, found.attended[-1]


def _with_second(choose: Chooser, heard: Heard, branches: Iterable[Branch]) -> Iterator[tuple[Branch, float]]:
    """With the log-probability of their second token, if they have one: it parts the few that were said from all others.

    Later places come first, since all share the keys and values of one text.
    """
    begun = dict[tuple[int, int], list[Branch]]()
    for branch in sorted(branches, key=lambda branch: -branch.place):
        begun.setdefault((branch.place, branch.beginning.tokens[0]), []).append(branch)
    first, asks = heard.first, list[Ask]()
    for (place, token), own in begun.items():
        of = np.array([branch.beginning.tokens[:2][-1] for branch in own])
        asks.append(Ask(first.place, [token], first.given + place, first.heard, 1, 1, False, None, of=of))
    for own, found in zip(begun.values(), _answers(choose, heard, asks), strict=True):
        (p,) = found.of
        assert p is not None
        yield from ((b, float(each) if len(b.beginning.tokens) > 1 else 0.0) for b, each in zip(own, p, strict=True))


def _answers(choose: Chooser, heard: Heard, asks: Sequence[Ask]) -> list[Choices]:
    """To asks in the midst of the text; its keys and values, which they overwrite, are made again."""
    if not asks:
        return []
    start, stop = asks[-1].start - heard.first.given, asks[0].start + 1 - heard.first.given
    text = heard.row.tokens[start:stop]
    again = [replace(asks[-1], tokens=text, of=None)] if text else []
    return list(choose([*asks, *again]))[: len(asks)]


def _heard(choose: Chooser, first: Row, row: Row, pieces: Pieces, tokens: NDArray[np.int64]) -> Heard:
    text, count = [*first.prompt, *first.forced, *row.tokens][first.cached :], len(row.tokens) + 1
    found: Choices
    (found,) = choose([Ask(first.place, text, first.cached, first.heard, count, count, not first.forced, None, of=tokens)])
    places = firsts(pieces)
    p = np.stack([each for each in found.of if each is not None])[places]
    here = np.exp(p)
    elsewhere = (here.sum(0) - here) / len(places) + _FLOOR
    likeliest = np.array(found.log_probabilities, np.float32)[places, None]
    return Heard(first, row, [word for word, _ in pieces], places, found.attended, p - likeliest, p - np.log(elsewhere))


def _fits(heard: Heard, at: int, beginning: Beginning) -> bool:
    """It has a space where a word ends before it, is not there already, and has room."""
    before = heard.words[at - 1][-1:] if at else ""
    is_there = letters("".join(heard.words[at : at + _WORDS])).startswith(beginning.letters)
    is_apart = beginning.is_spaced or not (before.isascii() and before.isalnum())
    return is_apart and not is_there and heard.places[at] + len(beginning.tokens) < _room(heard.first)


def _room(first: Row) -> int:
    return first.limit - len(first.forced) - 1


def _ask(first: Row, branch: Branch) -> Ask:
    tokens = branch.beginning.tokens
    return Ask(first.place, tokens, first.given + branch.place, first.heard, len(tokens), len(tokens), False, None, is_scored=True)


def _read_on(choose: Chooser, heard: Heard, branch: Branch, looked: int, loyal: float) -> Row:
    """From where the text is likely to go on after the phrase, as a draft."""
    begun = [*heard.row.tokens[: branch.place], *branch.beginning.tokens]
    later = [place for place in heard.places if place >= branch.place]
    rest = heard.row.tokens[min(later, key=lambda place: abs(heard.looked[place] - looked)) :]
    row = replace(heard.first.afresh(), draft=[*begun, *rest][: _room(heard.first)], kept=frozenset(range(len(begun))), loyal=loyal)
    decode(choose, [row])
    return row
