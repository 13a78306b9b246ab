"""Any rate → 16 kHz."""

from __future__ import annotations

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.audio.resample import Resampler
from tests.helpers import voice

RATES = [8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000]


def resampled(x: np.ndarray, rate: int, sizes: list[int]) -> np.ndarray:
    resampler, parts, at = Resampler(rate), [], 0
    for size in [*sizes, len(x)]:
        parts.append(resampler.process(x[at : at + size]))
        at += size
    return np.concatenate([*parts, resampler.flush()])


@given(st.sampled_from(RATES), st.lists(st.integers(0, 3_000), max_size=20))
@settings(max_examples=30, deadline=None)
def test_cuts_do_not_matter_to_the_bit(rate, sizes):
    x = voice(0.3, rate=rate)
    assert np.array_equal(resampled(x, rate, sizes), resampled(x, rate, []))


@pytest.mark.parametrize("rate", RATES)
def test_a_stream_is_what_the_whole_would_be(rate):
    x = voice(0.5, rate=rate)
    stream, whole = resampled(x, rate, [480] * 60), soxr.resample(x, rate, 16_000)
    assert abs(len(stream) - 8_000) <= 1
    count = min(len(stream), len(whole))
    assert np.abs(stream[:count] - whole[:count]).max() < 2e-3


def test_16_khz_is_left_alone():
    x = voice(0.1)
    assert np.array_equal(resampled(x, 16_000, [1, 2, 3]), x)


def test_a_tone_keeps_its_pitch():
    tone = np.sin(2 * np.pi * 1_000 * np.arange(44_100) / 44_100).astype(np.float32)
    spectrum = np.abs(np.fft.rfft(resampled(tone, 44_100, [1_000] * 44)))
    assert abs(int(spectrum.argmax()) - 1_000) <= 1
