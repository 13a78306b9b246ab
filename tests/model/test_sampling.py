from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from model.sampling import GreedyChoice, calibrated, echo_start, loop_start, lost_track, near, probabilities_of, word_probability


def test_the_best_token_that_is_allowed():
    choose = GreedyChoice(5, forbidden=[4], forbidden_first=[2])
    logits = torch.tensor([[0.0, 1.0, 3.0, 2.0, 9.0]] * 2)
    tokens, log_probabilities = choose(logits.clone(), [False, True])
    assert tokens == [2, 3]
    assert log_probabilities[0] == pytest.approx(float(logits[0, :4].log_softmax(0)[2]))
    assert log_probabilities[1] == pytest.approx(float(logits[0, [0, 1, 3]].log_softmax(0)[2]))


def test_tokens_beyond_the_vocabulary_may_be_named():
    assert GreedyChoice(3, [2, 50_000], [])(torch.tensor([[0.0, 1.0, 2.0]]), [False])[0] == [1]


@pytest.mark.parametrize(
    "text",
    [
        "no no no",
        "no no no no no",
        "one two one two one two",
        "a b c a b c a b",
        "very very very very good",
        "1 0 0 0 0 0 0",
        "yes yes yes yes yes yes yes then",
        "",
    ],
)
def test_speech_that_repeats_is_no_loop(text):
    assert loop_start(text.split()) is None


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("well " + "no " * 8, "well no"),
        ("so " + "thank you " * 4, "so thank you"),
        ("it is " + "what I said " * 3, "it is what I said"),
        ("x " + "a b c d e f g h i j k l m n o p " * 3, "x a b c d e f g h i j k l m n o p"),
    ],
)
def test_a_loop_is_cut_after_its_first_round(text, kept):
    tokens = text.split()
    found = [start for n in range(len(tokens) + 1) if (start := loop_start(tokens[:n])) is not None]
    assert found and tokens[: found[0]] == kept.split()


@given(st.lists(st.integers(0, 2), max_size=12), st.lists(st.integers(3, 9), min_size=1, max_size=16, unique=True))
def test_any_phrase_that_goes_round_is_found(before, phrase):
    tokens = before + phrase * 9
    start = loop_start(tokens)
    assert start is not None and tokens[:start] == before + phrase


@given(st.lists(st.integers(0, 400), max_size=60))
def test_a_loop_is_cut_inside_the_tokens(tokens):
    start = loop_start(tokens)
    assert start is None or 0 < start < len(tokens)


def test_attention_that_goes_forwards_is_followed():
    assert lost_track(range(0, 500, 9), 500) is None
    assert lost_track([10, 10, 10, 30, 30, 60, 61, 61, 90], 500) is None


@pytest.mark.parametrize("tokens", [[7], [], [0] * 40])
def test_little_or_nothing_to_go_by(tokens):
    assert lost_track(tokens, 500) is None


def test_tokens_that_all_look_at_the_very_end_are_cut_after_the_first():
    forward = list(range(0, 480, 24))
    assert lost_track([*forward, 497, 498, 499, 499, 498, 499], 500) == len(forward) + 1


def test_a_few_tokens_at_the_very_end_are_speech():
    assert lost_track([*range(0, 480, 24), 497, 498, 499, 499, 499], 500) is None


def test_going_back_over_words_that_are_written_is_cut_where_it_begins():
    forward = list(range(0, 480, 10))
    assert lost_track([*forward, 0, 10, 20, 30, 40, 50, 60, 70], 500) == len(forward)


def test_a_look_back_that_does_not_move_is_a_habit():
    assert lost_track([*range(0, 480, 10), *[3] * 8], 500) is None


def test_outliers_do_not_count():
    """A few tokens that looked far ahead do not make those after them look lost."""
    ahead = [0, 10, 20, 490, 30, 491, 40, 492, 50, 60, 493, 70, 80, 90, 100, 110, 120, 130, 140, 150]
    assert lost_track(ahead, 500) is None
    behind = [*range(0, 300, 10), 2, 310, 1, 320, 330, 3, 340, 350, 0, 360]
    assert lost_track(behind, 500) is None


SAID, LOOKED = [5, 6, 7, 8, 9, 10, 11], [3, 3, 40, 60, 3, 90, 110]


def test_what_is_written_again_over_the_same_audio_is_cut():
    assert echo_start([4, *SAID, *SAID], [1, *LOOKED, 3, 3, 40, 3, 3, 3, 3]) == 9
    assert echo_start([*SAID, *SAID[:5]], [*LOOKED, 3, 3, 40, 3, 3]) is None  # not yet


def test_what_is_said_twice_is_kept():
    assert echo_start([*SAID, *SAID], [*LOOKED, *(frame + 120 for frame in LOOKED)]) is None
    assert echo_start([*SAID, *SAID], [*LOOKED, 3, 3, 3, 3, 3, 3, 115]) is None
    assert echo_start([*SAID, *SAID], [0] * 14) is None  # nothing is known of the attention


@given(st.lists(st.floats(-20, 0), min_size=1, max_size=9))
def test_a_word_is_between_its_least_and_its_most_likely_token(log_probabilities):
    found = word_probability(log_probabilities)
    assert math.exp(min(log_probabilities)) * 0.999 <= found <= math.exp(max(log_probabilities)) * 1.001


def test_no_tokens_no_probability():
    assert word_probability([]) == 0.0


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.1, 4), st.floats(-3, 3))
def test_calibration_keeps_order_and_range(p, q, slope, offset):
    low, high = (calibrated(x, slope, offset) for x in sorted((p, q)))
    assert 0 <= low <= high <= 1


@given(st.floats(0.001, 0.999))
def test_calibration_of_slope_one_and_no_offset_changes_nothing(p):
    assert calibrated(p, 1.0, 0.0) == pytest.approx(p)


def test_what_is_near_a_best_one_that_is_sure_is_only_itself():
    logits = torch.tensor([[20.0, 1.0, 0.0], [2.0, 1.0, -9.0]])
    best = logits.max(1).values - logits.logsumexp(1)
    found = near(logits, [0, 0], best.tolist(), [6.0, 6.0])
    assert [[token for token, _ in each] for each in found] == [[0], [0, 1]]
    assert near(logits, [0, 0], best.tolist(), [0.0, 0.0]) == [[], []]


def test_log_probabilities_of_what_is_asked_for():
    logits = torch.tensor([[0.0, 1.0, 3.0], [2.0, -1.0, 0.0]])
    expected, best = logits.log_softmax(1), logits.max(1)
    tokens, values = best.indices.tolist(), (best.values - logits.logsumexp(1)).tolist()
    first, second = probabilities_of(logits, tokens, values, [np.array([1, 2, 1]), None])
    assert second is None and first is not None
    np.testing.assert_allclose(first, expected[0, [1, 2, 1]], atol=1e-6)
