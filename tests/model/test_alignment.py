from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.alignment import _median, first_frames, token_frames


def cheapest(cost: np.ndarray) -> float:
    """Dynamic time warping as in the textbook: down, right, or both."""
    total = np.full((cost.shape[0] + 1, cost.shape[1] + 1), np.inf)
    total[0, 0] = 0
    for i, row in enumerate(cost, 1):
        for j, c in enumerate(row, 1):
            total[i, j] = c + min(total[i - 1, j - 1], total[i - 1, j], total[i, j - 1])
    return float(total[-1, -1])


def along(cost: np.ndarray, starts: np.ndarray) -> float:
    """What the cheapest path costs that enters each row at the given column."""
    total, ends = 0.0, [*starts[1:], cost.shape[1] - 1]
    for i, (start, next_start) in enumerate(zip(starts, ends, strict=True)):
        stays = [cost[i, start : end + 1].sum() for end in (next_start - 1, next_start) if end >= start]
        total += cost[i, start:].sum() if i == len(starts) - 1 else min(stays)
    return total


@settings(deadline=None)
@given(st.data())
def test_the_path_is_a_cheapest_one(data):
    tokens, frames = data.draw(st.integers(1, 7)), data.draw(st.integers(1, 12))
    cells = st.lists(st.integers(-5, 5), min_size=tokens * frames, max_size=tokens * frames)
    cost = np.array(data.draw(cells), np.float32).reshape(tokens, frames)
    starts = first_frames(cost)
    assert starts[0] == 0
    assert np.all(np.diff(starts) >= 0) and starts[-1] < frames
    assert along(cost, starts) == pytest.approx(cheapest(cost))


@settings(deadline=None)
@given(st.lists(st.integers(8, 40), min_size=1, max_size=12))
def test_a_planted_path_is_found(durations):
    edges = np.concatenate([[0], np.cumsum(durations)])
    cost = np.zeros((len(durations), edges[-1]), np.float32)
    for i, (start, end) in enumerate(zip(edges, edges[1:], strict=False)):
        cost[i, start:end] = -1
    assert first_frames(cost).tolist() == edges[:-1].tolist()


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(12, 40), min_size=2, max_size=10), st.integers(0, 99))
def test_attention_that_follows_the_audio_gives_the_times(durations, seed):
    """Three heads that look at each token's frames, with noise in the scores."""
    edges = np.concatenate([[0], np.cumsum(durations)])
    scores = torch.randn(3, len(durations), int(edges[-1]), generator=torch.Generator().manual_seed(seed))
    for i, (start, end) in enumerate(zip(edges, edges[1:], strict=False)):
        scores[:, i, start:end] += 7
    assert np.abs(token_frames(scores) - edges[:-1]).max() <= 3


def test_more_tokens_than_frames_still_get_frames():
    starts = first_frames(np.zeros((9, 3), np.float32))
    assert starts.tolist() == sorted(starts) and set(starts) <= {0, 1, 2}


@pytest.mark.parametrize("shape", [(2, 1, 0), (2, 5, 0), (2, 5, 1), (2, 1, 30), (2, 4, 2), (2, 4, 3), (2, 4, 4), (2, 4, 6)])
def test_few_tokens_and_few_frames(shape):
    starts = token_frames(torch.zeros(shape))
    assert starts.shape == (shape[1],)
    assert np.all((starts >= 0) & (starts <= max(0, shape[2] - 1)))


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(0, 99))
def test_the_running_median_is_the_median_of_seven(frames, seed):
    x = torch.randn(3, frames, generator=torch.Generator().manual_seed(seed)).round(decimals=1)  # some values are equal
    if frames <= 3:
        assert torch.equal(_median(x), x)
        return
    sevens = torch.nn.functional.pad(x, (3, 3), mode="reflect").unfold(-1, 7, 1)
    assert torch.equal(_median(x), sevens.median(-1).values)
