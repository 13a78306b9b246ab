"""When an utterance ends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.commands import EndpointingConfig
from streaming.endpointing import check_bounds, endpoint, rules
from streaming.errors import LimitExceeded

RULES = rules(EndpointingConfig(silence_ms=500, no_speech_ms=5_000, max_utterance_ms=60_000))


@pytest.mark.parametrize(
    ("voiced_ms", "trailing_silence_ms", "length_ms", "reason"),
    [
        (1_000, 480, 3_000, None),
        (1_000, 500, 3_000, "endpoint"),
        (40, 4_980, 5_020, None),
        (40, 5_000, 5_040, "no_speech"),
        (50_000, 0, 59_980, None),
        (50_000, 20, 57_980, None),
        (50_000, 20, 58_000, "too_long"),
        (50_000, 0, 60_000, "too_long"),
    ],
)
def test_the_rules(voiced_ms, trailing_silence_ms, length_ms, reason):
    found = endpoint(RULES, voiced_ms=voiced_ms, trailing_silence_ms=trailing_silence_ms, length_ms=length_ms)
    assert found == reason


@given(st.integers(0, 60_000), st.integers(0, 60_000), st.integers(0, 70_000), st.integers(0, 1_000))
def test_more_silence_never_undoes_an_endpoint(voiced_ms, silence_ms, length_ms, more_ms):
    before = endpoint(RULES, voiced_ms=voiced_ms, trailing_silence_ms=silence_ms, length_ms=length_ms)
    after = endpoint(RULES, voiced_ms=voiced_ms, trailing_silence_ms=silence_ms + more_ms, length_ms=length_ms + more_ms)
    assert after or not before


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("silence_ms", 99),
        ("silence_ms", 10_001),
        ("no_speech_ms", 499),
        ("max_utterance_ms", 4_999),
        ("word_gap_ms", 0),
        ("pre_roll_ms", 2_001),
        ("threshold", 1.5),
    ],
)
def test_values_out_of_bounds_are_named(field, value):
    with pytest.raises(LimitExceeded, match=f"{field} is {value}, expected") as caught:
        check_bounds(EndpointingConfig(**{field: value}))
    assert caught.value.field == field


def test_the_defaults_are_within_bounds():
    check_bounds(EndpointingConfig())
