"""Successive hypotheses → a stable prefix that only grows, and an unstable rest.

LocalAgreement (Macháček et al. 2023), and the words must lie some way before the end of the audio: what comes last may
still be completed by what is said next.
"""

from __future__ import annotations

from dataclasses import dataclass

from model.interfaces import Hypothesis, SampleIndex, Word
from streaming.timeline import samples

STABLE_MARGIN_MS = 800


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

    def __init__(self, margin_ms: int = STABLE_MARGIN_MS) -> None:
        self._margin = samples(margin_ms)
        self._rolled: tuple[Word, ...] = ()
        self._stable: tuple[Word, ...] = ()
        self._previous: tuple[Word, ...] = ()
        self.latest = Transcript((), ())

    @property
    def window(self) -> tuple[Word, ...]:
        """Stable words of the present window."""
        return self._stable

    def update(self, hypothesis: Hypothesis) -> Transcript:
        """Take a newer hypothesis."""
        words = self._defended(hypothesis.words)
        if not hypothesis.is_cut:
            self._stable = words[: self._agreed(words, hypothesis.audio_end)]
            self._previous = words
        self.latest = Transcript(self._rolled + self._stable, words[len(self._stable) :])
        return self.latest

    def roll(self, committed: tuple[Word, ...]) -> Transcript:
        """The window moves past `committed`, the first words of it: they are stable for good."""
        count = len(committed)
        rest = self.latest.words[len(self._rolled) + count :]
        self._rolled += committed
        self._stable = self._stable[count:]
        self._previous = self._previous[count:]
        self.latest = Transcript(self._rolled + self._stable, rest[len(self._stable) :])
        return self.latest

    def drop_unstable(self) -> None:
        """Nothing better will come: what is stable is all there is."""
        self.latest = Transcript(self.latest.stable, ())

    def _defended(self, words: tuple[Word, ...]) -> tuple[Word, ...]:
        """A hypothesis that does not start with the stable words gives only what comes after them."""
        count = len(self._stable)
        if words[:count] == self._stable:
            return words
        after: SampleIndex = self._stable[-1].end
        return self._stable + tuple(word for word in words if word.start >= after)

    def _agreed(self, words: tuple[Word, ...], audio_end: SampleIndex) -> int:
        """How many words both hypotheses have, each followed by another one and far enough from the end."""
        count = len(self._stable)
        both = zip(words[count:-1], self._previous[count:-1], strict=False)
        for word, before in both:
            if word.text != before.text or word.end > audio_end - self._margin:
                break
            count += 1
        return count
