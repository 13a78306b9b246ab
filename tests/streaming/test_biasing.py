"""Hotwords."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.biasing import LONGEST_HOTWORD, MOST_HOTWORDS, normalised
from streaming.errors import LimitExceeded


def test_spaces_forms_and_repetitions_are_folded_in_the_order_given():
    assert normalised([" b  c ", "a", "", "b c", "e\u0301", "\u00e9", " "]) == ("b c", "a", "\u00e9")


@given(st.lists(st.text(max_size=20), max_size=20))
def test_normalising_twice_changes_nothing(words):
    assert normalised(normalised(words)) == normalised(words)


def test_limits():
    assert len(normalised(str(i) for i in range(MOST_HOTWORDS))) == MOST_HOTWORDS
    with pytest.raises(LimitExceeded, match=f"{MOST_HOTWORDS + 1} hotwords, expected at most {MOST_HOTWORDS}"):
        normalised(str(i) for i in range(MOST_HOTWORDS + 1))
    with pytest.raises(LimitExceeded, match=f"{LONGEST_HOTWORD + 1} characters") as caught:
        normalised(["x" * (LONGEST_HOTWORD + 1)])
    assert caught.value.field == "hotwords"
