"""One utterance: what it tells."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from model.interfaces import DecodeContext, Hypothesis, StepRequest, UtteranceId, Word
from streaming.context import Context
from streaming.events import FinalTranscript, PartialTranscript, SpeechEnded, SpeechStarted
from streaming.planner import PlannerConfig
from streaming.segmenter import Began, Went
from streaming.utterance import Utterance

NO_CONTEXT = Context(16_000, np.zeros(0, np.float32))


def utterance(*, partials: bool = True, context: Context = NO_CONTEXT, language: str | None = None) -> Utterance:
    """Begun at 1 s, with a voice at the end of its first second."""
    began = Began(16_000, np.zeros(16_000, np.float32), 32_000)
    made = Utterance(UtteranceId("s", 3), began, context, PlannerConfig(), DecodeContext(language), partials=partials)
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
        FinalTranscript(3, (HALLO,), 16_000, 36_000, "fr", 0.8, "finalize", ("fr",)),
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


def test_words_are_told_in_order_however_the_recogniser_times_them():
    made = utterance()
    words = (Word(" one", 16_500, 19_000, 1.0), Word(" two", 18_000, 18_500, 1.0), Word(" three", 18_200, 20_000, 1.0))
    made.answer(answer(made.next_request(0.0), *words))
    told = [(word.start, word.end) for word in made.events[-1].unstable]
    assert told == [(16_500, 19_000), (19_000, 19_000), (19_000, 20_000)]


def test_an_utterance_without_audio_needs_no_recogniser():
    began = Began(16_000, np.zeros(0, np.float32), 16_000)
    made = Utterance(UtteranceId("s", 0), began, NO_CONTEXT, PlannerConfig(), DecodeContext(), partials=True)
    made.finish(16_000, "close")
    assert made.final is not None and made.final.words == ()


# speech without words is heard anew


def say(made: Utterance, seconds: float) -> None:
    """More voice."""
    for _ in range(round(seconds * 50)):
        made.hear(Went(np.full(320, 0.25, np.float32), 0, made.planner.end + 320))


def heard(request: StepRequest, language: str, *words: Word, confidence: float = 0.9) -> Hypothesis:
    return replace(answer(request, *words), language=language, language_confidence=confidence)


ONE, TWO = Word(" one", 16_000, 22_000, 0.9), Word(" two", 23_000, 30_000, 0.9)
TROIS = Word(" trois", 36_000, 50_000, 0.9)


def deaf(made: Utterance, *words: Word) -> StepRequest:
    """What is asked next, since there was speech behind these words that had none."""
    made.answer(heard(made.next_request(0.0), "en", *words))
    say(made, 1.5)
    made.answer(heard(made.next_request(0.0), "en", *words))
    say(made, 0.4)
    request = made.next_request(0.0)
    assert request is not None
    return request


def test_another_language_is_heard_anew_behind_the_words_before_it():
    made, last = utterance(), replace(TROIS, end=58_000)
    whole = deaf(made, ONE, TWO)
    assert whole.whole_window and not made.planner.take_left_stream()
    made.answer(heard(whole, "en", ONE, TWO))
    assert made.planner.take_left_stream() and made.events[-1].stable == (ONE, TWO)
    anew = made.next_request(0.0)
    assert anew.start == TWO.end and not anew.stable and anew.roll is None
    assert len(anew.samples) == made.planner.end - TWO.end and (anew.samples[2_000:] == 0.25).all()
    made.answer(heard(anew, "fr", last))
    made.finish(made.planner.end, "endpoint")
    made.answer(heard(made.next_request(0.0), "fr", last))
    assert made.final.words == (ONE, TWO, last)
    assert (made.final.language, made.final.languages) == ("en", ("en", "fr"))


@pytest.mark.parametrize(("confidence", "is_anew"), [(0.7, True), (0.9, False)])
def test_speech_that_had_no_words_at_first_and_doubtful_ones_then_is_heard_anew(confidence: float, is_anew: bool):
    made = utterance()
    whole = deaf(made, ONE, TWO)
    assert whole.whole_window
    made.answer(heard(whole, "en", ONE, TWO, replace(TROIS, end=58_000, confidence=confidence)))
    assert made.planner.take_left_stream() == is_anew


def test_in_a_given_language_it_waits_for_the_end():
    made = utterance(language="en")
    assert not deaf(made, ONE, TWO).whole_window and not made.planner.take_left_stream()


def test_behind_doubtful_words_nothing_is_heard_anew():
    made = utterance()
    guessed = tuple(replace(word, confidence=0.3) for word in (ONE, TWO))
    whole = deaf(made, *guessed)
    assert whole.whole_window
    made.answer(heard(whole, "en", *guessed))
    assert not made.planner.take_left_stream()


def test_a_last_pass_that_leaves_speech_out_is_not_the_last():
    made = utterance(partials=False)
    say(made, 1.2)
    made.finish(made.planner.end, "endpoint")
    made.answer(heard(made.next_request(0.0), "en", ONE, TWO))
    assert made.final is None
    made.answer(heard(made.next_request(0.0), "fr", TROIS))
    assert made.final.words == (ONE, TWO, TROIS)


@pytest.mark.parametrize(("text", "told"), [(" trois", " trois"), ("trois", " trois"), ("三", "三")])
def test_what_comes_before_the_words_is_heard_alone(text: str, told: str):
    made = utterance(partials=False)
    say(made, 2.5)
    made.finish(made.planner.end, "endpoint")
    stretched = Word(text, 16_000, 66_000, 0.9)
    made.answer(heard(made.next_request(0.0), "fr", stretched))
    alone = made.next_request(0.0)
    assert (alone.start, len(alone.samples), alone.is_final) == (16_000, 66_000 - 16_000 - 16_000, True)
    made.answer(heard(alone, "en", ONE, TWO))
    assert made.final.words == (ONE, TWO, replace(stretched, text=told, start=TWO.end))
    assert made.final.languages == ("fr", "en")


def test_a_language_that_takes_over_does_not_take_back_what_was_said_in_another_one():
    made = utterance()
    say(made, 1.0)
    late = replace(TWO, start=40_000, end=46_000)
    made.answer(heard(made.next_request(0.0), "en", ONE, late))
    say(made, 1.5)
    made.answer(heard(made.next_request(0.0), "fr", Word(" trois", 16_000, 71_000, 0.9)))
    assert made.planner.take_left_stream() and made.next_request(0.0).start == late.end


def test_noise_that_is_heard_anew_adds_nothing_and_is_not_heard_again():
    made = utterance(partials=False)
    say(made, 1.2)
    made.finish(made.planner.end, "endpoint")
    made.answer(heard(made.next_request(0.0), "en", ONE, TWO))
    made.answer(heard(made.next_request(0.0), "la", TROIS, confidence=0.2))
    assert made.final.words == (ONE, TWO)


def test_what_follows_a_context_in_another_language_is_heard_without_it():
    context = Context(8_000, np.zeros(8_000, np.float32), (Word(" zero", 9_000, 15_000, 0.9),))
    made = utterance(context=context)
    say(made, 0.3)
    made.finish(made.planner.end, "endpoint")
    made.answer(heard(made.next_request(0.0), "en", *context.words))
    alone = made.next_request(0.0)
    assert (alone.start, alone.stable) == (16_000, ())
    made.answer(heard(alone, "fr", HALLO))
    assert (made.final.words, made.final.languages) == ((HALLO,), ("fr",))


@pytest.mark.parametrize(("confidence", "in_language", "is_anew"), [(0.6, 0.6, True), (0.9, 0.6, False), (0.6, 0.9, False)])
def test_doubtful_words_in_the_doubtful_language_of_a_context_are_heard_without_it(
    confidence: float, in_language: float, is_anew: bool
):
    context = Context(8_000, np.zeros(8_000, np.float32), (Word(" zero", 9_000, 15_000, 0.9),))
    made = utterance(context=context)
    doubtful = replace(HALLO, confidence=confidence)
    made.answer(heard(made.next_request(0.0), "en", *context.words, doubtful, confidence=in_language))
    assert made.planner.take_left_stream() == is_anew
    if is_anew:
        anew = made.next_request(0.0)
        assert anew.start == 16_000 and made.events == [SpeechStarted(3, 16_000)]
        made.answer(heard(anew, "fr", HALLO))
        made.finish(made.planner.end, "endpoint")
        made.answer(heard(made.next_request(0.0), "fr", HALLO))
        assert (made.final.words, made.final.languages) == ((HALLO,), ("fr",))
