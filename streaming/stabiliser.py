"""Successive hypotheses → a stable prefix that only grows, and an unstable rest.

LocalAgreement (Macháček et al. 2023) of two hypotheses or more, and the words must lie some way before the end of the
audio: what comes last may still be completed by what is said next. How much of each is a matter of pace.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from itertools import takewhile

from model.interfaces import Hypothesis, SampleIndex, Word
from streaming.pace import Pace
from streaming.text.spacing import HAN, KANA
from streaming.timeline import samples

_CHARACTER = re.compile(rf"[\u0e00-\u0eff\u1000-\u109f{KANA}{HAN}]")
_OF_A_WORD = 0.77  # that a character is: to be as sure of a whole word, each of its characters must be surer


@dataclass(frozen=True, slots=True)
class Transcript:
    """Of one utterance: words that will not change, and words that may."""

    stable: tuple[Word, ...]
    unstable: tuple[Word, ...]

    @property
    def words(self) -> tuple[Word, ...]:
        """All of them."""
        return self.stable + self.unstable


class Stabiliser:
    """One utterance's words, across rolls of its window."""

    def __init__(self, given: tuple[Word, ...] = (), pace: Pace = Pace()) -> None:
        """`given` are words of earlier utterances at the start of the window; they are stable and not told again."""
        self._margin, self._pace = samples(pace.margin_ms), pace
        self._given = len(given)
        self._rolled: tuple[Word, ...] = ()
        self._stable = given
        self._settled = len(given)  # words of the present window, the stable ones and those that come next to being so
        self._words = given  # of the present window, in the latest hypothesis
        self._previous = deque([given] * (pace.agreement - 1), pace.agreement - 1)  # in the latest ones that no guard has cut

    @property
    def window(self) -> tuple[Word, ...]:
        """Stable words of the present window."""
        return self._stable

    @property
    def settled(self) -> tuple[Word, ...]:
        """Those, and the words after them that only lack the confidence to be told as stable."""
        return self._words[: self._settled]

    @property
    def rolled_end(self) -> SampleIndex:
        """Where the words before the present window end."""
        return self._rolled[-1].end if self._rolled else 0

    @property
    def in_window(self) -> tuple[Word, ...]:
        """All words of the present window."""
        return self._words

    @property
    def latest(self) -> Transcript:
        """The utterance as it stands."""
        return Transcript((self._rolled + self._stable)[self._given :], self._words[len(self._stable) :])

    def update(self, hypothesis: Hypothesis) -> Transcript:
        """Take a newer hypothesis."""
        before, words = self.settled, self._defended(hypothesis.words)
        self._words, self._settled = words, len(self._stable)
        if not hypothesis.is_cut:
            self._settled = self._agreed(words, hypothesis.audio_end, _same(before, words))
            if not hypothesis.is_doubted:
                self._stable = words[: self._sure(words)]
            self._previous.append(words)
        return self.latest

    def roll(self, committed: tuple[Word, ...]) -> Transcript:
        """The window moves past `committed`, the first words of it: they are stable for good."""
        count = len(committed)
        self._rolled += committed
        self._stable, self._words = self._stable[count:], self._words[count:]
        self._settled = max(0, self._settled - count)
        self._previous.extend([words[count:] for words in self._previous])
        return self.latest

    def keep(self, words: tuple[Word, ...]) -> Transcript:
        """The window starts anew behind `words`, the first of it: they are stable for good, the others are dropped."""
        self._rolled += words
        self._stable = self._words = ()
        self._settled = 0
        self._previous.extend([()] * len(self._previous))
        return self.latest

    def drop_unstable(self) -> None:
        """Nothing better will come: what is stable is all there is."""
        self._words = self._stable

    def _defended(self, words: tuple[Word, ...]) -> tuple[Word, ...]:
        """A hypothesis that does not start with the stable words gives only what comes after them."""
        count = len(self._stable)
        if words[:count] == self._stable:
            return words
        after: SampleIndex = self._stable[-1].end
        return self._stable + tuple(word for word in words if word.start >= after)

    def _sure(self, words: tuple[Word, ...]) -> int:
        """How many of the settled words may be told as stable."""
        least = self._pace.least_confidence + self._pace.more_confidence
        return next((i for i in range(len(self._stable), self._settled) if not _is_sure(words[i], least)), self._settled)

    def _agreed(self, words: tuple[Word, ...], audio_end: SampleIndex, count: int) -> int:
        """These first words, and as many more as all hypotheses have, each followed by another one and far enough from the end."""
        for word, *before in zip(words[count:-1], *(each[count:-1] for each in self._previous), strict=False):
            is_agreed = all(each.text == word.text for each in before)
            if not (is_agreed and _is_sure(word, self._pace.least_confidence)) or word.end > audio_end - self._margin:
                break
            count += 1
        return count


def _same(before: tuple[Word, ...], words: tuple[Word, ...]) -> int:
    """How many of the first words have stayed."""
    return sum(1 for _ in takewhile(lambda pair: pair[0].text == pair[1].text, zip(before, words, strict=False)))


def _is_sure(word: Word, least: float) -> bool:
    """`least`: confidence, of a whole word."""
    return word.confidence >= (least**_OF_A_WORD if _CHARACTER.search(word.text) else least)
