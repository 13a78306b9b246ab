from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from model.ranges import ranges

PAIRS = st.lists(st.tuples(st.integers(-50, 500), st.integers(0, 9)))


@given(PAIRS)
def test_they_are_what_loops_give(pairs: list[tuple[int, int]]):
    owner, numbers = ranges([start for start, _ in pairs], [size for _, size in pairs])
    expected = [(i, start + j) for i, (start, size) in enumerate(pairs) for j in range(size)]
    assert list(zip(owner.tolist(), numbers.tolist(), strict=True)) == expected
