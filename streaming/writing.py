"""From what a recogniser says to what is shown: the words that will not change stay as they were written once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from model.interfaces import Word
from streaming.spelling import NO_HOTWORDS, Written
from streaming.stabiliser import Transcript


class Stage(Protocol):
    """Writes words in another way."""

    withholds: bool  # words that may still change must not be shown

    def write(self, words: Sequence[Word], before: str, *, is_end: bool) -> list[Written]:
        """All words, in order; `before` is the word written before them. `is_end`: nothing follows."""


class Writer:
    """One utterance's words, stage by stage. Stable is what no later word can change: the rest is written anew each time."""

    def __init__(self, speller: Stage = NO_HOTWORDS, style: Sequence[Stage] = ()) -> None:
        self._passes = [_Pass(stage) for stage in (speller, *style)]

    def spell(self, speller: Stage) -> None:
        """With other hotwords from now on."""
        self._passes[0].stage = speller

    def write(self, transcript: Transcript) -> Transcript:
        """Of an utterance that goes on."""
        for each in self._passes:
            transcript = each.write(transcript)
        return transcript

    def write_all(self, words: tuple[Word, ...]) -> tuple[Word, ...]:
        """Of one that has ended."""
        for each in self._passes:
            words = each.write_all(words)
        return words


class _Pass:
    """One stage, and what it has written for good."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self._done: tuple[Word, ...] = ()
        self._count = 0  # words before the stage that these stand for

    def write(self, transcript: Transcript) -> Transcript:
        for written in self._written(transcript.stable, is_end=False):
            if written.is_open:
                break
            self._done += written.words
            self._count += written.size
        rest = self._written(transcript.words, is_end=not self.stage.withholds)
        shown = [word for written in rest if not written.is_open for word in written.words]
        return Transcript(self._done, tuple(shown))

    def write_all(self, words: tuple[Word, ...]) -> tuple[Word, ...]:
        return self._done + tuple(word for written in self._written(words, is_end=True) for word in written.words)

    def _written(self, words: tuple[Word, ...], *, is_end: bool) -> list[Written]:
        before = self._done[-1].text if self._done else ""
        return self.stage.write(words[self._count :], before, is_end=is_end)
