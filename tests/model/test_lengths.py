from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.lengths import FFT_SAMPLES, FRAME_SAMPLES, FRAMES_PER_SECOND, HOP_SAMPLES, WINDOW_FRAMES, covering_frames, whole_frames

WINDOW_SAMPLES = 480_000


def test_rates_are_those_of_whispers_front_end():
    assert (HOP_SAMPLES, FFT_SAMPLES, FRAMES_PER_SECOND) == (160, 400, 50)
    assert WINDOW_FRAMES * FRAME_SAMPLES == WINDOW_SAMPLES


@pytest.mark.parametrize(("samples", "whole", "covering"), [(0, 0, 0), (1, 0, 1), (319, 0, 1), (320, 1, 1), (321, 1, 2)])
def test_at_the_edges_of_a_frame(samples, whole, covering):
    assert (whole_frames(samples), covering_frames(samples)) == (whole, covering)


@given(st.integers(0, WINDOW_SAMPLES))
def test_whole_frames_lie_within_and_covering_ones_around(samples):
    assert whole_frames(samples) * FRAME_SAMPLES <= samples <= covering_frames(samples) * FRAME_SAMPLES
    assert covering_frames(samples) - whole_frames(samples) == (samples % FRAME_SAMPLES > 0)


@given(st.integers(WINDOW_SAMPLES, 10 * WINDOW_SAMPLES))
def test_never_more_frames_than_the_window_has_positions(samples):
    assert covering_frames(samples) == WINDOW_FRAMES
