"""glibc's heap, so that memory does not creep up for as long as somebody speaks. Other C libraries are left alone.

Steps allocate and free tensors of ever new sizes, aligned, which leaves holes that later ones do not fit into. One heap for all
threads, or large tensors outside of it, would have fewer holes, but makes finals later by half a second and more under load.
"""

from __future__ import annotations

import ctypes


class Trimmer:
    """Gives the holes back to the system, now and then."""

    def __init__(self) -> None:
        self._last = 0.0
        self._trim = getattr(ctypes.CDLL(None), "malloc_trim", lambda _: 0)

    def trim(self, now: float, every_s: float = 0.5) -> None:
        """Trim if it is time; takes some 20 ms."""
        if now - self._last >= every_s:
            self._last = now
            self._trim(0)
