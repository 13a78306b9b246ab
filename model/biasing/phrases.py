"""Hotwords in a text that a model has written: where one may have been misheard, the model is asked how much it minds.

A thousand phrases cannot all be tried everywhere, nor do they fit into a prompt. So a text is decoded as it is first. Where a run
of its words was doubted and sounds like a phrase whose first token was near, the phrase is put in its place, and one pass of the
decoder over the new text tells how much less likely it is: if not by too much, it stays.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import accumulate, pairwise
from math import inf, log
from typing import Generic, NamedTuple, TypeAlias, TypeVar

from model.biasing.likely import Likely, SoundIndex
from model.biasing.trie import Encode, Trie
from model.biasing.walk import BiasOptions, Favour
from model.decoding import Chooser, Row, rescore
from model.interfaces import Hotword
from model.words import Pieces

_MOST_LISTS, _MOST_TRIED = 256, 1_000
AMONG = 350  # phrases that bonuses and bounds are meant for
_MARKS = " .,!?;:…\"'-"

HotwordList: TypeAlias = tuple[Hotword, ...]
Made = TypeVar("Made")
Key = TypeVar("Key")


class Kept(Generic[Made]):
    """Things made of lists; a list is known by its identity, since to compare a thousand phrases takes too long."""

    def __init__(self, make: Callable[[HotwordList], Made]) -> None:
        self._make, self._made = make, OrderedDict[int, tuple[HotwordList, Made]]()

    def __call__(self, hotwords: HotwordList) -> Made:
        """Of this list; the least recently used one of many is forgotten. Two threads may make the same, and one of them stays."""
        found = self._made.pop(id(hotwords), None) or (hotwords, self._make(hotwords))
        self._made[id(hotwords)] = found
        if len(self._made) > _MOST_LISTS:
            self._made.popitem(last=False)
        return found[1]


@dataclass(frozen=True, slots=True)
class PhraseOptions:
    """Bounds in nats are for a weight of 1."""

    anywhere: BiasOptions = BiasOptions(margin=6.0, cap=8.0)  # where all phrases are tried
    doubt: float = 0.5  # that the words in whose place a phrase is tried must have cost
    near: float = 5.5  # that a phrase's first token may be less likely than the likeliest one
    near_early: float = 3.5  # the same, as long as there is more to hear
    least: float = 64.0  # per cent alike, less 3 for each of these nats
    among: int = AMONG  # phrases; one of more must be more alike, as each is less likely to be said
    early: float = 12.0  # per cent more, as long as there is more to hear: the whole window is tried again
    nat: float = 3.0
    loss: tuple[float, float] = (7.0, 12.0)  # that a text may be less likely with a phrase 70 and 90 per cent alike
    after: int = 2  # tokens after a phrase that count, too
    most: int = 8  # phrases tried at a time
    layers: int = 3  # times, in whole windows; once in others


@dataclass(slots=True)
class Memory:
    """What is known of one utterance's phrases."""

    said: set[tuple[int, ...]] = field(default_factory=set)  # tokens of those that were put in their place
    tried: set[tuple[str, str]] = field(default_factory=set)  # runs of words, and phrases that they are not


class Change(NamedTuple):
    """Words `start` to `stop` of a text become these tokens."""

    start: int
    stop: int
    tokens: tuple[int, ...]
    loss: float  # nats that this may cost
    key: tuple[str, str]


@dataclass(slots=True)
class Draft:
    """A row's text as words, and the changes that are tried."""

    row: Row
    pieces: Pieces
    changes: list[Change]
    memory: Memory
    since: int = 0  # tokens before the first change of any draft of this row

    def tokens(self, after: int | None = None) -> list[int]:
        """Of the text with the changes; if given, only so many after the last one."""
        text, end = list[int](), 0
        for part, _, change in self.parts():
            text += part
            end = len(text) if change else end
        text += self.row.tokens[sum(len(tokens) for _, tokens in self.pieces) :]
        return text if after is None else text[: end + after]

    def parts(self) -> Iterator[tuple[Sequence[int], int, Change | None]]:
        """Runs of tokens, how many of the old text they stand for, and the change that they are."""
        at, changes = 0, {change.start: change for change in self.changes}
        while at < len(self.pieces):
            change = changes.get(at)
            stop = change.stop if change else at + 1
            old = [token for _, tokens in self.pieces[at:stop] for token in tokens]
            yield (change.tokens if change else old), len(old), change
            at = stop


