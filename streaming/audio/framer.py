"""Samples → frames of 20 ms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from model.interfaces import SampleIndex, Samples

FRAME_SAMPLES = 320
FRAME_MS = 20


@dataclass(frozen=True, slots=True, eq=False)
class AudioFrame:
    """20 ms of the session: float32[320] from `start`."""

    start: SampleIndex
    samples: Samples

    @property
    def end(self) -> SampleIndex:
        """Where the next frame starts."""
        return self.start + FRAME_SAMPLES


class Framer:
    """Numbers samples from 0 and cuts them into frames."""

    def __init__(self) -> None:
        self._carry: Samples = np.zeros(0, np.float32)
        self._start: SampleIndex = 0

    @property
    def position(self) -> SampleIndex:
        """Samples received in all."""
        return self._start + len(self._carry)

    def process(self, x: Samples) -> Iterator[AudioFrame]:
        """float32[n] -> the frames it completes."""
        x = np.concatenate([self._carry, x])
        whole = len(x) // FRAME_SAMPLES * FRAME_SAMPLES
        self._carry, first = x[whole:], self._start
        self._start += whole
        return (AudioFrame(first + i, x[i : i + FRAME_SAMPLES]) for i in range(0, whole, FRAME_SAMPLES))

    def flush(self) -> Iterator[AudioFrame]:
        """The last, unfinished frame, filled up with silence."""
        if not len(self._carry):
            return iter(())
        return self.process(np.zeros(FRAME_SAMPLES - len(self._carry), np.float32))
