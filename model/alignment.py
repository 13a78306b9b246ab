"""Word times from cross-attention: dynamic time warping over the heads that follow the audio.

Method of openai/whisper (word timestamps): attention of the alignment heads, standardised over the tokens, smoothed by a
median, averaged over the heads; the cheapest monotone path gives each token its frames.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_MEDIAN_FRAMES = 7
_EXCHANGES = (*((0, 5), (0, 3), (1, 6), (2, 4), (0, 1), (3, 5), (2, 6)), *((2, 3), (3, 6), (4, 5), (1, 4), (1, 3), (3, 4)))


def token_frames(scores: Tensor, *, is_smoothed: bool = True) -> NDArray[np.int64]:
    """Scores float32[heads, tokens, frames] before softmax -> the first frame of each token, int64[tokens].

    Frames of 20 ms are smoothed; longer ones need not be.
    """
    if scores.shape[2] == 0:
        return np.zeros(scores.shape[1], np.int64)
    return first_frames(-_relevance(scores, is_smoothed).numpy())


def token_starts(scores: Sequence[Tensor], count: int, heard: int) -> list[int]:
    """Where each of so many tokens starts in the frames heard, and where the last one ends; `heard` where that is not known.

    `scores`: float32[heads, tokens, frames] each, one after the other.
    """
    found: list[int] = token_frames(torch.cat([*scores], 1)[:, : count + 1, :heard].cpu()).tolist()
    return found + [heard] * (count + 1 - len(found))


def _relevance(scores: Tensor, is_smoothed: bool) -> Tensor:
    """Head by head: a long text's attention fits a core's cache so, and all heads' together do not."""
    found = torch.zeros(scores.shape[1:])
    for head in scores:
        attention = head.softmax(-1)
        if len(attention) > 1:
            deviation, mean = torch.std_mean(attention, dim=0, keepdim=True, correction=0)
            attention = (attention - mean) / deviation.clamp_min(1e-8)
        found += _median(attention) if is_smoothed else attention
    return found / len(scores)


def _median(x: Tensor) -> Tensor:
    """Running median of seven frames by a network of exchanges (Devillard 1998), tens of times as fast as sorting each seven."""
    half = _MEDIAN_FRAMES // 2
    if x.shape[-1] <= half:
        return x
    padded, frames = torch.nn.functional.pad(x[None], (half, half), mode="reflect")[0], x.shape[-1]
    each = [padded[..., i : i + frames] for i in range(_MEDIAN_FRAMES)]
    for i, j in _EXCHANGES:
        each[i], each[j] = torch.minimum(each[i], each[j]), torch.maximum(each[i], each[j])
    return each[half]


def first_frames(cost: NDArray[np.float32]) -> NDArray[np.int64]:
    """Cheapest monotone path through cost[tokens, frames]; the frame at which it enters each token.

    Within a row the recurrence D[j] = c[j] + min(enter[j], D[j-1]) is a running minimum of enter[k] - C[k-1] plus C[j],
    with C the cumulative cost, so a row is a few vector operations.
    """
    tokens, frames = cost.shape
    total = np.empty((tokens, frames), np.float64)
    entered = np.zeros((tokens, frames), np.int64)  # column at which the best path to (i, j) entered row i
    total[0] = np.cumsum(cost[0])
    for i in range(1, tokens):
        enter = np.minimum(total[i - 1], _shifted(total[i - 1], np.inf))
        running = np.cumsum(cost[i], dtype=np.float64)
        offered = enter - _shifted(running, 0.0)
        best = np.minimum.accumulate(offered)
        entered[i] = np.maximum.accumulate(np.where(offered <= best, np.arange(frames), 0))
        total[i] = running + best
    return _walk_back(total, entered)


def _walk_back(total: NDArray[np.float64], entered: NDArray[np.int64]) -> NDArray[np.int64]:
    """From the last cell; a row is entered from the cheaper of the cell above and the one before that."""
    starts = np.zeros(len(total), np.int64)
    column = total.shape[1] - 1
    for i in range(len(total) - 1, 0, -1):
        starts[i] = column = int(entered[i, column])
        if column and total[i - 1, column - 1] <= total[i - 1, column]:
            column -= 1
    return starts


def _shifted(row: NDArray[np.float64], first: float) -> NDArray[np.float64]:
    return np.concatenate([[first], row[:-1]])