class Phrases:
    """For one model."""

    def __init__(self, encode: Encode, decode: Callable[[Sequence[int]], str], options: PhraseOptions | None = None) -> None:
        self.options = options or PhraseOptions()
        self.encode: Callable[[str], tuple[int, ...]] = lru_cache(65_536)(lambda text: tuple(encode(text)))
        self._decode = decode
        self._tries = Kept(lambda hotwords: Trie.of(hotwords, self.encode))
        self._indices = Kept(lambda hotwords: SoundIndex((word for word in hotwords if word.weight > 0), self.encode))

    def prepare(self, hotwords: HotwordList) -> None:
        """Make what is kept of a list."""
        self._tries(hotwords)
        self._indices(hotwords)

    def anywhere(self, lists: Sequence[HotwordList], ends: frozenset[int]) -> Favour | None:
        """Every phrase, wherever it may begin."""
        tries = [trie for trie in map(self._tries, lists) if trie.weight]
        return self.favour(tries, self.options.anywhere, ends) if tries else None

    def favour(self, tries: Sequence[Trie], options: BiasOptions, ends: frozenset[int]) -> Favour:
        """These phrases, wherever they may begin."""
        return Favour(tries, lambda token: self._decode([token]), options, ends)

    def bare(self, tokens: Sequence[int]) -> tuple[int, ...]:
        """Without the marks before and behind them, after a space."""
        return self.encode(" " + self._decode(tokens).strip(_MARKS))

    def likely(self, hotwords: HotwordList, words: Sequence[str]) -> Iterator[Likely]:
        """Phrases of a list that runs of these words sound like."""
        return self._indices(hotwords).likely(words)

    def revise(self, choose: Chooser, rows: Sequence[tuple[Row, Pieces, Sequence[HotwordList], Memory, bool]]) -> dict[int, Row]:
        """Rows whose text has changed, by their index.

        Of each: the words that may change, from its first token on, the lists, what is known, and whether the window is whole.
        """
        layers = {(i, n): draft for i, row in enumerate(rows) for n, draft in enumerate(self._drafts(*row))}
        scored = self._rescored(choose, {key: draft.tokens(self.options.after) for key, draft in layers.items()}, layers)
        chosen: dict[int, Draft] = {}
        for i in dict.fromkeys(i for i, _ in layers):
            own = [layers[key] for key in layers if key[0] == i]
            losses = [each for key in layers if key[0] == i for each in self._losses(layers[key], scored[key])]
            kept = _best([(loss - change.loss, change) for change, loss in losses if loss <= change.loss])
            self._remember(own, kept)
            if kept:
                chosen[i] = replace(own[0], changes=kept)
        texts = {i: draft.tokens() for i, draft in chosen.items()}
        done = {i: scored[i, 0] for i in chosen if scored[i, 0].tokens == texts[i]}
        return done | self._rescored(choose, {i: text for i, text in texts.items() if i not in done}, chosen)

    @staticmethod
    def _rescored(choose: Chooser, texts: Mapping[Key, list[int]], drafts: Mapping[Key, Draft]) -> dict[Key, Row]:
        return {key: rescore(choose, drafts[key].row, text, drafts[key].since) for key, text in texts.items()}

    def _remember(self, drafts: Sequence[Draft], kept: Sequence[Change]) -> None:
        memory = drafts[0].memory
        if len(memory.tried) > _MOST_TRIED:
            memory.tried.clear()
        memory.tried.update(change.key for draft in drafts for change in draft.changes if change not in kept)
        memory.said.update(change.tokens for change in kept)

    def _losses(self, draft: Draft, new: Row) -> Iterator[tuple[Change, float]]:
        """By how much each change makes the text less likely, there and a little after it."""
        old, at, was = draft.row, 0, 0
        for tokens, count, change in draft.parts():
            if change:
                more = self.options.after
                before = sum(old.log_probabilities[was : was + count + more])
                yield change, before - sum(new.log_probabilities[at : at + len(tokens) + more])
            at, was = at + len(tokens), was + count

    def _drafts(self, row: Row, pieces: Pieces, lists: Sequence[HotwordList], memory: Memory, is_whole: bool) -> Iterator[Draft]:
        """What is worth trying: the likeliest changes, then others in the place of these."""
        words, starts = [text for text, _ in pieces], firsts(pieces)
        costs = [-sum(row.log_probabilities[start:stop]) for start, stop in pairwise(starts)]
        near = [_losses_near(row, start) for start in starts[:-1]]
        scored, least, early = list[tuple[float, Change]](), self._least(lists), 0.0 if is_whole else self.options.early
        for likely in (each for hotwords in lists for each in self._doubted(hotwords, words, costs, near)):
            for change in self._each_change(likely, words, memory):
                score = likely.alike - self.options.nat * near[likely.start].get(change.tokens[0], inf)
                if score >= least + early / likely.hotword.weight:
                    scored.append((-score, change))
        right = {i for hotwords in lists for i in self._indices(hotwords).right(words)} if scored else set()
        scored = [(score, change) for score, change in scored if not right & set(range(change.start, change.stop))]
        layers = [chosen for chosen in self._layers(scored, self.options.layers if is_whole else 1) if chosen]
        since = 0 if row.is_stale else min((starts[change.start] for chosen in layers for change in chosen), default=0)
        return (Draft(row, pieces, chosen, memory, since) for chosen in layers)

    def _least(self, lists: Sequence[HotwordList]) -> float:
        return self.options.least + self.options.nat * max(0.0, rarity(lists, self.options.among))

    def _layers(self, scored: list[tuple[float, Change]], count: int) -> Iterator[list[Change]]:
        for _ in range(count):
            chosen = _best(scored)[: self.options.most]
            scored = [(score, change) for score, change in scored if change not in chosen]
            yield chosen

    def _doubted(
        self, hotwords: HotwordList, words: Sequence[str], costs: Sequence[float], near: Sequence[Collection[int]]
    ) -> Iterator[Likely]:
        """What was written without doubt was heard so, but for phrases that weigh more."""

        def least(weight: float) -> float:
            return self.options.doubt * max(0.0, 2.0 - weight)

        index = self._indices(hotwords)
        for likely in index.begun(words, costs, least(index.heaviest), near):
            if sum(costs[likely.start : likely.stop]) >= least(likely.hotword.weight):
                yield likely

    def _each_change(self, likely: Likely, words: Sequence[str], memory: Memory) -> Iterator[Change]:
        """With the space that is there, or with one: among Chinese, Latin words often have one."""
        first, last = _edges(words[likely.start]), _edges(words[likely.stop - 1])
        run = "".join(words[likely.start : likely.stop])
        key = (run, likely.said)
        if key in memory.tried or not (first and last):
            return
        low, high = self.options.loss
        loss = likely.hotword.weight * (low + min(1.0, max(0.0, (likely.alike - 70.0) / 20.0)) * (high - low))
        for space in dict.fromkeys((first[1], " ")):
            yield Change(likely.start, likely.stop, self.encode(space + likely.said + last[3]), loss, key)


