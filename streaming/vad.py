"""Voice activity: webrtcvad, an adaptive energy floor, and hysteresis."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import webrtcvad

from model.interfaces import SAMPLE_RATE, SampleIndex, Samples
from streaming.audio.framer import FRAME_MS, AudioFrame


@dataclass(frozen=True, slots=True)
class VadConfig:
    """Tuned so that no word is lost: noise that passes is rejected by the recogniser."""

    aggressiveness: int = 2  # of webrtcvad, 0 to 3
    floor_margin_db: float = 5.0  # above the noise floor
    floor_rise_db_per_s: float = 2.0
    least_db: float = -62.0  # below this, relative to full scale, nothing is speech
    onset_frames: int = 6
    onset_voiced: int = 4  # of onset_frames, to begin


@dataclass(frozen=True, slots=True)
class SpeechDecision:
    """About one frame: voiced by itself, and whether enough of the latest frames are to begin an utterance."""

    start: SampleIndex
    is_voiced: bool
    is_onset: bool


class SpeechDetector(Protocol):
    """Says of each 20 ms frame whether it holds speech."""

    def process(self, frame: AudioFrame) -> SpeechDecision:
        """Frames must come in order."""


class WebRtcDetector:
    """webrtcvad's classifier and an energy that stands out from the floor."""

    def __init__(self, config: VadConfig = VadConfig()) -> None:
        self._config = config
        self._vad = webrtcvad.Vad(config.aggressiveness)
        self._floor = _Floor(config.floor_rise_db_per_s)
        self._recent: deque[bool] = deque(maxlen=config.onset_frames)

    def process(self, frame: AudioFrame) -> SpeechDecision:
        """A decision for float32[320]."""
        voiced = self._is_loud(frame.samples) and self._vad.is_speech(_s16(frame.samples), SAMPLE_RATE)
        self._recent.append(voiced)
        return SpeechDecision(frame.start, voiced, sum(self._recent) >= self._config.onset_voiced)

    def _is_loud(self, samples: Samples) -> bool:
        level = decibels(samples)
        floor = self._floor.follow(level)
        return level > max(self._config.least_db, floor + self._config.floor_margin_db)


class _Floor:
    """The level of the background: falls at once, rises slowly."""

    def __init__(self, rise_db_per_s: float) -> None:
        self._rise = rise_db_per_s * FRAME_MS / 1000
        self._level = -50.0

    def follow(self, level: float) -> float:
        self._level = level if level < self._level else min(level, self._level + self._rise)
        return self._level


def decibels(samples: Samples) -> float:
    """Mean power of float32[n] relative to full scale."""
    return 10 * math.log10(float(np.dot(samples, samples)) / max(1, len(samples)) + 1e-12)


def _s16(samples: Samples) -> bytes:
    return (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()
