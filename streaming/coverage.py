"""Speech that has no words.

A recogniser that has settled on a language often leaves out what is said in another one, as if nothing had been said. The
speech detector knows better: where it heard a voice and there is no word, the audio is given to the recogniser once more, alone.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from model.interfaces import SampleIndex, Word
from streaming.audio.framer import FRAME_SAMPLES
from streaming.segmenter import Began, Went
from streaming.timeline import samples

_WORD_MS = 1_000  # of a longer one only the end is believed: it has been stretched over what has no words
_ONSET_FRAMES = 3  # that are voiced when an utterance begins


@dataclass(frozen=True, slots=True)
class Gap:
    """Voiced audio without words, before words[index]."""

    index: int
    start: SampleIndex
    end: SampleIndex


class Coverage:
    """Of one utterance."""

    def __init__(self, began: Began) -> None:
        onset = range(_ONSET_FRAMES - 1, -1, -1)
        self._voiced: list[SampleIndex] = [began.voiced_end - number * FRAME_SAMPLES for number in onset]  # ends of frames

    def hear(self, went: Went) -> None:
        """One more frame."""
        if not went.silence_ms:
            self._voiced.append(went.voiced_end)

    def voiced_ms(self, start: SampleIndex, end: SampleIndex) -> int:
        """How much of a stretch is voiced."""
        frames = bisect_right(self._voiced, end) - bisect_right(self._voiced, start)
        return frames * FRAME_SAMPLES * 1000 // samples(1000)

    def gap(self, words: Sequence[Word], start: SampleIndex, end: SampleIndex, least_ms: int, least_after_ms: int) -> Gap | None:
        """The first stretch from `start` to `end` with so much voice and no words, as long as possible.

        Other limits hold before and between words, and after the last one.
        """
        found, position = None, start
        for index, word in enumerate(words):
            begin = max(word.start, word.end - samples(_WORD_MS))
            if self.voiced_ms(position, begin) >= least_ms:
                found = Gap(found.index if found else index, found.start if found else position, begin)
            elif found:
                return found
            position = max(position, word.end)
        return found or self._after(len(words), position, end, least_after_ms)

    def _after(self, index: int, position: SampleIndex, end: SampleIndex, least_ms: int) -> Gap | None:
        return Gap(index, position, end) if self.voiced_ms(position, end) >= least_ms else None
