"""Samples → mel frames → encoder frames: each formula once. Rates are those of Whisper's front end (16 kHz, 10 ms hop)."""

from __future__ import annotations

from model.interfaces import SAMPLE_RATE

HOP_SAMPLES = 160  # one mel frame: 10 ms
FFT_SAMPLES = 400  # 25 ms around the frame's centre
FRAME_SAMPLES = 320  # one encoder frame: the stem halves the mel frames
FRAMES_PER_SECOND = SAMPLE_RATE // FRAME_SAMPLES
WINDOW_FRAMES = 1500  # 30 s, the positions the encoder knows


def whole_frames(samples: int) -> int:
    """Encoder frames that lie completely within `samples`."""
    return samples // FRAME_SAMPLES


def covering_frames(samples: int) -> int:
    """Encoder frames needed to cover `samples`, at most the window."""
    return min(WINDOW_FRAMES, -(-samples // FRAME_SAMPLES))
