"""Samples and seconds."""

from hypothesis import given
from hypothesis import strategies as st

from streaming.timeline import samples, seconds


@given(st.integers(0, 10**9))
def test_whole_milliseconds_come_back(ms):
    assert round(seconds(samples(ms)) * 1000) == ms


def test_units():
    assert samples(20) == 320
    assert seconds(16_001) == 1.0
    assert seconds(24_000) == 1.5
