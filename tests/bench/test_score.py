from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.score import (
    calibration_error,
    errors,
    errors_outside,
    found_terms,
    matched,
    percentile,
    reliability,
    tokens,
    word_latencies,
)

WORDS = st.lists(st.sampled_from("abc"), max_size=8)


def naive(a: list[str], b: list[str]) -> int:
    """The definition of Levenshtein's distance."""
    if not a or not b:
        return len(a) + len(b)
    return min(naive(a[1:], b) + 1, naive(a, b[1:]) + 1, naive(a[1:], b[1:]) + (a[0] != b[0]))


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("Hello, World!", "en", ["hello", "world"]),
        ("Don't — 'quote' it’s", "en", ["dont", "quote", "its"]),
        ("well-known", "en", ["well", "known"]),
        ("ＡＢＣ１", "en", ["abc1"]),
        ("你好，世界 GPU2。", "zh", ["你", "好", "世", "界", "gpu2"]),
        ("東京です", "ja-JP", ["東", "京", "で", "す"]),
        ("¿Qué tal?", "es", ["qué", "tal"]),
        ("...", "en", []),
    ],
)
def test_tokens(text: str, language: str, expected: list[str]):
    assert tokens(text, language) == expected


@given(st.lists(st.sampled_from("ab"), max_size=5), st.lists(st.sampled_from("ab"), max_size=5))
def test_errors_are_levenshteins_distance(a: list[str], b: list[str]):
    assert errors(a, b) == naive(a, b)


@given(WORDS, WORDS, WORDS)
def test_errors_are_a_metric(a: list[str], b: list[str], c: list[str]):
    assert (errors(a, b) == 0) == (a == b)
    assert errors(a, b) == errors(b, a)
    assert errors(a, c) <= errors(a, b) + errors(b, c)


@given(WORDS, WORDS)
def test_matched_places_hold_words_of_the_other(a: list[str], b: list[str]):
    found = matched(a, b)
    assert all(a[i] in b for i in found)
    assert len(found) <= min(len(a), len(b))
    assert matched(a, a) == set(range(len(a)))


def test_percentile():
    values = list(range(100))
    random.Random(1).shuffle(values)
    assert [percentile(values, p) for p in (0, 50, 95, 100)] == [0, 50, 95, 99]
    assert percentile([], 50) is None


def word(text: str, end: float) -> dict[str, object]:
    return {"text": f" {text}", "start": end - 0.2, "end": end, "confidence": 1.0}


def test_a_word_counts_from_its_end_to_its_first_showing_at_its_place():
    messages = [
        (0.9, {"type": "partial", "utterance": 0, "stable": [], "unstable": [word("He", 0.5)]}),
        (1.4, {"type": "partial", "utterance": 0, "stable": [word("he", 0.5)], "unstable": [word("hopes", 1.0)]}),
        (1.8, {"type": "partial", "utterance": 0, "stable": [word("he", 0.5)], "unstable": [word("hoped", 1.0)]}),
        (2.5, {"type": "final", "utterance": 0, "words": [word("He", 0.5), word("hoped,", 1.0), word("so", 1.2)]}),
    ]
    assert word_latencies(messages) == pytest.approx([0.4, 0.8, 1.3])


def test_words_of_another_utterance_do_not_count():
    messages = [
        (0.9, {"type": "partial", "utterance": 0, "stable": [], "unstable": [word("yes", 0.5)]}),
        (3.0, {"type": "final", "utterance": 1, "words": [word("yes", 2.5)]}),
    ]
    assert word_latencies(messages) == pytest.approx([0.5])


def test_calibration():
    assert calibration_error([]) is None
    assert calibration_error([(1.0, True)] * 5) == 0
    assert calibration_error([(1.0, False)] * 5) == 1
    assert calibration_error([(0.75, True)] * 3 + [(0.75, False)]) == pytest.approx(0)
    assert calibration_error([(0.95, True), (0.15, True)]) == pytest.approx((0.05 + 0.85) / 2)


def test_errors_outside_terms():
    terms, said = [["kv", "cache"]], "the kv cache is full".split()
    assert errors_outside(terms, said, said) == (0, 3)
    assert errors_outside(terms, said, "the cave cash is full".split()) == (0, 3)
    assert errors_outside(terms, said, "a kv cache is not full".split()) == (2, 3)


def test_terms_are_found_as_written():
    assert found_terms(["LoRA", "RoPE", "KV cache"], "LoRA, rope and XKV cache") == ["LoRA"]


def test_reliability():
    assert reliability([(0.95, True), (0.85, True), (0.95, False)]) == [(0.85, 1.0, 1), (0.95, 0.5, 2)]
