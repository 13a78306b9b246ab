from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.latency import figures, first_shown
from bench.live import Run
from bench.manifest import Clip
from server.stream import Heard

ALL, STABLE = ("stable", "unstable", "words"), ("stable", "words")
SAID = (("he", 0.1, 0.5), ("hoped", 0.6, 1.0), ("so", 1.1, 1.3))


def words(text: str) -> list[dict[str, Any]]:
    return [{"text": f" {word}", "start": 0.0, "end": 0.0, "confidence": 1.0} for word in text.split()]


def partial(stable: str, unstable: str) -> dict[str, Any]:
    return {"type": "partial", "utterance": 0, "stable": words(stable), "unstable": words(unstable)}


def final(text: str, utterance: int = 0) -> dict[str, Any]:
    return {"type": "final", "utterance": utterance, "words": words(text), "text": text}


def run(*messages: tuple[float, dict[str, Any]], error: str = "") -> Run:
    clip = Clip("c", Path("c.flac"), "He hoped so.", "en", "read", 1.5, SAID)
    return Run(clip, Heard(list(messages), sent_s=1.5, audio_s=1.5), error)


def test_words_are_matched_with_those_that_were_said():
    one = run((0.9, partial("", "He")), (1.4, partial("He", "hopes")), (1.8, partial("He", "hoped")), (2.5, final("He hoped, so.")))
    assert first_shown(one, ALL) == pytest.approx([0.4, 0.8, 1.2])
    assert first_shown(one, STABLE) == pytest.approx([0.9, 1.5, 1.2])


def test_words_of_a_later_utterance_come_after_those_before():
    one = run((1.5, final("He hoped")), (1.7, partial("", "so")), (2.0, final("so", 1)))
    assert first_shown(one, ALL) == pytest.approx([1.0, 0.5, 0.4])


def test_a_word_that_never_comes_has_no_latency():
    assert first_shown(run((2.0, final("He hoped"))), ALL) == pytest.approx([1.5, 1.0])


def test_figures_leave_out_what_failed():
    found = figures([run((2.0, final("He hoped so."))), run(error="ConnectionClosed")])
    assert found["failed"] == 1 and found["word_error"] == 0
    assert found["final_p50_s"] == pytest.approx(0.5)
    wrong = figures([run((1.2, final("He hopped so.")))])
    assert wrong["word_error"] == pytest.approx(1 / 3)
    assert wrong["final_p50_s"] == 0, "out before the end of the clip is not before nothing"
