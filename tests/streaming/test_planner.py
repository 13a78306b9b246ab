"""What is asked of the recogniser, and when."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from model.interfaces import DecodeContext, Hypothesis, StepRequest, UtteranceId, Word
from streaming.context import Context
from streaming.planner import Planner, PlannerConfig
from streaming.segmenter import Began, Went

CONFIG = PlannerConfig()
FRAME = 320
START = 16_000


class Driven:
    """A planner fed by duration: voice or silence, frame by frame, asked after each frame."""

    def __init__(self, config: PlannerConfig = CONFIG, *, partials: bool = True) -> None:
        self.planner = Planner(
            UtteranceId("s", 0), Began(START, np.zeros(0, np.float32), START), config, DecodeContext("en"), partials=partials
        )
        self._voiced_end = self._end = START
        self.asked: list[StepRequest] = []

    def hear(self, voiced_ms: int = 0, silent_ms: int = 0) -> list[StepRequest]:
        """The requests made meanwhile; they stay unanswered."""
        before = len(self.asked)
        for i in range((voiced_ms + silent_ms) // 20):
            self._end += FRAME
            self._voiced_end = self._end if i < voiced_ms // 20 else self._voiced_end
            silence_ms = (self._end - self._voiced_end) // 16
            self.planner.hear(Went(np.full(FRAME, self._end, np.float32), silence_ms, self._voiced_end))
            self.ask()
        return self.asked[before:]

    def ask(self, stable: tuple[Word, ...] = ()) -> StepRequest | None:
        request = self.planner.next_request(1.0, stable)
        self.asked += [request] if request else []
        return request

    def answer(self, request: StepRequest | None = None) -> bool:
        request = request or self.asked[-1]
        end = request.start + len(request.samples)
        whole = request.whole_window or request.is_final
        return self.planner.answered(Hypothesis(request.utterance, request.revision, (), end, request.is_final, whole))


def ms(request: StepRequest) -> float:
    return len(request.samples) / 16


def test_partials_come_at_their_interval_and_wait_for_the_answer_before():
    driven = Driven()
    (first,) = driven.hear(voiced_ms=1_000)
    assert (ms(first), first.start, first.revision, first.whole_window, first.is_final) == (500, START, 0, False, False)
    assert first.context == DecodeContext("en")
    driven.answer()
    second = driven.ask()
    assert (ms(second), second.start, second.revision) == (500, START + 8_000, 1)
    driven.answer()
    (third,) = driven.hear(voiced_ms=600)
    assert ms(third) == CONFIG.partial_interval_ms


def test_late_answers_are_known_by_their_revision():
    driven = Driven()
    (first,) = driven.hear(voiced_ms=1_000)
    assert driven.answer(first)
    assert not driven.answer(first)
    driven.ask()
    assert not driven.answer(first)


def test_silence_asks_for_the_whole_window_up_to_it_once():
    driven = Driven()
    driven.hear(voiced_ms=600)
    driven.answer()
    (speculative,) = driven.hear(silent_ms=400)
    assert speculative.whole_window and not speculative.is_final
    assert speculative.start + len(speculative.samples) == START + (600 + CONFIG.speculate_after_ms) * 16
    assert not driven.planner.is_covered(True)
    driven.answer()
    assert driven.planner.is_covered(True) and not driven.planner.is_covered(False)
    assert driven.ask() is None


def test_speech_that_resumes_takes_the_covering_back():
    driven = Driven()
    driven.hear(voiced_ms=600)
    driven.answer()
    driven.hear(silent_ms=300)
    driven.answer()
    driven.hear(voiced_ms=100)
    assert not driven.planner.is_covered(True)
    (partial,) = driven.hear(voiced_ms=400)
    assert not partial.whole_window
    assert partial.start == START + (600 + CONFIG.speculate_after_ms) * 16, "the silence that was held back goes with it"


def test_the_end_asks_for_the_rest_and_then_for_nothing():
    driven = Driven()
    driven.hear(voiced_ms=300)
    driven.planner.is_ended = True
    final = driven.ask()
    assert (final.is_final, final.whole_window, ms(final)) == (True, True, 300)
    driven.answer()
    assert driven.ask() is None


def test_without_partials_only_silence_and_a_full_window_ask():
    driven = Driven(partials=False)
    assert driven.hear(voiced_ms=15_900) == []
    (full,) = driven.hear(voiced_ms=200)
    assert full.whole_window and ms(full) == CONFIG.high_mark_ms
    short = Driven(partials=False)
    assert [request.whole_window for request in short.hear(voiced_ms=900, silent_ms=300)] == [True]


def test_audio_beyond_the_most_is_held_back_until_the_window_has_rolled():
    driven = Driven()
    driven.hear(voiced_ms=1_000)
    driven.hear(voiced_ms=40_000)
    driven.answer()
    request = driven.ask()
    assert request.whole_window
    assert request.start + len(request.samples) == START + CONFIG.most_ms * 16
    driven.planner.is_ended = True
    driven.answer()
    driven.planner.roll(words("a b c d e f g h i j k l m n o p q r s t u v w x y"))
    final = driven.ask()
    assert final.is_final and final.roll is not None
    assert final.start + len(final.samples) == driven.planner.end


def words(text: str, start: int = START, length: int = 16_000, gap: int = 0) -> tuple[Word, ...]:
    starts = [start + i * (length + gap) for i in range(len(text.split()))]
    return tuple(Word(" " + w, at, at + length, 1.0) for w, at in zip(text.split(), starts, strict=True))


def full_window(*, seconds: int = 18) -> Driven:
    driven = Driven(PlannerConfig(first_partial_ms=seconds * 1_000))
    driven.hear(voiced_ms=seconds * 1_000)
    driven.answer()
    return driven


def test_a_window_that_is_not_full_does_not_roll():
    driven = full_window(seconds=15)
    assert driven.planner.roll(words("a b c")) == ()


def test_a_cut_is_made_after_a_sentence_then_in_the_widest_gap_and_late():
    sentence = words("a b c d e f g h. i j k l m n o p q r")
    assert full_window().planner.roll(sentence) == sentence[:8]
    plain = words("a b c d e f g h i j k l m n o p q r")
    assert full_window().planner.roll(plain) == plain[:16], "two seconds stay"
    gap = plain[:9] + tuple(Word(w.text, w.start + 800, w.end, 1.0) for w in plain[9:10]) + plain[10:]
    driven = full_window()
    assert driven.planner.roll(gap) == gap[:9]
    assert driven.hear(voiced_ms=18_000)[0].roll.keep_from == gap[8].end + 400


def test_where_there_is_no_boundary_the_last_seconds_stay():
    driven = full_window()
    assert driven.planner.roll(()) == ()
    request = driven.hear(voiced_ms=18_000)[0]
    assert request.roll.keep_from == START + (18_000 - CONFIG.fallback_ms) * 16


@pytest.mark.parametrize(("start_s", "end_s", "kept_from_s"), [(9.0, 17.0, 9.0), (2.0, 17.0, 10.0)])
def test_a_word_is_not_cut_unless_nothing_else_would_be_dropped(start_s, end_s, kept_from_s):
    word = Word(" long", START + round(start_s * 16_000), START + round(end_s * 16_000), 1.0)
    driven = full_window()
    committed = driven.planner.roll((word,))
    assert committed == (() if kept_from_s == start_s else (word,))
    assert driven.hear(voiced_ms=18_000)[0].roll.keep_from == START + round(kept_from_s * 16_000)


def test_context_comes_before_the_first_request_and_does_not_hurry_it():
    driven = Driven()
    driven.planner.precede(Context(START - 3_200, np.ones(3_200, np.float32)))
    (first,) = driven.hear(voiced_ms=1_000)
    assert first.start == START - 3_200
    assert len(first.samples) == 3_200 + CONFIG.first_partial_ms * 16
    assert driven.planner.start == START


def test_backlog_is_what_waits_for_the_recogniser():
    driven = Driven()
    driven.hear(voiced_ms=480)
    assert driven.planner.backlog == 0, "only being gathered"
    driven.hear(voiced_ms=520)
    assert driven.planner.backlog == 16_000
    driven.answer()
    assert driven.planner.backlog == 0
    driven.ask()
    assert driven.planner.backlog == 8_000
    quiet = Driven(partials=False)
    quiet.hear(voiced_ms=10_000)
    assert quiet.planner.backlog == 0 and quiet.planner.uncovered == 160_000


def test_partials_are_as_far_apart_as_the_device_asks():
    driven = Driven()
    driven.hear(voiced_ms=1_000)
    driven.answer()
    driven.planner.next_request(1.0, (), 1_500)
    asked = []
    for i in range(200):
        driven.planner.hear(Went(np.full(FRAME, i, np.float32), 0, START + (50 + i) * FRAME))
        if request := driven.planner.next_request(1.0, (), 1_500):
            asked.append(ms(request))
            driven.answer(request)
    assert asked[0] >= 1_500 and asked[1] == 1_500


@pytest.mark.parametrize("interval_ms", [0, 1_500, 100_000])
def test_an_end_is_asked_for_whatever_the_interval(interval_ms: int):
    driven = Driven()
    driven.hear(voiced_ms=1_000)
    driven.answer()
    driven.planner.is_ended = True
    request = driven.planner.next_request(1.0, (), interval_ms)
    assert request is not None and request.is_final


def test_partials_ask_for_what_follows_the_settled_words_and_whole_windows_for_all_but_the_stable_ones():
    driven, said = Driven(), tuple(Word(f" {text}", START, START + FRAME, 0.9) for text in "ab")
    driven.hear(voiced_ms=1_000)
    driven.answer()
    for is_doubted, asked in ((False, said), (True, said[:1])):
        driven.planner.is_doubted = is_doubted
        for i in range(50):
            driven.planner.hear(Went(np.full(FRAME, i, np.float32), 0, driven.planner.end + FRAME))
        request = driven.planner.next_request(1.0, said[:1], 0, said)
        assert request is not None and (request.stable, request.whole_window) == (asked, is_doubted)
        assert request.stable + request.settled == said
        driven.answer(request)
    driven.planner.is_ended = True
    request = driven.planner.next_request(1.0, said[:1], 0, said)
    assert request is not None and request.is_final and (request.stable, request.settled) == (said[:1], said[1:])


def test_audio_that_only_waits_for_the_interval_is_no_backlog():
    driven = Driven()
    driven.hear(voiced_ms=1_000)
    driven.answer()
    for i in range(60):
        driven.planner.hear(Went(np.full(FRAME, i, np.float32), 0, START + (50 + i) * FRAME))
        driven.planner.next_request(1.0, (), 2_000)
    assert driven.planner.uncovered > 0 and driven.planner.backlog == 0


def test_where_nobody_waits_a_pause_is_not_taken_for_the_end():
    driven = Driven(replace(CONFIG, speculates=False), partials=False)
    assert not driven.hear(voiced_ms=600, silent_ms=400)
    driven.planner.is_ended = True
    final = driven.ask()
    assert final is not None and final.is_final and final.start + len(final.samples) == START + 800 * 16
