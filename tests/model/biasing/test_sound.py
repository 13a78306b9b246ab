from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz import fuzz

from model.biasing.sound import sound, sounds


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("LoRA", "laura"),
        ("Jason", "jayson"),
        ("GPU", "G P U"),
        ("INT4", "int four"),
        ("FP16", "F P sixteen"),
        ("64", "sixty four"),
        ("显存", "险存"),
    ],
)
def test_what_sounds_the_same(one: str, other: str):
    assert sounds(one) & sounds(other)


@pytest.mark.parametrize(
    ("term", "heard"), [("ONNX", "onyx"), ("PostgreSQL", "Posca's QL"), ("Redis", "release"), ("epoch", "up up")]
)
def test_what_sounds_alike(term: str, heard: str):
    assert max(fuzz.ratio(each, sound(heard)) for each in sounds(term)) >= 68


@given(st.text(max_size=40))
def test_any_text_has_a_sound_without_spaces_or_marks(text: str):
    assert not any(letter.isspace() for letter in sound(text))
