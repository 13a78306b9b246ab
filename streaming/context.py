"""What was heard just before an utterance.

Whisper is at its best with whole sentences. A pause ends an utterance, so that its final is out early, but it should not end
what the model can refer to: the next utterance's window starts with the last seconds before it, their words given.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from model.interfaces import SampleIndex, Samples, Word
from streaming.audio.framer import AudioFrame
from streaming.timeline import samples


@dataclass(frozen=True, slots=True, eq=False)
class Context:
    """Audio float32[n] from `start`, and the words said in it."""

    start: SampleIndex
    samples: Samples
    words: tuple[Word, ...] = ()


class RecentPast:
    """The last seconds of a session."""

    def __init__(self, length_ms: int, gap_ms: int) -> None:
        self._length, self._gap = samples(length_ms), samples(gap_ms)
        self._frames: deque[AudioFrame] = deque(maxlen=max(1, -(-length_ms // 20)))
        self._words: deque[Word] = deque(maxlen=max(1, length_ms // 100))

    def hear(self, frame: AudioFrame) -> None:
        """Every frame, in order."""
        self._frames.append(frame)

    def note(self, words: tuple[Word, ...]) -> None:
        """The words of an utterance as the recogniser has them, in order."""
        self._words.extend(words)

    def audio_before(self, start: SampleIndex) -> Context:
        """What is kept of the audio before `start`; its words are known later."""
        frames = [frame for frame in self._frames if frame.end <= start]
        audio = np.concatenate([f.samples for f in frames]) if frames else np.zeros(0, np.float32)
        return Context(start - len(audio), audio)

    def with_words(self, heard: Context) -> Context:
        """The part of the audio that starts between two words and whose words are all known; empty after a long pause."""
        end = heard.start + len(heard.samples)
        words = [w for w in self._words if w.end <= end]
        inside = [w for w in words if w.start >= heard.start]
        if not self._length or not inside or end - inside[-1].end > self._gap:
            return Context(end, heard.samples[:0])
        before = [w.end for w in words if w.end <= inside[0].start and w is not inside[0]]
        start = max(heard.start, (before[-1] + inside[0].start) // 2 if before else heard.start)
        return Context(start, heard.samples[start - heard.start :], tuple(inside))
