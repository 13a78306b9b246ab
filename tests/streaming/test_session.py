"""The core: commands and hypotheses in, events and requests out."""

from __future__ import annotations

import gc
import sys
from dataclasses import replace

import numpy as np
import pytest

from model.interfaces import Hotword, Hypothesis, StepRequest, UtteranceId
from model.scripted import ScriptedRecogniser
from streaming.channels import session_of
from streaming.commands import (
    Append,
    AudioFormat,
    Bias,
    Close,
    Configure,
    Encoding,
    EndpointingConfig,
    Finalize,
    Flush,
    KeepAlive,
    SessionConfig,
)
from streaming.errors import LimitExceeded, Overloaded, ProtocolViolation, RecogniserFailed, UnsupportedAudio
from streaming.events import (
    Biased,
    Closed,
    Configured,
    ErrorEvent,
    Event,
    FinalTranscript,
    Flushed,
    PartialTranscript,
    SpeechEnded,
    SpeechStarted,
    UtteranceGap,
    Warned,
)
from streaming.session import Session, SessionLimits
from streaming.text.style import TextStyle
from tests.helpers import cut, paced, s16, silence, talk, transcribe, voice

SPEECH = s16(talk(0.5, 1.5))
SHARED = (Hotword("shared"),)


def heard(made: Session, pcm: bytes) -> list[StepRequest]:
    """What is asked once this has come."""
    made.receive(Append(pcm), now=0.0)
    return answer(made, ScriptedRecogniser())


def session(config: SessionConfig | None = None, **limits: float) -> Session:
    made = Session("s", SessionLimits(**limits))
    made.receive(Configure(config or SessionConfig()), now=0.0)
    made.events_to_send()
    return made


def errors(made: Session) -> list[Event]:
    return [event.error for event in made.events_to_send() if isinstance(event, ErrorEvent)]


def kinds(events: list[Event]) -> list[type]:
    return [type(event) for event in events]


def answer(made: Session, recogniser: ScriptedRecogniser, *, now: float = 0.0) -> list[StepRequest]:
    """Let the recogniser answer until nothing more is asked."""
    asked: list[StepRequest] = []
    while requests := made.requests_to_submit(now=now):
        asked += requests
        for hypothesis in recogniser.step(requests):
            made.receive_hypothesis(hypothesis, now=now)
    return asked


# configuration


def test_configuration_is_answered_with_what_was_taken():
    made = Session("s", SessionLimits())
    config = SessionConfig(hotwords=(Hotword(" a  b "),))
    made.receive(Configure(config), now=0.0)
    assert made.events_to_send() == [Configured(SessionConfig(hotwords=(Hotword("a b"),)))]


def test_hotwords_change_in_the_middle_of_an_utterance():
    made = Session("s", SessionLimits(), shared=lambda names: (SHARED,) if names else ())
    made.receive(Configure(SessionConfig(hotwords=(Hotword("old"),))), now=0.0)
    asked = heard(made, SPEECH)
    made.receive(Bias((Hotword("new"),), ("shared",)), now=0.0)
    asked += heard(made, SPEECH)
    lists = [request.context.hotwords for request in asked]
    assert lists[0] == ((Hotword("old"),),) and lists[-1] == ((Hotword("new"),), SHARED)
    assert Biased(SessionConfig(hotwords=(Hotword("new"),), hotword_lists=("shared",))) in made.events_to_send()


def test_bad_hotwords_leave_those_that_were_there():
    made = Session("s", SessionLimits())
    made.receive(Configure(SessionConfig(hotwords=(Hotword("old"),))), now=0.0)
    made.receive(Bias((Hotword("x" * 101),)), now=0.0)
    made.receive(Bias((), ("no such list",)), now=0.0)
    errors = [event.error.field for event in made.events_to_send() if isinstance(event, ErrorEvent)]
    asked = heard(made, SPEECH)
    assert errors == ["hotwords", "hotword_lists"] and asked[0].context.hotwords == ((Hotword("old"),),)


