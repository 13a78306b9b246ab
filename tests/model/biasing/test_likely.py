from __future__ import annotations

from model.biasing.likely import SoundIndex
from model.interfaces import Hotword

INDEX = SoundIndex((Hotword("LoRA"), Hotword("kubectl", 2.0, ("cube control",)), Hotword("TensorRT")))


def test_runs_of_words_that_sound_like_a_phrase():
    found = list(INDEX.likely([" our", " Q", " control", " of", " Laura"]))
    best = {each.said: each for each in sorted(found, key=lambda each: each.alike)}
    assert (best["LoRA"].start, best["LoRA"].stop, best["LoRA"].alike) == (4, 5, 100.0)
    assert (best["cube control"].start, best["cube control"].stop, best["cube control"].hotword.weight) == (1, 3, 2.0)
    assert "TensorRT" not in best


def test_nothing_sounds_like_nothing():
    assert not list(INDEX.likely([])) and not list(INDEX.likely([" ...", " -"]))
