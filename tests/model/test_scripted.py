"""The recogniser without weights: what it promises, since other tests lean on it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.interfaces import DecodeContext, Hypothesis, ModelFailure, Roll, Samples, StepRequest, UtteranceId, Word
from model.scripted import CELL, ScriptedRecogniser
from tests.helpers import silence, talk, voice

UTTERANCE = UtteranceId("s", 0)


def request(start: int, samples: Samples, *, whole: bool = True, final: bool = False, **more: object) -> StepRequest:
    return StepRequest(UTTERANCE, 0, start, samples, whole, final, 0.0, **more)


def ask(recogniser: ScriptedRecogniser, *args: object, **more: object) -> Hypothesis:
    return recogniser.step([request(*args, **more)])[0]


def text(hypothesis: Hypothesis) -> str:
    return "".join(word.text for word in hypothesis.words)


def test_a_word_for_each_loud_cell():
    hypothesis = ask(ScriptedRecogniser(), 0, talk(0.6, 0.9, 0.6, 0.3), final=True)
    assert [word.start // CELL for word in hypothesis.words] == [2, 3, 4, 7]
    assert hypothesis.audio_end == 8 * CELL
    assert hypothesis.is_final and hypothesis.whole_window


def test_silence_has_no_words():
    assert ask(ScriptedRecogniser(), 0, silence(3.0), final=True).words == ()


def test_other_audio_has_other_words():
    said = {text(ask(ScriptedRecogniser(), 0, voice(1.5, pitch_hz=pitch), final=True)) for pitch in (100, 130, 170)}
    assert len(said) == 3


@given(st.lists(st.integers(0, 9_000), max_size=8))
def test_a_whole_pass_does_not_depend_on_what_came_in_which_request(sizes):
    audio = talk(0.2, 1.3, 0.4, 0.7)
    recogniser, at = ScriptedRecogniser(), 0
    for size in sizes:
        piece = audio[at : at + size]
        ask(recogniser, at, piece, whole=False)
        at += len(piece)
    last = ask(recogniser, at, audio[at:], final=True)
    assert last.words == ask(ScriptedRecogniser(), 0, audio, final=True).words


def test_an_incremental_pass_is_unsure_of_the_last_words_only():
    audio = voice(3.0)
    partial, whole = (ask(ScriptedRecogniser(), 0, audio, whole=is_whole) for is_whole in (False, True))
    assert partial.words[:8] == whole.words[:8]
    assert partial.words[8:] != whole.words[8:]


def test_stable_words_come_first_as_they_are():
    audio, stable = voice(3.0), (Word(" given", 0, 2 * CELL + 10, 0.1),)
    hypothesis = ask(ScriptedRecogniser(), 0, audio, stable=stable)
    assert hypothesis.words[0] is stable[0]
    assert hypothesis.words[1].start == 3 * CELL


def test_a_roll_drops_audio_and_leaves_the_rest_as_it_was():
    audio, recogniser = voice(6.0), ScriptedRecogniser(max_window_s=6.0)
    before = ask(recogniser, 0, audio)
    after = ask(recogniser, len(audio), audio[:0], roll=Roll(5 * CELL, before.words[:5]))
    assert after.words == before.words[5:]
    ask(recogniser, len(audio), audio[: 5 * CELL])


def test_the_language_is_the_one_given():
    assert ask(ScriptedRecogniser(), 0, voice(1.0), context=DecodeContext("de")).language == "de"


def test_a_final_closes_the_stream_and_close_forgets_it():
    recogniser = ScriptedRecogniser()
    ask(recogniser, 0, voice(1.0))
    assert recogniser.open_streams == (UTTERANCE,)
    recogniser.close(UTTERANCE)
    recogniser.close(UTTERANCE)
    ask(recogniser, 500, voice(1.0), final=True)
    assert recogniser.open_streams == ()


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (request(15_999, voice(1.0)), "samples from 15999 .* expected from 16000"),
        (request(16_000, voice(1.5)), "a window of 40000 samples, expected at most 32000"),
        (request(16_000, voice(0.1), roll=Roll(16_001, ())), "a roll to 16001, expected 0 to 16000"),
        (
            StepRequest(UtteranceId("s", 1), 0, 0, np.zeros(0, np.float32), True, True, 0.0),
            "1 streams are open, expected at most 1",
        ),
    ],
)
def test_requests_that_do_not_fit_are_refused(bad, message):
    recogniser = ScriptedRecogniser(capacity=1, max_window_s=2.0)
    ask(recogniser, 0, voice(1.0))
    with pytest.raises(ModelFailure, match=message):
        recogniser.step([bad])
