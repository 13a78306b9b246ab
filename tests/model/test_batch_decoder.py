"""Its shapes; what it chooses is tested with each family's recogniser."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from model.batch_decoder import _last, step_rows


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=6))
def test_the_last_rows_of_each_stream_padded_by_their_first(pairs: list[tuple[int, int]]):
    sizes, counts = [max(pair) for pair in pairs], [min(pair) for pair in pairs]
    found = _last(np.cumsum(sizes), counts)
    assert found.shape == (len(pairs), max(counts))
    for row, end, count in zip(found.tolist(), np.cumsum(sizes).tolist(), counts, strict=True):
        assert row[-count:] == list(range(end - count, end)) and set(row[:-count]) <= {end - count}


@given(st.integers(1, 64), st.integers(1, 64))
def test_steps_are_of_few_sizes(rows: int, most: int):
    size = step_rows(min(rows, most), most)
    assert min(rows, most) <= size <= most and (size == most or size & (size - 1) == 0)