@pytest.mark.parametrize("command", [Append(b"ab"), Finalize(), Flush("x")])
def test_what_comes_before_the_configuration_is_an_error_and_the_session_lives(command):
    made = Session("s", SessionLimits())
    made.receive(command, now=0.0)
    (error,) = errors(made)
    assert isinstance(error, ProtocolViolation) and "waiting for its configuration" in error.message
    made.receive(Configure(SessionConfig()), now=0.0)
    assert kinds(made.events_to_send()) == [Configured]


@pytest.mark.parametrize(
    ("config", "fault", "field"),
    [
        (SessionConfig(audio=AudioFormat(sample_rate=96_000)), UnsupportedAudio, "sample_rate"),
        (SessionConfig(audio=AudioFormat(channels=0)), UnsupportedAudio, "channels"),
        (SessionConfig(endpointing=EndpointingConfig(silence_ms=1)), LimitExceeded, "silence_ms"),
        (SessionConfig(hotwords=(Hotword("x" * 101),)), LimitExceeded, "hotwords"),
    ],
)
def test_a_configuration_that_cannot_be_is_refused_as_a_whole(config, fault, field):
    made = Session("s", SessionLimits())
    made.receive(Configure(config), now=0.0)
    (error,) = errors(made)
    assert type(error) is fault and error.field == field
    made.receive(Append(b""), now=0.0)
    assert isinstance(errors(made)[0], ProtocolViolation), "still waiting for a configuration"


def test_settings_may_change_and_the_format_only_before_audio():
    made = session()
    made.receive(Configure(SessionConfig(audio=AudioFormat(Encoding.MULAW, 8_000))), now=0.0)
    assert kinds(made.events_to_send()) == [Configured]
    made.receive(Append(bytes([0xFF]) * 800), now=0.0)
    made.receive(Configure(SessionConfig()), now=0.0)
    (error,) = errors(made)
    assert isinstance(error, ProtocolViolation) and error.field == "audio"
    changed = SessionConfig(audio=AudioFormat(Encoding.MULAW, 8_000), language="de")
    made.receive(Configure(changed), now=0.0)
    assert made.events_to_send() == [Configured(changed)]


def test_changed_endpointing_counts_at_once():
    patient = SessionConfig(endpointing=EndpointingConfig(silence_ms=3_000))
    made, recogniser = session(patient), ScriptedRecogniser()
    made.receive(Configure(SessionConfig(endpointing=EndpointingConfig(silence_ms=200))), now=0.0)
    made.receive(Append(s16(talk(0.5, 1.0, 0.5))), now=0.0)
    answer(made, recogniser)
    assert FinalTranscript in kinds(made.events_to_send())


# utterances


