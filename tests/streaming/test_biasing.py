"""Hotwords."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.interfaces import Hotword
from streaming.biasing import HEAVIEST, LONGEST_HOTWORD, MOST_HOTWORDS, MOST_SAYINGS, no_lists, normalised
from streaming.errors import LimitExceeded


def plain(*texts: str) -> tuple[Hotword, ...]:
    return tuple(map(Hotword, texts))


def test_spaces_forms_and_repetitions_are_folded_in_the_order_given():
    assert normalised(plain(" b  c ", "a", "b c", "e\u0301", "\u00e9")) == plain("b c", "a", "\u00e9")
    assert normalised([Hotword("NCCL", 2.0, (" nickel ", "nickel"))]) == (Hotword("NCCL", 2.0, ("nickel",)),)


@given(st.lists(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=20), max_size=20))
def test_normalising_twice_changes_nothing(words):
    once = normalised(plain(*words))
    assert normalised(once) == once


def test_a_thousand_are_taken():
    assert len(normalised(plain(*map(str, range(MOST_HOTWORDS))))) == MOST_HOTWORDS


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (plain(*map(str, range(10_000))), f"more than {MOST_HOTWORDS:,} hotwords"),
        (plain("x" * (LONGEST_HOTWORD + 1)), f"{LONGEST_HOTWORD + 1} characters, expected at most {LONGEST_HOTWORD}"),
        (plain("ok", ""), "'' is empty, expected at least one letter or digit"),
        (plain(" -- "), "' -- ' is empty"),
        (plain("a\x00b"), "control characters"),
        (plain("a\x1b[31m"), "control characters"),
        ([Hotword("a", HEAVIEST + 1)], f"a weight of {HEAVIEST + 1:g}, expected 0 to {HEAVIEST:g}"),
        ([Hotword("a", -1.0)], "a weight of -1"),
        ([Hotword("a", float("nan"))], "a weight of nan"),
        ([Hotword("a", 1.0, ("b",) * (MOST_SAYINGS + 1))], f"{MOST_SAYINGS + 1} sayings, expected at most {MOST_SAYINGS}"),
        ([Hotword("a", 1.0, ("",))], "is empty"),
    ],
)
def test_what_is_refused_names_the_limit(words, says):
    with pytest.raises(LimitExceeded, match=says) as caught:
        normalised(words)
    assert caught.value.field == "hotwords"


def test_a_server_without_lists_says_so():
    assert no_lists(()) == ()
    with pytest.raises(LimitExceeded, match="'gpu', expected none") as caught:
        no_lists(("gpu",))
    assert caught.value.field == "hotword_lists"


def test_equal_lists_are_one_object():
    assert normalised(plain("LoRA", "RoPE")) is normalised(plain(" LoRA ", "RoPE", "LoRA")) is not normalised(plain("LoRA"))
