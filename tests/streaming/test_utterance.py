"""One utterance: what it tells."""

from __future__ import annotations

import numpy as np

from model.interfaces import DecodeContext, Hypothesis, StepRequest, UtteranceId, Word
from streaming.context import Context
from streaming.events import FinalTranscript, PartialTranscript, SpeechEnded, SpeechStarted
from streaming.planner import PlannerConfig
from streaming.segmenter import Began, Went
from streaming.utterance import Utterance

NO_CONTEXT = Context(16_000, np.zeros(0, np.float32))


def utterance(*, partials: bool = True, context: Context = NO_CONTEXT) -> Utterance:
    """Begun at 1 s with 1 s of voice."""
    began = Began(16_000, np.zeros(16_000, np.float32), 32_000)
    made = Utterance(UtteranceId("s", 3), began, context, PlannerConfig(), DecodeContext(), partials=partials)
    made.begin(context)
    return made


def quiet(made: Utterance, until_ms: int) -> None:
    for silence_ms in range(20, until_ms + 1, 20):
        made.hear(Went(np.zeros(320, np.float32), silence_ms, 32_000))


def answer(request: StepRequest | None, *words: Word) -> Hypothesis:
    assert request is not None
    end = request.start + len(request.samples)
    whole = request.whole_window or request.is_final
    return Hypothesis(request.utterance, request.revision, words, end, request.is_final, whole, "fr", 0.8)


HALLO = Word(" hallo", 17_000, 30_000, 0.9)


def test_it_tells_partials_and_the_final():
    made = utterance()
    made.answer(answer(made.next_request(0.0), HALLO))
    assert made.events == [SpeechStarted(3, 16_000), PartialTranscript(3, 0, (), (HALLO,), 16_000, 32_000, "fr")]
    made.events.clear()
    made.finish(36_000, "finalize")
    made.answer(answer(made.next_request(0.0), HALLO))
    assert made.events == [
        FinalTranscript(3, (HALLO,), 16_000, 36_000, "fr", 0.8, "finalize"),
        SpeechEnded(3, 32_000),
    ]


def test_a_pass_over_all_the_speech_is_the_final_when_the_end_comes():
    made = utterance()
    quiet(made, 200)
    request = made.next_request(0.0)
    assert request.whole_window and not request.is_final
    made.answer(answer(request, HALLO))
    quiet(made, 300)
    made.finish(40_000, "endpoint")
    assert made.final is not None and made.final.words == (HALLO,)
    assert made.next_request(0.0) is None


def test_if_that_pass_is_still_under_way_the_final_waits_for_it():
    made = utterance()
    quiet(made, 200)
    request = made.next_request(0.0)
    made.finish(40_000, "endpoint")
    assert made.final is None and made.next_request(0.0) is None
    made.answer(answer(request, HALLO))
    assert made.final is not None


def test_if_speech_resumed_that_pass_is_a_partial():
    made = utterance()
    quiet(made, 200)
    made.answer(answer(made.next_request(0.0), HALLO))
    made.hear(Went(np.ones(320, np.float32), 0, 36_320))
    made.finish(36_320, "finalize")
    assert made.final is None
    assert made.next_request(0.0).is_final


def test_nothing_heard_is_told_once_in_the_final():
    made = utterance()
    made.answer(answer(made.next_request(0.0)))
    made.finish(36_000, "close")
    made.answer(answer(made.next_request(0.0)))
    assert [type(event) for event in made.events] == [SpeechStarted, FinalTranscript, SpeechEnded]
    assert made.final is not None and made.final.words == ()


def test_words_that_were_shown_and_vanish_are_taken_back():
    made = utterance()
    made.answer(answer(made.next_request(0.0), HALLO))
    made.events.clear()
    quiet(made, 200)
    made.answer(answer(made.next_request(0.0)))
    assert [(e.stable, e.unstable) for e in made.events] == [((), ())]


def test_of_partials_that_wait_only_the_newest_stays():
    made = utterance()
    made.answer(answer(made.next_request(0.0), HALLO))
    quiet(made, 200)
    made.answer(answer(made.next_request(0.0), HALLO))
    assert [e.revision for e in made.events if isinstance(e, PartialTranscript)] == [1]


def test_without_partials_there_is_only_the_final():
    made = utterance(partials=False)
    quiet(made, 200)
    made.answer(answer(made.next_request(0.0), HALLO))
    assert made.events == [SpeechStarted(3, 16_000)]
    made.finish(40_000, "endpoint")
    assert made.final is not None and made.final.words == (HALLO,)


def test_a_failure_keeps_the_stable_words_and_is_the_end():
    made = utterance()
    made.answer(answer(made.next_request(0.0), HALLO))
    made.fail(36_000)
    made.fail(36_000)
    assert [(e.words, e.reason, e.end) for e in made.events if isinstance(e, FinalTranscript)] == [((), "error", 36_000)]


def test_words_of_the_context_are_not_told_again_and_words_are_told_within_the_utterance():
    before = Word(" before", 2_000, 9_000, 1.0)
    made = utterance(context=Context(1_000, np.zeros(15_000, np.float32), (before,)))
    request = made.next_request(0.0)
    assert request.stable == (before,) and request.start == 1_000
    early = Word(" early", 15_000, 20_000, 1.0)
    made.answer(answer(request, before, early))
    assert made.events[-1].unstable == (Word(" early", 16_000, 20_000, 1.0),)


def test_an_utterance_without_audio_needs_no_recogniser():
    began = Began(16_000, np.zeros(0, np.float32), 16_000)
    made = Utterance(UtteranceId("s", 0), began, NO_CONTEXT, PlannerConfig(), DecodeContext(), partials=True)
    made.finish(16_000, "close")
    assert made.final is not None and made.final.words == ()