def test_an_utterance_from_its_start_to_its_final():
    events = transcribe(paced(cut(s16(talk(0.5, 2.0, 1.0)), [640] * 200), 32_000))
    told = [kind for kind in kinds(events) if kind is not PartialTranscript]
    assert told == [Configured, SpeechStarted, FinalTranscript, SpeechEnded, Closed]
    final = next(event for event in events if isinstance(event, FinalTranscript))
    assert final.reason == "endpoint" and final.language == "en"
    assert 0.15 < final.start / 16_000 <= 0.5
    assert final.end / 16_000 == pytest.approx(3.0, abs=0.1)
    assert [w.start // 4_800 for w in final.words] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert events[-1] == Closed(1000, "closed", 56_000, 1, 8)


def test_a_final_is_there_at_the_endpoint_and_the_stream_is_given_back():
    made, recogniser = session(), ScriptedRecogniser()
    at_endpoint: list[StepRequest] = []
    for piece in cut(s16(talk(0.5, 1.5, 1.0)), [640] * 200):
        made.receive(Append(piece), now=0.0)
        events = made.events_to_send()
        at_endpoint += [r for r in answer(made, recogniser) if r.is_final]
        if FinalTranscript in kinds(events):
            break
    else:
        pytest.fail("no final came with the audio alone")
    assert at_endpoint == []
    assert made.streams_to_close() == list(recogniser.open_streams) == [UtteranceId("s", 0)]
    assert made.streams_to_close() == []


def test_finals_come_in_order_and_what_is_later_waits():
    made, recogniser = session(), ScriptedRecogniser()
    made.receive(Append(s16(talk(0.5, 1.0, 1.0, 1.0, 1.0))), now=0.0)
    made.receive(Flush("end"), now=0.0)
    assert kinds(made.events_to_send()) == [SpeechStarted]
    asked = answer(made, recogniser)
    assert [request.utterance.number for request in asked] == [0, 1]
    assert kinds(made.events_to_send()) == [FinalTranscript, SpeechEnded, SpeechStarted, FinalTranscript, SpeechEnded, Flushed]


def test_the_next_utterance_is_heard_with_what_came_before_it():
    made, recogniser = session(), ScriptedRecogniser()
    made.receive(Append(s16(talk(0.5, 1.0, 0.8, 1.0, 1.0))), now=0.0)
    first, second = answer(made, recogniser)
    final = next(event for event in made.events_to_send() if isinstance(event, FinalTranscript))
    assert second.stable == final.words
    assert second.start <= final.words[0].start
    off = Session("s", SessionLimits(context_ms=0))
    off.receive(Configure(SessionConfig()), now=0.0)
    off.receive(Append(s16(talk(0.5, 1.0, 0.8, 1.0, 1.0))), now=0.0)
    assert [request.stable for request in answer(off, ScriptedRecogniser())] == [(), ()]


class Hesitant(ScriptedRecogniser):
    """Says um before each word that was not said yet."""

    def _answer(self, request: StepRequest) -> Hypothesis:
        found, count = super()._answer(request), len(request.stable)
        new = [
            (replace(w, text=" um,", end=(w.start + w.end) // 2), replace(w, start=(w.start + w.end) // 2))
            for w in found.words[count:]
        ]
        return replace(found, words=(*request.stable, *(word for pair in new for word in pair)))


def test_the_recogniser_gets_back_its_own_words_and_the_peer_does_not():
    made = session(SessionConfig(text=TextStyle(fillers=False)))
    made.receive(Append(s16(talk(0.5, 1.0, 0.8, 1.0, 1.0))), now=0.0)
    first, second = answer(made, Hesitant())
    finals = [event for event in made.events_to_send() if isinstance(event, FinalTranscript)]
    assert all("um" not in word.text for final in finals for word in final.words)
    assert [w.text for w in second.stable][::2] == [" um,"] * len(finals[0].words)
    assert [w.text.strip().lower() for w in second.stable][1::2] == [w.text.strip().lower() for w in finals[0].words]


def test_finalize_ends_an_utterance_in_mid_speech_and_the_next_goes_on_from_there():
    events = transcribe([(0.0, Append(SPEECH)), (0.1, Finalize()), (0.2, Append(s16(voice(1.0)))), (0.3, Close())])
    first, second = (event for event in events if isinstance(event, FinalTranscript))
    assert (first.reason, second.reason) == ("finalize", "close")
    assert first.end == 32_000 <= second.start
    assert [e.marker for e in events if isinstance(e, Flushed)] == [None]


def test_word_gaps_are_told_once_after_the_final():
    config = SessionConfig(endpointing=EndpointingConfig(word_gap_ms=1_000))
    events = transcribe(paced(cut(s16(talk(0.5, 1.0, 3.0)), [640] * 400), 32_000), config)
    told = [event for event in events if isinstance(event, FinalTranscript | UtteranceGap)]
    assert kinds(told) == [FinalTranscript, UtteranceGap]
    assert told[1].last_word_end == told[0].words[-1].end


def test_late_and_foreign_hypotheses_change_nothing():
    made, recogniser = session(), ScriptedRecogniser()
    made.receive(Append(SPEECH), now=0.0)
    (request,) = made.requests_to_submit(now=0.0)
    (hypothesis,) = recogniser.step([request])
    made.events_to_send()
    foreign = Hypothesis(UtteranceId("s", 7), 0, hypothesis.words, 100, True)
    stale = Hypothesis(UtteranceId("s", 0), 5, hypothesis.words, 100, False)
    for odd in (foreign, stale):
        made.receive_hypothesis(odd, now=0.0)
        assert made.events_to_send() == []
    made.receive_hypothesis(hypothesis, now=0.0)
    assert kinds(made.events_to_send()) == [PartialTranscript]
    made.receive_hypothesis(hypothesis, now=0.0)
    assert made.events_to_send() == []


# faults


def test_a_failed_recogniser_ends_the_utterance_and_not_the_session():
    made, recogniser = session(), ScriptedRecogniser()
    made.receive(Append(SPEECH), now=0.0)
    (request,) = made.requests_to_submit(now=0.0)
    made.events_to_send()
    made.fail(request.utterance, RecogniserFailed("broken"), now=0.0)
    error, final, ended = made.events_to_send()
    assert isinstance(error, ErrorEvent) and not error.is_fatal
    assert isinstance(final, FinalTranscript) and final.reason == "error"
    assert isinstance(ended, SpeechEnded)
    made.fail(request.utterance, RecogniserFailed("again"), now=0.0)
    assert made.events_to_send() == []
    made.receive(Append(s16(talk(0.0, 1.0, 1.0))), now=0.0)
    answer(made, recogniser)
    assert [e.utterance for e in made.events_to_send() if isinstance(e, FinalTranscript) and e.words] == [1]


def test_bad_samples_refuse_their_payload_only():
    made = session(SessionConfig(audio=AudioFormat(Encoding.F32LE)))
    made.receive(Append(talk(0.5, 0.5).astype("<f4").tobytes()), now=0.0)
    made.receive(Append(np.array([0, np.nan], "<f4").tobytes()), now=0.0)
    (error,) = errors(made)
    assert isinstance(error, UnsupportedAudio) and "sample 16001" in error.message
    made.receive(Append(talk(0.0, 0.5).astype("<f4").tobytes()), now=0.0)
    made.receive_eof(now=0.0)
    answer(made, ScriptedRecogniser())
    assert made.events_to_send()[-1].audio == 24_000


def test_more_audio_than_can_wait_is_refused_until_there_is_room():
    made, recogniser = session(max_backlog_s=5.0), ScriptedRecogniser()
    made.receive(Append(s16(voice(6.0))), now=0.0)
    assert made.backlog == pytest.approx(6.0, abs=0.1)
    made.events_to_send()
    made.receive(Append(s16(voice(1.0))), now=0.0)
    (error,) = errors(made)
    assert isinstance(error, Overloaded) and "at most 5 s" in error.message
    answer(made, recogniser)
    assert made.backlog < 1.0
    made.receive(Append(s16(voice(1.0))), now=0.0)
    assert errors(made) == []


def test_silence_is_no_backlog():
    made = session()
    made.receive(Append(s16(silence(30.0))), now=0.0)
    assert made.backlog == 0.0


# ends


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (lambda s: s.receive(Close(), now=1.0), 1000),
        (lambda s: s.receive_eof(now=1.0), 1000),
        (lambda s: s.shut_down(now=1.0), 1012),
        (lambda s: s.abort(Overloaded("too much"), now=1.0), 1013),
        (lambda s: s.tick(now=61.0), 1008),
    ],
)
def test_every_end_finishes_what_was_heard_and_closes_once(end, code):
    made = session()
    made.receive(Append(SPEECH), now=0.0)
    end(made)
    assert not made.is_closed
    answer(made, ScriptedRecogniser())
    end(made)
    events = made.events_to_send()
    assert made.is_closed and made.next_deadline() is None
    assert sum(isinstance(event, FinalTranscript) for event in events) == 1
    assert isinstance(events[-1], Closed) and events[-1].code == code
    for command in (Append(b"ab"), Close(), KeepAlive(), Flush("x")):
        made.receive(command, now=2.0)
    assert made.events_to_send() == []


LATE = (Append(SPEECH), Finalize(), Flush("x"), Configure(SessionConfig()), Bias(()))


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(
    "end", [lambda s: s.shut_down(now=1.0), lambda s: s.abort(Overloaded("too much"), now=1.0), lambda s: s.tick(now=61.0)]
)
def test_what_comes_while_the_server_ends_the_session_is_dropped(end, channels):
    made = session_of("s", channels, lambda name: Session(name, SessionLimits()))
    made.receive(Configure(SessionConfig(AudioFormat(channels=channels))), now=0.0)
    made.receive(Append(SPEECH), now=0.0)
    end(made)
    made.events_to_send()
    for command in LATE:
        made.receive(command, now=2.0)
    assert made.events_to_send() == [] and not made.is_closed


def test_what_comes_after_the_client_said_stop_is_its_fault():
    made = session()
    made.receive(Append(SPEECH), now=0.0)
    made.receive(Close(), now=1.0)
    made.events_to_send()
    for command in LATE:
        made.receive(command, now=2.0)
        (error,) = errors(made)
        assert isinstance(error, ProtocolViolation) and "while the session was closing" in error.message


def test_a_session_that_was_never_configured_closes_too():
    made = Session("s", SessionLimits())
    made.receive_eof(now=0.0)
    assert made.events_to_send() == [Closed(1000, "closed", 0, 0, 0)]


def test_an_unfinished_sample_at_the_end_is_warned_about():
    events = transcribe([(0.0, Append(bytes(641)))])
    (warned,) = (event for event in events if isinstance(event, Warned))
    assert warned.code == "unfinished_sample" and warned.message.startswith("1 byte")
    assert events[-1].audio == 320


# time-outs


def test_deadlines_are_the_next_time_out():
    made = Session("s", SessionLimits(idle_s=10.0, max_session_s=100.0, warn_before_s=20.0))
    assert made.next_deadline() is None
    made.receive(Configure(SessionConfig()), now=5.0)
    assert made.next_deadline() == 15.0
    for now in range(14, 84, 10):
        made.receive(KeepAlive(), now=float(now))
        made.tick(now=float(now))
    assert made.next_deadline() == 84.0
    assert kinds(made.events_to_send()) == [Configured]


def test_nothing_received_ends_the_session():
    made = session(idle_s=10.0)
    made.tick(now=9.9)
    assert made.events_to_send() == []
    made.tick(now=10.0)
    error, closed = made.events_to_send()
    assert error.is_fatal and error.error.code == "idle_timeout"
    assert closed.code == 1008


def test_a_long_session_is_warned_before_it_ends():
    made = session(idle_s=1e9, max_session_s=100.0, warn_before_s=20.0)
    made.tick(now=80.0)
    made.tick(now=81.0)
    (warned,) = made.events_to_send()
    assert warned.code == "session_expires"
    assert made.next_deadline() == 100.0
    made.tick(now=100.0)
    error, closed = made.events_to_send()
    assert error.error.code == "session_expired" and closed.code == 1008


# memory


def test_a_session_of_hours_holds_no_more_than_one_of_minutes():
    made, recogniser = session(max_backlog_s=60.0), ScriptedRecogniser()
    block, pause = s16(voice(20.0)), s16(silence(3.0))
    sizes = []
    for _ in range(12):
        for piece in cut(block + pause, [64_000] * 11):
            made.receive(Append(piece), now=0.0)
            answer(made, recogniser)
            for utterance in made.streams_to_close():
                recogniser.close(utterance)
            made.events_to_send()
        sizes.append(held_bytes(made))
    assert max(sizes[2:]) <= 1.1 * sizes[1]
    assert recogniser.open_streams == ()


def held_bytes(root: object) -> int:
    """Of arrays and containers that can be reached from an object."""
    seen: dict[int, object] = {}
    todo = [root]
    while todo:
        thing = todo.pop()
        if id(thing) not in seen and not isinstance(thing, type) and not callable(thing) and not hasattr(thing, "__path__"):
            seen[id(thing)] = thing
            todo += [thing.base] if isinstance(thing, np.ndarray) else gc.get_referents(thing)
    return sum(sys.getsizeof(thing) for thing in seen.values())
