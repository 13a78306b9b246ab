"""Choosing tokens: which are forbidden, which is best, when the decoder has run away, how sure it was."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_LONGEST_LOOP = 16  # tokens of a phrase that may repeat
_SHORT_LOOP_TOKENS = 8  # a phrase of fewer tokens must fill this many to count: "no, no, no" is speech
_REPEATS = 3
_MOST_NEAR = 64
_END_FRAMES, _STUCK_TOKENS = 4, 6
_BACK_FRAMES, _BACK_TOKENS = 75, 8
_MOVING = 4  # different frames among those tokens: looking at one frame all the time is a habit of attention
_ECHO_TOKENS = 6


class GreedyChoice:
    """The best allowed token and its log-probability among the allowed ones."""

    def __init__(
        self, size: int, forbidden: Iterable[int], forbidden_first: Iterable[int], device: torch.device | None = None
    ) -> None:
        self._always = _mask(size, forbidden).to(device)
        self._only_first = _mask(size, forbidden_first).to(device)
        self._has_first = bool(self._only_first.any())

    def __call__(self, logits: Tensor, is_first: Sequence[bool]) -> tuple[list[int], list[float]]:
        """Logits float32[N, V] (overwritten), one flag a row: nothing was said before it. Gives N tokens and log-probabilities."""
        first = torch.tensor(is_first, device=logits.device) if any(is_first) else None
        tokens, log_probabilities = self.best(logits, first)
        return tokens.tolist(), log_probabilities.tolist()

    def best(self, logits: Tensor, is_first: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Logits float32[N, V] (overwritten) -> tokens int64[N] and log-probabilities [N], left on the device.

        `is_first` bool[N]: nothing was said before.
        """
        logits += self._always
        if is_first is not None and self._has_first:
            logits += torch.where(is_first[:, None], self._only_first, 0.0)
        best, tokens = logits.max(1)
        return tokens, best - logits.logsumexp(1)


def given_probabilities(
    logits: Tensor, tokens: Sequence[int], log_probabilities: Sequence[float], following: Sequence[int]
) -> list[float]:
    """Of rows of logits float32[N, V], whose best tokens are known: the log-probability of another token; 0 for token -1."""
    if max(following, default=-1) < 0:
        return [0.0] * len(tokens)
    index = torch.arange(len(tokens))
    losses = (logits[index, torch.tensor(tokens)] - logits[index, torch.tensor(following).clamp(min=0)]).tolist()
    return [p - loss if t >= 0 else 0.0 for p, loss, t in zip(log_probabilities, losses, following, strict=True)]


def near(
    logits: Tensor, tokens: Sequence[int], log_probabilities: Sequence[float], margins: Sequence[float]
) -> list[list[tuple[int, float]]]:
    """Of rows of logits float32[N, V]: the tokens that are less likely than the best by at most the row's margin, sorted."""
    rows = logits.numpy()  # torch takes longer to find a few of so many
    return [_near(*each) if each[3] else [] for each in zip(rows, tokens, log_probabilities, margins, strict=True)]


def _near(logits: NDArray[np.float32], token: int, log_probability: float, margin: float) -> list[tuple[int, float]]:
    if log_probability >= -math.exp(-margin):  # so sure that there is no room for others
        return [(token, log_probability)]
    found = np.flatnonzero(logits >= logits[token] - np.float32(margin))
    losses = logits[token] - logits[found]
    order = np.argsort(losses, kind="stable")[:_MOST_NEAR]
    return [(t, log_probability - loss) for t, loss in zip(found[order].tolist(), losses[order].tolist(), strict=True)]


def probabilities_of(
    logits: Tensor, tokens: Sequence[int], log_probabilities: Sequence[float], wanted: Sequence[NDArray[np.int64] | None]
) -> list[NDArray[np.float32] | None]:
    """Of rows of logits float32[N, V], whose best tokens are known: the log-probabilities of each row's wanted tokens."""
    rows = zip(logits.numpy(), tokens, log_probabilities, wanted, strict=True)
    return [None if own is None else row[own] - (row[token] - np.float32(p)) for row, token, p, own in rows]


def loop_start(tokens: Sequence[int]) -> int | None:
    """Where a phrase that fills the end of `tokens` three times over repeats for the first time, or None."""
    for size in range(1, _LONGEST_LOOP + 1):
        repeats = max(_REPEATS, -(-_SHORT_LOOP_TOKENS // size))
        span = size * repeats
        if len(tokens) >= span and all(tokens[-i] == tokens[-i - size] for i in range(1, span - size + 1)):
            return _first_repeat(tokens, size)
    return None


def _first_repeat(tokens: Sequence[int], size: int) -> int:
    start = len(tokens) - size
    while start > 0 and tokens[start - 1] == tokens[start - 1 + size]:
        start -= 1
    return start + size


def lost_track(attended: Sequence[int], heard: int) -> int | None:
    """Where the tokens stop following the audio, or None.

    Speech is followed forwards. A decoder that has run off the end either keeps looking at the last frames, more tokens
    than they can hold, or goes back to words it has written already.
    """
    if len(attended) >= _STUCK_TOKENS and all(frame >= heard - _END_FRAMES for frame in attended[-_STUCK_TOKENS:]):
        return len(attended) - _STUCK_TOKENS + 1
    before = sorted(attended[:-_BACK_TOKENS])
    if len(before) < _BACK_TOKENS:
        return None
    reached = before[-_BACK_TOKENS]  # by that many tokens, so that a few that look elsewhere do not count
    recent = attended[-_BACK_TOKENS:]
    if len(set(recent)) >= _MOVING and all(frame < reached - _BACK_FRAMES for frame in recent):
        return len(before)
    return None


def echo_start(tokens: Sequence[int], attended: Sequence[int]) -> int | None:
    """Where words that were written before are written again although nothing later is looked at, or None.

    Who says something twice is heard later the second time.
    """
    size, before = _ECHO_TOKENS, len(tokens) - _ECHO_TOKENS
    same = (at for at in range(before - size + 1) if tokens[at : at + size] == tokens[before:])
    looked = (attended[at : at + size] for at in same)
    return before if any(min(first) < max(first) >= max(attended[before:]) for first in looked) else None


def word_probability(log_probabilities: Sequence[float]) -> float:
    """Geometric mean of the probabilities of a word's tokens."""
    return math.exp(sum(log_probabilities) / len(log_probabilities)) if log_probabilities else 0.0


def calibrated(probability: float, slope: float, offset: float) -> float:
    """Platt scaling (Platt 1999) on the log-odds: of words with the result p, about p are right."""
    p = min(max(probability, 1e-4), 1 - 1e-4)
    return 1 / (1 + math.exp(-(slope * math.log(p / (1 - p)) + offset)))


def _mask(size: int, forbidden: Iterable[int]) -> Tensor:
    mask = torch.zeros(size)
    mask[[t for t in forbidden if t < size]] = float("-inf")
    return mask
