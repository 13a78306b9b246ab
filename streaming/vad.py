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

_HIGHEST_FIRST_FLOOR_DB = -55.0  # audio that starts with speech must not count as background
_FALL = 0.5  # of the way, per frame


@dataclass(frozen=True, slots=True)
class VadConfig:
    """Tuned so that no word is lost: noise that passes is rejected by the recogniser."""

    aggressiveness: int = 1  # of webrtcvad, 0 to 3
    certain_margin_db: float = 18.0  # above the noise floor: taken for speech whatever webrtcvad says
    onset_margin_db: float = 7.0  # above the noise floor, to begin an utterance
    speech_margin_db: float = 4.0  # to go on with it
    floor_rise_db_per_s: float = 3.0
    least_db: float = -82.0  # below this, relative to full scale, nothing is speech
    target_db: float = -24.0  # the loudest frames are brought to this level for webrtcvad, which knows levels as such
    most_gain_db: float = 50.0
    peak_fall_db_per_s: float = 2.0
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

    threshold: float  # 0 to 1, 0.5 the ordinary one: how far speech must stand out; may change at any time

    def process(self, frame: AudioFrame) -> SpeechDecision:
        """Frames must come in order."""


class WebRtcDetector:
    """webrtcvad's classifier on levelled audio, and an energy that stands out from the floor."""

    def __init__(self, config: VadConfig = VadConfig()) -> None:
        self._config = config
        self.threshold = 0.5
        self._vad = webrtcvad.Vad(config.aggressiveness)
        self._floor = _Floor(config.floor_rise_db_per_s)
        self._peak = _Peak(config.peak_fall_db_per_s)
        self._recent: deque[bool] = deque(maxlen=config.onset_frames)

    def process(self, frame: AudioFrame) -> SpeechDecision:
        """A decision for float32[320]."""
        c, level, scale = self._config, decibels(frame.samples), 2 * self.threshold
        above = level - self._floor.follow(level)
        gain_db = min(max(c.target_db - self._peak.follow(level), 0.0), c.most_gain_db)
        likely = level > c.least_db and above > scale * c.speech_margin_db
        classified = self._vad.is_speech(_s16(frame.samples * 10 ** (gain_db / 20)), SAMPLE_RATE)
        voiced = likely and (classified or above > scale * c.certain_margin_db)
        self._recent.append(voiced and above > scale * c.onset_margin_db)
        return SpeechDecision(frame.start, voiced, sum(self._recent) >= c.onset_voiced)


class _Floor:
    """The level of the background: falls fast, rises slowly."""

    def __init__(self, rise_db_per_s: float) -> None:
        self._rise = rise_db_per_s * FRAME_MS / 1000
        self._level: float | None = None

    def follow(self, level: float) -> float:
        """The floor after a frame of this level."""
        if self._level is None:
            self._level = min(level, _HIGHEST_FIRST_FLOOR_DB)
        elif level < self._level:
            self._level += (level - self._level) * _FALL
        else:
            self._level = min(level, self._level + self._rise)
        return self._level


class _Peak:
    """The level of the speech: rises at once, falls slowly."""

    def __init__(self, fall_db_per_s: float) -> None:
        self._fall = fall_db_per_s * FRAME_MS / 1000
        self._level = -60.0

    def follow(self, level: float) -> float:
        """The peak after a frame of this level."""
        self._level = max(level, self._level - self._fall)
        return self._level


def decibels(samples: Samples) -> float:
    """Mean power of float32[n] relative to full scale."""
    return 10 * math.log10(float(np.dot(samples, samples)) / max(1, len(samples)) + 1e-12)


def _s16(samples: Samples) -> bytes:
    return (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()
