"""The audio clock: samples at 16 kHz, and their times."""

from __future__ import annotations

from model.interfaces import SAMPLE_RATE, SampleIndex


def seconds(position: SampleIndex) -> float:
    """Samples → seconds, to the millisecond."""
    return round(position / SAMPLE_RATE, 3)


def samples(duration_ms: float) -> int:
    """Milliseconds → whole samples."""
    return round(duration_ms * SAMPLE_RATE / 1000)
