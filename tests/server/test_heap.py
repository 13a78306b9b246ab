from __future__ import annotations

import ctypes

import numpy as np
import pytest

from server.heap import Trimmer


def test_it_trims_no_more_often_than_it_should():
    trimmer, times = Trimmer(), []
    trimmer._trim = times.append
    for now in range(100, 130):
        trimmer.trim(float(now), 10.0)
    assert len(times) == 3


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="not glibc")
def test_holes_are_given_back():
    def resident_mb() -> float:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS"))

    pieces = [np.ones(12_000, np.uint8) for _ in range(20_000)]  # 240 MB in pieces that come from the heap
    del pieces[1::2], pieces[::3]
    before = resident_mb()
    Trimmer().trim(100.0)
    assert resident_mb() < before - 80 and pieces
