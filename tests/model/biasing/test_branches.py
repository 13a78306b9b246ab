"""A phrase more in a text, with real weights: where it was said it is found, where it was not there is nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from model.biasing.branches import Beginnings, Branches, Heard, _heard
from model.biasing.readings import Text
from model.decoding import Ask, Choices, Row, rescore
from model.interfaces import DecodeContext, Hotword, Samples, StepRequest, UtteranceId

HOTWORDS = tuple(map(Hotword, "lazy dog|Kubernetes|LoRA|nginx|Redis|TensorRT|PostgreSQL|dogfood".split("|")))
SPOILED = " The quick brown fox jumps over the easy part."


class Reading:
    """What the recogniser has read of a sound, as its readings get it."""

    def __init__(self, recogniser: Any, sound: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
        self.recogniser, self.choose, found = recogniser, recogniser._choose, list[Text]()
        monkeypatch.setattr(recogniser._text._readings, "revise", lambda choose, texts: found.extend(texts.values()) or {})
        recogniser.step([StepRequest(UtteranceId("a", 0), 0, 0, sound, True, True, 0.0, DecodeContext("en", hotwords=(HOTWORDS,)))])
        (self.text,) = found
        self.encode, self.decode = recogniser.tokenizer.encode, recogniser.tokenizer.decode

    def spoiled(self, said: str = SPOILED) -> Row:
        (end,) = self.text.row.ends
        row = rescore(self.choose, self.text.row, [*self.encode(said), end], 0)
        return replace(row, tokens=row.tokens[:-1], log_probabilities=row.log_probabilities[:-1])

    def branches(self, row: Row, hotwords: tuple[Hotword, ...] = HOTWORDS) -> list[str]:
        pieces = self.text.pieces(row.tokens)
        found = Branches(self.encode).read(self.choose, self.text.row, row, pieces, [hotwords], 12.0)
        return [self.decode(row.tokens) for row in found]


@pytest.fixture
def reading(recogniser: Any, fox: Samples, monkeypatch: pytest.MonkeyPatch) -> Reading:
    return Reading(recogniser, fox, monkeypatch)


@torch.inference_mode()
def test_what_was_said_takes_the_place_of_what_was_read(reading: Reading):
    assert reading.branches(reading.spoiled())[0] == " The quick brown fox jumps over the lazy dog."


@torch.inference_mode()
def test_what_comes_before_and_after_it_stays(reading: Reading):
    found = reading.branches(reading.spoiled(" The quick frog jumps over the lazy dog."), (Hotword("brown fox"),))
    assert found[0] == " The quick brown fox jumps over the lazy dog."


@torch.inference_mode()
def test_symbols_of_a_phrase_are_said_by_their_names(reading: Reading):
    found = reading.branches(reading.spoiled(" The quick frog jumps over the lazy dog."), (Hotword("brown_fox"),))
    assert found[0] == " The quick brown fox jumps over the lazy dog."


@torch.inference_mode()
def test_a_name_put_together_is_written_in_parts(reading: Reading):
    assert reading.branches(reading.spoiled(), (Hotword("LazyDog"),))[0] == " The quick brown fox jumps over the lazy dog."


def test_in_a_wide_search_phrases_that_begin_alike_do_not_crowd_out_others(reading: Reading):
    branches, row = Branches(reading.encode), reading.text.row
    known = Beginnings(tuple(map(Hotword, ("red", "ray", "rot", "sun"))), lambda text: [*map(ord, text)])
    r_first = np.array([[3.0 if token == ord("r") else 2.0 if token == ord("s") else 1.0 for token in known.tokens]], np.float32)
    heard = Heard(row, row, [], [0], [0], np.zeros_like(r_first), r_first)

    def weighed(is_wide: bool) -> set[str]:
        return {each.beginning.letters for each in branches._foremost(heard, r_first, known.each, 12.0, 2, is_wide)}

    assert weighed(False) == {"red", "ray", "rot"} and weighed(True) == {"red", "ray", "rot", "sun"}


@torch.inference_mode()
def test_where_nothing_like_it_was_said_there_is_none(reading: Reading):
    irrelevant = HOTWORDS[1:-1]
    assert reading.branches(reading.text.row, irrelevant) == reading.branches(reading.spoiled(), irrelevant) == []
    assert reading.branches(reading.spoiled(), (Hotword("lazy dog", 0.0),)) == []


@torch.inference_mode()
def test_what_is_there_already_is_not_put_there_again(reading: Reading):
    for hotword in map(Hotword, ("LAZY DOG", "quick", "over the")):
        found = [said.lower() for said in reading.branches(reading.text.row, (hotword,))]
        assert all(said.count(hotword.text.lower()) == 1 for said in found)


@torch.inference_mode()
def test_asks_at_one_place_do_not_disturb_each_other_if_later_ones_come_first(reading: Reading):
    row, words = reading.text.row, [reading.encode(word) for word in (" lazy dog", " nginx", " frogs", " foxes")]
    places = [8, 5, 5, 2]

    def ask(tokens: list[int], place: int) -> Ask:
        start, count = row.given + place, len(tokens)
        return Ask(row.place, tokens, start, row.heard, count, count, False, None, True, of=np.array([5, 7]))

    reading.spoiled("".join(reading.decode(row.tokens)))  # the keys and values of its own text
    together = list(reading.choose([ask(*each) for each in zip(words, places, strict=True)]))
    for tokens, place, found in zip(words, places, together, strict=True):
        reading.spoiled("".join(reading.decode(row.tokens)))
        (alone,) = reading.choose([ask(tokens, place)])
        np.testing.assert_allclose(found.given, alone.given, atol=0.05)
        np.testing.assert_allclose(found.log_probabilities, alone.log_probabilities, atol=0.05)
        assert all(a is not None and len(a) == 2 for a in found.of)


@torch.inference_mode()
def test_phrases_are_weighed_behind_the_text_as_it_is(reading: Reading):
    row, seen = reading.spoiled(), list[tuple[Ask, Choices]]()
    early = tuple(map(Hotword, ("quit smoking", "brawn drain", "box cutter", "folks music")))
    known, branches = Beginnings(HOTWORDS + early, reading.encode), Branches(reading.encode)
    heard = _heard(reading.choose, reading.text.row, row, reading.text.pieces(row.tokens), known.tokens)

    def choose(asks: list[Ask]) -> list[Choices]:
        answers = list(reading.choose(asks))
        seen.extend(zip(asks, answers, strict=True))
        return answers

    assert list(branches._promising(choose, heard, branches._weighed(heard, known.each, 12.0, False), 12.0))  # type: ignore[arg-type]
    weighed = [(ask, found) for ask, found in seen if ask.is_scored]
    for ask, found in weighed:
        reading.spoiled()  # the keys and values of the text
        (alone,) = reading.choose([ask])
        np.testing.assert_allclose(found.given, alone.given, atol=0.1)
    assert min(ask.start for ask, _ in seen) < max(ask.start for ask, _ in weighed)


def test_ways_to_write_a_phrase_are_found_by_their_first_token():
    known = Beginnings((Hotword("Ab", 1.0, ("a b",)), Hotword("no", 0.0)), lambda text: [*map(ord, text)])
    assert known.tokens.tolist() == [ord(" "), ord("A"), ord("a")]
    assert [["".join(map(chr, each.tokens)) for each in own] for own in known.each] == [
        [" Ab", " ab", " a b"],
        ["Ab"],
        ["ab", "a b"],
    ]
