"""Speech for which a text has no words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from model.biasing.gaps import Gap, GapOptions, doubted, gaps, missing, starts_of
from model.decoding import Row
from model.interfaces import DecodeContext, Hotword, Hypothesis, Samples, StepRequest, UtteranceId
from model.words import Pieces
from tests.sounds import clip

OPTIONS = GapOptions(character=16, word=12, letter=6, least=10, before=5, own=8)
HOTWORDS = tuple(map(Hotword, "lazy dog|brown fox|Kubernetes|LoRA|nginx|Redis|TensorRT|PostgreSQL".split("|")))


def row(spans: list[int], heard: int, forced: int = 0) -> Row:
    """A text of tokens that look at so many frames each, one after the other; the end looks at the rest."""
    edges = [0, *np.cumsum(spans).tolist(), heard]
    scores = torch.full((1, len(edges) - 1, heard), -20.0)
    for i, (start, stop) in enumerate(zip(edges, edges[1:], strict=False)):
        scores[0, i, start:stop] = 20.0
    tokens = list(range(len(spans)))
    return Row(None, [], tokens[:forced], [], 99, frozenset({0}), heard, tokens=tokens[forced:], scores=[scores])


def words(texts: list[str]) -> Pieces:
    return [(text, [number]) for number, text in enumerate(texts)]


VOICED = np.ones(400, bool)


def test_a_character_that_lasts_too_long_hides_something():
    found = row([15, 15, 50, 15], 95)
    assert list(gaps(starts_of(found), words(list("先跑再提")), VOICED, OPTIONS)) == [Gap(2, 2, 25, 72)]
    assert missing(found, words(list("先跑再提")), VOICED, OPTIONS) == 34


def test_a_place_counts_what_is_free_only():
    found = row([15, 15, 50, 15], 95, forced=2)
    assert list(gaps(starts_of(found), words(list("再提")), VOICED, OPTIONS)) == [Gap(0, 0, 25, 72)]


def test_a_pause_hides_nothing():
    silent = VOICED.copy()
    silent[34:70] = False
    found = row([15, 15, 50, 15], 95)
    assert not list(gaps(starts_of(found), words(list("先跑再提")), silent, OPTIONS))
    assert missing(found, words(list("先跑再提")), silent, OPTIONS) == 0


@pytest.mark.parametrize(("word", "frames", "is_long"), [(" Kubernetes", 80, False), (" GPU", 80, True), ("12", 40, True)])
def test_a_longer_word_may_last_longer(word: str, frames: int, is_long: bool):
    found = row([15, frames, 15], frames + 30)
    assert (missing(found, words(["把", word, "上"]), VOICED, OPTIONS) > 0) is is_long


def test_a_word_of_the_other_script_hides_no_phrase_before_it():
    found = row([15, 80, 15], 110)
    assert not list(gaps(starts_of(found), words(["把", " GPU", "上"]), VOICED, OPTIONS))


@pytest.mark.parametrize(
    ("cost", "forced", "expected"), [(1.0, 0, [Gap(1, 3, 10, 70)]), (0.9, 0, []), (1.0, 1, [Gap(0, 2, 10, 70)])]
)
def test_latin_words_that_cost_too_much_are_doubted(cost: float, forced: int, expected: list[Gap]):
    found, texts = row([15, 20, 30, 15], 80, forced=forced), ["用", " Pair", "form", "管"]
    found.log_probabilities = [0.0, -cost, 0.0, -9.0][forced:]
    assert list(doubted(found, starts_of(found), words(texts[forced:]), lambda word: False, OPTIONS)) == expected
    assert not list(doubted(found, starts_of(found), words(texts[forced:]), lambda word: word == " Pair", OPTIONS))


def test_what_is_said_after_the_last_word_is_missing():
    found = row([15, 15], 100)
    assert missing(found, words(list("先跑")), VOICED, OPTIONS) == 70
    assert not list(gaps(starts_of(found), words(list("先跑")), VOICED, OPTIONS))


def test_nothing_is_missing_where_it_is_not_told_who_speaks():
    assert missing(row([15, 90], 105), words(list("先跑")), np.zeros(0, bool), OPTIONS) == 0


# with real weights: a word of one clip in the middle of another


def spliced() -> Samples:
    """A quiet "brown fox" behind the first character of a Chinese sentence."""
    chinese, english = (
        soundfile.read(clip(*each)[0], dtype="float32")[0] for each in (("zh", "pangrama"), ("en", "quick_brown_fox"))
    )
    pause = np.zeros(2_400, np.float32)
    return np.concatenate(
        [chinese[:3_200], pause, 0.3 * english[4_480:14_720], pause, chinese[3_200:], np.zeros(8_000, np.float32)]
    )


def heard(recogniser: Any, sound: Samples, hotwords: tuple[Hotword, ...]) -> Hypothesis:
    context = DecodeContext("zh", hotwords=(hotwords,) if hotwords else ())
    (answer,) = recogniser.step([StepRequest(UtteranceId("a", 0), 0, 0, sound, True, True, 0.0, context)])
    assert isinstance(answer, Hypothesis)
    return answer


def test_a_phrase_that_was_left_out_is_heard_alone(recogniser: Any):
    plain, found = (heard(recogniser, spliced(), hotwords) for hotwords in ((), HOTWORDS))
    assert "fox" not in "".join(word.text for word in plain.words).lower()
    (phrase,) = [number for number, word in enumerate(found.words) if "fox" in word.text]
    assert "brown fox" in "".join(word.text for word in found.words)
    assert len(found.words) >= len(plain.words) - 2  # what was there is there still
    assert 3_200 <= found.words[phrase].start < found.words[phrase].end <= 20_000
    assert len({id(slot) for slot in recogniser._free}) == len(recogniser._free)


def test_what_was_not_said_is_not_heard(recogniser: Any):
    plain, found = (heard(recogniser, spliced(), hotwords) for hotwords in ((), HOTWORDS[2:]))
    assert not any(word.text in "".join(each.text for each in found.words) for word in HOTWORDS[2:])
    assert len(found.words) >= len(plain.words) - 2
