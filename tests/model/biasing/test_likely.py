from __future__ import annotations

from model.biasing.likely import SoundIndex
from model.interfaces import Hotword

HOTWORDS = (Hotword("LoRA"), Hotword("kubectl", 2.0, ("cube control",)), Hotword("TensorRT"))
INDEX = SoundIndex(HOTWORDS, lambda text: list(text.encode()))  # a token is a byte


def test_runs_of_words_that_sound_like_a_phrase():
    found = list(INDEX.likely([" our", " Q", " control", " of", " Laura"]))
    best = {each.said: each for each in sorted(found, key=lambda each: each.alike)}
    assert (best["LoRA"].start, best["LoRA"].stop, best["LoRA"].alike) == (4, 5, 100.0)
    assert (best["cube control"].start, best["cube control"].stop, best["cube control"].hotword.weight) == (1, 3, 2.0)
    assert "TensorRT" not in best


def test_only_phrases_that_begin_with_a_token_near_there_and_runs_that_cost_enough():
    words, costs = [" our", " Q", " control", " of", " Laura"], [0.0, 1.0, 0.2, 0.0, 2.0]
    space, c = b" c"
    found = list(INDEX.begun(words, costs, 1.0, [(), {c}, (), (), {ord("L"), space}]))
    assert {(each.start, each.said) for each in found} == {(1, "cube control"), (4, "LoRA")}
    assert not list(INDEX.begun(words, costs, 1.0, [{ord("x")}] * 5)) and not list(INDEX.begun(words, costs, 9.0, [{space}] * 5))
    assert {(each.start, each.stop, each.said) for each in found} <= {each[:3] for each in INDEX.likely(words)}


def test_nothing_sounds_like_nothing():
    assert not list(INDEX.likely([])) and not list(INDEX.likely([" ...", " -"]))