def _losses_near(row: Row, position: int) -> dict[int, float]:
    """By how much each token that is near is less likely than the likeliest one."""
    near = row.near[position] if position < len(row.near) else ()
    return {token: near[0][1] - p for token, p in near}


def _best(scored: Sequence[tuple[float, Change]]) -> list[Change]:
    """Those with the lowest numbers that do not overlap."""
    chosen, taken = list[Change](), set[int]()
    for _, change in sorted(scored, key=lambda each: each[0]):
        span = set(range(change.start, change.stop))
        if not span & taken:
            chosen.append(change)
            taken |= span
    return chosen


def rarity(lists: Iterable[HotwordList], among: int) -> float:
    """Nats by which one of all these phrases is less likely to be said than one of `among`."""
    return log(max(1, sum(map(len, lists))) / among)


def firsts(pieces: Pieces) -> list[int]:
    """The position of each word's first token, and where the next one's would be."""
    return list(accumulate((len(tokens) for _, tokens in pieces), initial=0))


def places_of(phrases: Iterable[tuple[int, ...]], draft: Sequence[int]) -> frozenset[int]:
    """Positions in the draft of all tokens of these phrases."""
    found = set[int]()
    for phrase in phrases:
        for at in range(len(draft) - len(phrase) + 1):
            if tuple(draft[at : at + len(phrase)]) == phrase:
                found |= set(range(at, at + len(phrase)))
    return frozenset(found)


@lru_cache(4096)
def _edges(word: str) -> re.Match[str] | None:
    """Space and marks before a word, its letters, marks after it."""
    return re.fullmatch(r"(\s*)([^\W_].*?)([^\w]*)", word, re.DOTALL)
