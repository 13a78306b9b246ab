"""Any rate → 16 kHz, as a stream."""

from __future__ import annotations

import numpy as np
import soxr

from model.interfaces import SAMPLE_RATE, Samples

_NONE: Samples = np.zeros(0, np.float32)


class Resampler:
    """soxr, fed in blocks of 10 ms so that the result does not depend on how the audio was cut."""

    def __init__(self, sample_rate: int) -> None:
        self._stream = None if sample_rate == SAMPLE_RATE else soxr.ResampleStream(sample_rate, SAMPLE_RATE, 1, dtype="float32")
        self._block = max(1, sample_rate // 100)
        self._carry = _NONE

    def process(self, x: Samples) -> Samples:
        """float32[n] at the source rate -> float32[m] at 16 kHz."""
        if self._stream is None:
            return x
        x = np.concatenate([self._carry, x])
        whole = len(x) // self._block * self._block
        self._carry = x[whole:]
        blocks = (x[i : i + self._block] for i in range(0, whole, self._block))
        return np.concatenate([_NONE, *(self._stream.resample_chunk(block) for block in blocks)])

    def flush(self) -> Samples:
        """What is still inside; the stream is at its end."""
        if self._stream is None:
            return _NONE
        last: Samples = self._stream.resample_chunk(self._carry, last=True)
        return last
