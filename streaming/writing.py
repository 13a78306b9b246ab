"""From what a recogniser says to what is shown: the words that will not change stay as they were written once."""

from __future__ import annotations

from model.interfaces import Word
from streaming.spelling import Speller
from streaming.stabiliser import Transcript


class Writer:
    """One utterance's words. Stable is what no later word can change: the rest is written anew each time."""

    def __init__(self, speller: Speller) -> None:
        self.speller = speller
        self._done: tuple[Word, ...] = ()
        self._count = 0  # words of the recogniser that these stand for

    def write(self, transcript: Transcript) -> Transcript:
        """Of an utterance that goes on."""
        for written in self.speller.write(transcript.stable[self._count :], is_end=False):
            if written.is_open:
                break
            self._done += written.words
            self._count += written.size
        return Transcript(self._done, self._rest(transcript.words))

    def write_all(self, words: tuple[Word, ...]) -> tuple[Word, ...]:
        """Of one that has ended."""
        return self._done + self._rest(words)

    def _rest(self, words: tuple[Word, ...]) -> tuple[Word, ...]:
        return tuple(word for written in self.speller.write(words[self._count :], is_end=True) for word in written.words)
