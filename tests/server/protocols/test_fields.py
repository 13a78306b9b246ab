from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.interfaces import Hotword
from server.protocols.fields import check_endpointing, flag, hotwords, invalid, json_object, language, one_of, texts, whole
from streaming.commands import EndpointingConfig
from streaming.errors import LimitExceeded, ProtocolViolation

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda c: st.lists(c) | st.dictionaries(st.text(), c)
)
TAKE = {
    "whole": lambda source: whole(source, "x", 7),
    "flag": lambda source: flag(source, "x", True),
    "one_of": lambda source: one_of(source, "x", "a", ("a", "b")),
    "texts": lambda source: texts(source, "x"),
    "language": lambda source: language(source.get("x"), ("en", "zh")),
}


@pytest.mark.parametrize("take", TAKE.values(), ids=TAKE)
@given(value=JSON)
def test_any_value_is_taken_or_named(take, value):
    try:
        take({"x": value})
    except ProtocolViolation as error:
        assert error.code == "invalid_value" and error.field in ("x", "language")
        assert error.field in error.message and "expected" in error.message and len(error.message) < 300


def test_defaults():
    assert whole({}, "x", 7) == 7 and flag({}, "x", True) is True and one_of({}, "x", "a", ("a",)) == "a" and texts({}, "x") == ()


def test_a_truth_is_no_number_and_a_number_is_no_truth():
    with pytest.raises(ProtocolViolation, match="x is true, expected a whole number"):
        whole({"x": True}, "x", 7)
    with pytest.raises(ProtocolViolation, match="x is 1, expected true or false"):
        flag({"x": 1}, "x", True)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("en", "en"),
        ("EN", "en"),
        ("en-US", "en"),
        ("zh_Hans", "zh"),
        ("auto", None),
        ("multi", None),
        ("none", None),
        ("und", None),
        ("", None),
        (None, None),
    ],
)
def test_languages(given: str | None, found: str | None):
    assert language(given, ("en", "zh")) == found


def test_an_unknown_language_is_named_with_some_that_are_known():
    with pytest.raises(ProtocolViolation, match=r'language is "xx", expected \'auto\' or a code this model knows \(a, b\)'):
        language("xx", ("b", "a"))
    assert language("xx", ()) == "xx"


def test_a_long_value_is_cut():
    error = invalid("x", "y" * 10_000, "less")
    assert len(error.message) < 150 and "..." in error.message


@given(st.text(max_size=200))
def test_text_is_an_object_or_named(text: str):
    try:
        assert isinstance(json_object(text), dict)
    except ProtocolViolation as error:
        assert error.code == "invalid_json" and "expected a JSON object" in error.message


@pytest.mark.parametrize("text", ['{"a": "\\ud800"}', '{"\\uDFFF": 1}', '{"a": ["\\ud83d"]}'])
def test_half_a_character_is_no_text(text: str):
    with pytest.raises(ProtocolViolation, match="surrogates"):
        json_object(text)
    assert json_object('{"a": "\\ud83d\\ude00"}') == {"a": "\U0001f600"}


@given(JSON)
def test_any_hotwords_are_taken_or_named(value):
    try:
        assert hotwords({"hotwords": value}) == () or value
    except ProtocolViolation as error:
        assert error.field.startswith("hotwords") and "expected" in error.message


def test_only_null_is_no_hotwords():
    assert hotwords({}) == hotwords({"hotwords": None}) == hotwords({"hotwords": []}) == ()
    for value in ({}, 0, False, ""):
        with pytest.raises(ProtocolViolation, match="expected a list"):
            hotwords({"hotwords": value})


@pytest.mark.parametrize("weight", [10**400, -(10**400), 3.1, -1, float("nan"), float("inf"), True, "1", None])
def test_weights_have_a_range(weight: object):
    with pytest.raises(ProtocolViolation, match=r"hotwords\.weight is .*, expected a number from 0 to 3") as caught:
        hotwords({"hotwords": [{"text": "NCCL", "weight": weight}]})
    assert caught.value.field == "hotwords.weight"
    assert hotwords({"hotwords": [{"text": "NCCL", "weight": 3}]}) == (Hotword("NCCL", 3.0),)


def test_endpointing_in_the_words_of_the_wire():
    with pytest.raises(LimitExceeded) as caught:
        check_endpointing(EndpointingConfig(silence_ms=1), {"silence_ms": "endpointing"})
    assert caught.value.field == "endpointing" and caught.value.message.startswith("endpointing is 1")
