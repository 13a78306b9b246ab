"""Frames and speech decisions → utterances, with pre-roll."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from model.interfaces import SampleIndex, Samples
from streaming.audio.framer import FRAME_MS, AudioFrame
from streaming.commands import EndpointingConfig
from streaming.endpointing import endpoint, rules
from streaming.vad import SpeechDetector

_LEAST_PRE_ROLL_MS = 120  # what a detector may need to notice a voice


@dataclass(frozen=True, slots=True, eq=False)
class Began:
    """An utterance begins at `start`, with the audio that led to it; its speech so far ends at `voiced_end`."""

    start: SampleIndex
    samples: Samples
    voiced_end: SampleIndex


@dataclass(frozen=True, slots=True, eq=False)
class Went:
    """The utterance goes on with one frame; `silence_ms` since its last voiced frame, which ended at `voiced_end`."""

    samples: Samples
    silence_ms: int
    voiced_end: SampleIndex


@dataclass(frozen=True, slots=True)
class Ended:
    """The utterance ends; samples from `at` on are not in it."""

    at: SampleIndex
    reason: str


Segment: TypeAlias = Began | Went | Ended


class Segmenter:
    """Every frame is in exactly one utterance or in silence."""

    def __init__(self, config: EndpointingConfig, detector: SpeechDetector) -> None:
        self._detector = detector
        self._waiting: deque[AudioFrame] = deque()
        self.configure(config)
        self._open = False
        self.position: SampleIndex = 0  # end of the latest frame
        self._start: SampleIndex = 0
        self._voiced_end: SampleIndex = 0
        self._voiced_frames = 0

    def configure(self, config: EndpointingConfig) -> None:
        """These rules from now on."""
        self._rules = rules(config)
        self._detector.threshold = config.threshold
        self._waiting = deque(self._waiting, max(_LEAST_PRE_ROLL_MS, config.pre_roll_ms) // FRAME_MS)

    def process(self, frame: AudioFrame) -> list[Segment]:
        """What this frame brings about."""
        self.position = frame.end
        decision = self._detector.process(frame)
        if self._open:
            return self._go_on(frame, is_voiced=decision.is_voiced)
        self._waiting.append(frame)
        return [self._begin(frame.end)] if decision.is_onset else []

    def end(self, reason: str) -> list[Segment]:
        """End the open utterance, if there is one, after its latest frame, whatever the rules say."""
        if not self._open:
            return []
        self._open = False
        self._waiting.clear()
        return [Ended(self.position, reason)]

    def _begin(self, voiced_end: SampleIndex) -> Began:
        self._start = self._waiting[0].start
        samples = np.concatenate([frame.samples for frame in self._waiting])
        self._waiting.clear()
        self._open, self._voiced_end, self._voiced_frames = True, voiced_end, 3
        return Began(self._start, samples, voiced_end)

    def _go_on(self, frame: AudioFrame, *, is_voiced: bool) -> list[Segment]:
        if is_voiced:
            self._voiced_end = frame.end
            self._voiced_frames += 1
        silence_ms = (frame.end - self._voiced_end) * FRAME_MS // len(frame.samples)
        went = Went(frame.samples, silence_ms, self._voiced_end)
        reason = endpoint(
            self._rules,
            voiced_ms=self._voiced_frames * FRAME_MS,
            trailing_silence_ms=silence_ms,
            length_ms=(frame.end - self._start) * FRAME_MS // len(frame.samples),
        )
        if reason is None:
            return [went]
        ended: list[Segment] = [went, *self.end(reason)]
        return [*ended, self._continue(frame.end)] if reason == "too_long" and not silence_ms else ended

    def _continue(self, at: SampleIndex) -> Began:
        """Speech was cut: the next utterance starts right there."""
        self._open, self._start, self._voiced_end, self._voiced_frames = True, at, at, 3
        return Began(at, np.zeros(0, np.float32), at)
