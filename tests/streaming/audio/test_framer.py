"""Samples → frames."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streaming.audio.framer import FRAME_SAMPLES, Framer


@given(st.lists(st.integers(0, 1_000), max_size=10))
def test_frames_number_every_sample_once(sizes):
    x = np.arange(sum(sizes), dtype=np.float32)
    framer, frames, at = Framer(), [], 0
    for size in sizes:
        frames += framer.process(x[at : at + size])
        at += size
        assert framer.position == at
    whole = len(frames) * FRAME_SAMPLES
    assert 0 <= len(x) - whole < FRAME_SAMPLES
    frames += framer.flush()
    assert [frame.start for frame in frames] == list(range(0, len(frames) * FRAME_SAMPLES, FRAME_SAMPLES))
    heard = np.concatenate([frame.samples for frame in frames] or [x])
    assert np.array_equal(heard[: len(x)], x)
    assert not heard[len(x) :].any(), "filled up with silence"


def test_nothing_to_flush():
    framer = Framer()
    list(framer.process(np.zeros(FRAME_SAMPLES, np.float32)))
    assert list(framer.flush()) == []
