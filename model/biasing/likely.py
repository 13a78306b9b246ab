"""Where a text may hold phrases, misheard: runs of its words that sound like one."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

from rapidfuzz import fuzz, process

from model.biasing.sound import sound, sounds
from model.biasing.trie import Encode
from model.interfaces import Hotword

_MOST_WORDS = 5  # of a run
_LEAST = {1: 101.0, 2: 100.0, 3: 80.0, 4: 75.0, 5: 72.0}  # per cent alike, by the letters of the sound
_LEAST_LONG = 68.0


class Likely(NamedTuple):
    """A phrase that a run of words sounds like."""

    start: int  # the run's first word
    stop: int  # the word after it
    said: str  # the phrase as it is written, or what it sounds like: whichever is more alike
    alike: float  # per cent
    hotword: Hotword


def _runs(words: Sequence[str]) -> Iterator[tuple[int, int]]:
    for start in range(len(words)):
        yield from ((start, stop) for stop in range(start + 1, min(start + _MOST_WORDS, len(words)) + 1))


@lru_cache(65_536)
def letters(text: str) -> str:
    """Of a text, in small ones, without marks and spaces."""
    return re.sub(r"[\W_]+", "", text).lower()


class SoundIndex:
    """The phrases of a list by their sound, and by the tokens that they may begin with."""

    def __init__(self, hotwords: Iterable[Hotword], encode: Encode) -> None:
        pairs = [(key, said, word) for word in hotwords for said in word.traces for key in sounds(said)]
        self._sounds, self._said = [key for key, _, _ in pairs], [(said, word) for _, said, word in pairs]
        self._begun = dict[int, list[int]]()
        for index, (said, _) in enumerate(self._said):
            for token in {encode(said)[0], encode(" " + said)[0]}:
                self._begun.setdefault(token, []).append(index)
        self._like = lru_cache(4096)(lambda run: tuple(self._alike(run, self._sounds)))
        self._letters = frozenset(letters(said) for said, _ in self._said)
        self.heaviest = max((word.weight for _, word in self._said), default=0.0)

    def likely(self, words: Sequence[str]) -> Iterator[Likely]:
        """For all runs of some words."""
        for start, stop in _runs(words):
            yield from (Likely(start, stop, *each) for each in self._like("".join(words[start:stop])))

    def begun(
        self, words: Sequence[str], costs: Sequence[float], least: float, near: Sequence[Collection[int]]
    ) -> Iterator[Likely]:
        """For runs that cost at least so much together: phrases that begin with one of the tokens near at the first word."""
        if sum(costs) < least:
            return
        for start, own in groupby(_runs(words), key=lambda run: run[0]):
            runs = [(start, stop) for _, stop in own if sum(costs[start:stop]) >= least]
            among = {index: self._sounds[index] for token in near[start] for index in self._begun.get(token, ())} if runs else {}
            for start, stop in runs if among else ():
                yield from (Likely(start, stop, *each) for each in self._alike("".join(words[start:stop]), among))

    def right(self, words: Sequence[str]) -> set[int]:
        """Words that are phrases as they stand, letter by letter."""
        found = (run for run in _runs(words) if letters("".join(words[slice(*run)])) in self._letters)
        return {index for run in found for index in range(*run)}

    def _alike(self, run: str, among: Sequence[str] | Mapping[int, str]) -> Iterator[tuple[str, float, Hotword]]:
        found: dict[tuple[str, Hotword], float] = {}
        for key in {sound(run), sound(run, is_spelled=False)}:
            for other, alike, index in process.extract_iter(key, among, scorer=fuzz.ratio, score_cutoff=_LEAST_LONG):
                if alike >= _LEAST.get(len(other), _LEAST_LONG):
                    phrase = self._said[index]
                    found[phrase] = max(alike, found.get(phrase, 0.0))
        return ((said, alike, word) for (said, word), alike in found.items())
