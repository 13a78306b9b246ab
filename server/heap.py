"""glibc's heap, so that memory does not creep up for as long as somebody speaks. Other C libraries are left alone.

Steps allocate and free tensors of ever new sizes, aligned, which leaves holes that later ones do not fit into.
"""

from __future__ import annotations

import ctypes

_OPTIONS = {-8: 1, -3: 1 << 20, -1: 1 << 30}  # malloc.h: M_ARENA_MAX, M_MMAP_THRESHOLD, M_TRIM_THRESHOLD


def share() -> None:
    """One heap for all threads instead of one each, and large tensors outside of it; must come before there are any threads."""
    option = getattr(ctypes.CDLL(None), "mallopt", None)
    for name, value in _OPTIONS.items() if option else ():
        option(name, value)


class Trimmer:
    """Gives the holes back to the system, now and then."""

    def __init__(self, every_s: float = 10.0) -> None:
        self._every_s, self._last = every_s, 0.0
        self._trim = getattr(ctypes.CDLL(None), "malloc_trim", None)

    def trim(self, now: float) -> None:
        """Trim if it is time; some milliseconds, for all threads."""
        if self._trim and now - self._last >= self._every_s:
            self._last = now
            self._trim(0)
