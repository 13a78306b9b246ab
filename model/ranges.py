"""Index arithmetic for packed rows, by numpy: loops over rows cost more than what the device does with them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]


def ranges(starts: Sequence[int] | Indices, sizes: Sequence[int] | Indices) -> tuple[Indices, Indices]:
    """The ranges one after another: which one each number is of, and the numbers."""
    start, size = np.asarray(starts, np.int64), np.asarray(sizes, np.int64)
    owner = np.repeat(np.arange(len(size)), size)
    first = np.cumsum(size) - size
    return owner, np.arange(len(owner)) - first[owner] + start[owner]
