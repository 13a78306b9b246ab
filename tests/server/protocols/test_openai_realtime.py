"""/v1/realtime in conversation: the adapter over a real session, and over real sockets. The vendor's SDK is in tests/vendors."""

from __future__ import annotations

import base64
import io
import json
import random
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed, InvalidStatus

from model.interfaces import Hypothesis, ModelFailure, StepRequest
from model.scripted import ScriptedRecogniser
from server.protocols.base import ServerDefaults, Taken
from server.protocols.openai_realtime import RealtimeAdapter
from streaming.commands import Command, Configure
from streaming.errors import LimitExceeded, RecogniserFailed, TranscriptionError
from streaming.events import Closed, Configured, ErrorEvent, Event, FinalTranscript, Flushed
from streaming.session import Session, SessionLimits
from tests.helpers import s16, silence, talk, voice
from tests.server.conftest import Peer, Running, Serve
from tests.server.protocols.events import EVENTS

HEARD = "conversation.item.input_audio_transcription."
BUFFER = "input_audio_buffer."
DEFAULTS = ServerDefaults(models=("whisper-base",), languages=("en", "de", "zh"))
ONE = talk(0.4, 1.5, 0.9, rate=24_000)
TWO = talk(0.4, 1.5, 0.9, 1.2, 0.9, rate=24_000)

Message = dict[str, Any]


def append(sound: np.ndarray, size: int = 2_399) -> list[Message]:
    """Pieces of a size that cuts samples in two."""
    return appended(s16(sound), size)


def appended(data: bytes, size: int = 2_399) -> list[Message]:
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    return [{"type": BUFFER + "append", "audio": base64.b64encode(piece).decode()} for piece in pieces]


def update(**sound: Any) -> Message:
    include = {"include": sound.pop("include")} if "include" in sound else {}
    return {"type": "session.update", "session": {"type": "transcription", "audio": {"input": sound}, **include}}


COMMIT, CLEAR, MANUAL = {"type": BUFFER + "commit"}, {"type": BUFFER + "clear"}, update(turn_detection=None)


class Conversation:
    """A client, the adapter, a session and a recogniser that answers when it is let."""

    def __init__(
        self, *messages: Message, session: Message | None = None, recogniser: Any = None, every: int = 1, **options: Any
    ) -> None:
        self.adapter = RealtimeAdapter("5e55", DEFAULTS, [("intent", "transcription")], session=session, **options)
        self.session = Session("5e55", SessionLimits())
        self.recogniser = recogniser or ScriptedRecogniser()
        self.got: list[Message] = []
        self.now, self.every, self._count = 0.0, every, 0
        for command in self.adapter.opening():
            self._do(command)
        self.say(*messages)

    def say(self, *messages: Message | str | bytes) -> list[Message]:
        """What came back while these were said."""
        before = len(self.got)
        for message in messages:
            self.now += 0.05
            self._count += 1
            self._say(json.dumps(message) if isinstance(message, dict) else message)
            if self._count % self.every == 0:
                self.hear()
        return self.got[before:]

    def _say(self, message: str | bytes) -> None:
        try:
            commands = self.adapter.parse(message)
        except TranscriptionError as error:
            self._tell([ErrorEvent(error)])
            return
        for command in commands:
            self._do(command)
        if self.adapter.answers_each_message:
            self._tell([Taken(False)])

    def _do(self, command: Command) -> None:
        self.session.receive(command, now=self.now)
        self._tell(self.session.events_to_send())

    def _tell(self, events: Iterable[Event | Taken]) -> None:
        self.got += [json.loads(message) for event in events for message in self.adapter.render(event)]

    def hear(self) -> list[Message]:
        """The recogniser answers all that is asked."""
        before = len(self.got)
        while True:
            for utterance in self.session.streams_to_close():
                self.recogniser.close(utterance)
            requests = self.session.requests_to_submit(now=self.now)
            self._tell(self.session.events_to_send())
            if not requests:
                return self.got[before:]
            for request in requests:
                self._answer(request)

    def _answer(self, request: StepRequest) -> None:
        try:
            (hypothesis,) = self.recogniser.step([request])
            self.session.receive_hypothesis(hypothesis, now=self.now)
        except ModelFailure:
            self.recogniser.close(request.utterance)
            self.session.fail(request.utterance, RecogniserFailed("the step failed"), now=self.now)

    def shut_down(self, *late: Message) -> list[Message]:
        """`late` comes while the session ends."""
        before = len(self.got)
        self.session.shut_down(now=self.now)
        self._tell(self.session.events_to_send())
        for message in late:
            self._say(json.dumps(message))
        self.hear()
        return self.got[before:]

    def of(self, kind: str) -> list[Message]:
        return [message for message in self.got if message["type"] == kind]

    @property
    def texts(self) -> list[str]:
        return [message["transcript"] for message in self.of(HEARD + "completed")]


class Failing(ScriptedRecogniser):
    """Some steps fail."""

    def __init__(self, share: float = 1.0, seed: int = 0) -> None:
        super().__init__()
        self._share, self._random = share, random.Random(seed)

    def step(self, batch: Sequence[StepRequest]) -> list[Hypothesis]:
        if self._random.random() < self._share:
            raise ModelFailure("it failed")
        return super().step(batch)


def kinds(messages: Iterable[Message]) -> list[str]:
    return [message["type"] for message in messages]


def assert_in_order(got: Sequence[Message]) -> None:
    """What every client may rely on."""
    ids = [message["event_id"] for message in got]
    assert len(set(ids)) == len(ids)
    committed: list[str] = []
    ended: set[str] = set()
    told: dict[str, str] = {}
    for message in got:
        kind, item = message["type"], message.get("item_id")
        assert item not in ended, f"{kind} after the end of {item}"
        if kind == BUFFER + "committed":
            assert item not in committed and message["previous_item_id"] == (committed[-1] if committed else None)
            committed.append(item)
        elif kind in ("conversation.item.added", "conversation.item.done", "conversation.item.created"):
            assert message["item"]["id"] == committed[-1]
        elif kind == HEARD + "delta":
            assert message["delta"]
            told[item] = told.get(item, "") + message["delta"]
        elif kind == HEARD + "interim":
            assert message["transcript"].startswith(told.get(item, ""))
        elif kind in (HEARD + "completed", HEARD + "failed"):
            assert item in committed
            ended.add(item)
            assert kind.endswith("failed") or message["transcript"] == told.get(item, "")
    assert ended == set(committed)


# turns


def test_an_utterance_from_its_start_to_its_transcript():
    talked = Conversation(*append(ONE))
    assert_in_order(talked.got)
    heard = [kind for kind in kinds(talked.got) if kind != HEARD + "delta"]
    assert heard == [
        "session.created",
        BUFFER + "speech_started",
        BUFFER + "speech_stopped",
        BUFFER + "committed",
        "conversation.item.added",
        "conversation.item.done",
        HEARD + "completed",
    ]
    (started,), (stopped,), (done,) = (
        talked.of(k) for k in (BUFFER + "speech_started", BUFFER + "speech_stopped", HEARD + "completed")
    )
    assert started["audio_start_ms"] < 400 < 1_900 < stopped["audio_end_ms"] <= 2_500
    assert done["usage"]["seconds"] == pytest.approx((stopped["audio_end_ms"] - started["audio_start_ms"]) / 1_000)
    assert done["languages"] == [{"code": "en"}] and "logprobs" not in done and len(done["transcript"].split()) >= 4


def test_words_come_while_the_person_speaks():
    talked = Conversation(*append(voice(4.0, rate=24_000)))
    deltas = talked.of(HEARD + "delta")
    assert len(deltas) >= 3 and not talked.of(BUFFER + "speech_stopped")
    assert all(delta["delta"].startswith(" ") for delta in deltas[1:]), "a word was cut in two"


def test_items_are_chained():
    talked = Conversation(*append(TWO))
    first, second = talked.of(BUFFER + "committed")
    assert (first["previous_item_id"], second["previous_item_id"]) == (None, first["item_id"])
    assert_in_order(talked.got)


def test_a_commit_ends_the_present_turn_and_is_not_called_the_end_of_speech():
    talked = Conversation(*append(talk(0.4, 1.5, rate=24_000)))
    assert BUFFER + "speech_started" in kinds(talked.got) and not talked.texts
    heard = talked.say(COMMIT)
    assert kinds(heard)[0] == BUFFER + "committed" and kinds(heard)[-1] == HEARD + "completed" and talked.texts[0]
    assert len(talked.texts) == 1, "one commit, one item"
    assert_in_order(talked.got)


def test_a_commit_of_silence_is_an_item_without_words():
    talked = Conversation(*append(silence(0.5, rate=24_000)), COMMIT)
    assert talked.texts == [""] and talked.of(HEARD + "completed")[0]["usage"]["seconds"] == pytest.approx(0.5, abs=0.03)
    assert_in_order(talked.got)


def test_a_clear_drops_what_is_being_said_and_not_what_was():
    talked = Conversation(*append(np.concatenate([ONE, voice(1.5, rate=24_000)])), every=10**6)
    cleared = talked.say(CLEAR)
    assert kinds(cleared) == [BUFFER + "cleared"]
    talked.hear()
    assert len(talked.texts) == 1 and len(talked.of(BUFFER + "speech_started")) == len(talked.of(BUFFER + "speech_stopped")) == 2
    assert_in_order(talked.got)


def test_what_was_cleared_is_in_no_item():
    talked = Conversation(*append(silence(3.0, rate=24_000)), CLEAR, *append(silence(0.5, rate=24_000)), COMMIT)
    assert talked.of(HEARD + "completed")[0]["usage"]["seconds"] == pytest.approx(0.5, abs=0.03)


def test_a_long_pause_is_told_as_an_empty_item():
    turns = {"type": "server_vad", "idle_timeout_ms": 2_000}
    talked = Conversation(update(turn_detection=turns), *append(talk(0.4, 1.5, 5.0, rate=24_000)))
    (timeout,) = talked.of(BUFFER + "timeout_triggered")
    assert timeout["audio_end_ms"] - timeout["audio_start_ms"] == 2_000
    assert timeout["item_id"] == talked.of(HEARD + "completed")[-1]["item_id"] and talked.texts[-1] == ""
    assert_in_order(talked.got)


@pytest.mark.parametrize(("eagerness", "items"), [("high", 2), ("medium", 1), ("auto", 1), ("low", 1)])
def test_semantic_vad_waits_as_its_eagerness_says(eagerness: str, items: int):
    turns = {"type": "semantic_vad", "eagerness": eagerness}
    talked = Conversation(update(turn_detection=turns), *append(talk(0.4, 1.5, 0.8, 1.5, 2.5, rate=24_000)))
    assert len(talked.texts) == items


def test_silence_and_padding_are_what_was_asked_for():
    def bounds(**turns: Any) -> tuple[int, int]:
        talked = Conversation(update(turn_detection={"type": "server_vad", **turns}), *append(talk(1.5, 1.5, 2.0, rate=24_000)))
        return talked.of(BUFFER + "speech_started")[0]["audio_start_ms"], talked.of(BUFFER + "speech_stopped")[0]["audio_end_ms"]

    start, end = bounds()
    assert bounds(prefix_padding_ms=800) == (start - 500, end)
    assert bounds(silence_duration_ms=900) == (start, end + 400)


# the client commits


def test_what_is_said_between_commits_is_one_item_however_many_utterances_it_has():
    talked = Conversation(MANUAL, *append(TWO))
    before = kinds(talked.got)
    assert not any(kind.startswith(BUFFER) for kind in before) and HEARD + "delta" in before
    assert kinds(talked.say(COMMIT)) == [
        BUFFER + "committed",
        "conversation.item.added",
        "conversation.item.done",
        HEARD + "completed",
    ]
    talked.say(*append(ONE), COMMIT)
    assert len(talked.texts) == 2 and len(talked.texts[0].split()) > len(talked.texts[1].split())
    assert talked.of(HEARD + "completed")[0]["usage"]["seconds"] == pytest.approx(len(TWO) / 24_000, abs=0.001)
    assert_in_order(talked.got)


def test_a_commit_is_acknowledged_before_the_recogniser_has_heard_it():
    talked = Conversation(MANUAL, *append(ONE), every=10**6)
    assert kinds(talked.say(COMMIT))[0] == BUFFER + "committed" and not talked.texts
    talked.say(*append(ONE), COMMIT)
    assert len(talked.of(BUFFER + "committed")) == 2
    talked.hear()
    assert len(talked.texts) == 2 and talked.texts[0] != ""
    assert_in_order(talked.got)


def test_the_transcript_does_not_depend_on_when_the_recogniser_answers():
    script = [MANUAL, *append(TWO), COMMIT, *append(ONE), CLEAR, *append(ONE), COMMIT]
    talked = [Conversation(*script, every=every) for every in (1, 7, 10**6)]
    for each in talked:
        each.hear()
        assert_in_order(each.got)
    assert talked[0].texts == talked[1].texts == talked[2].texts and len(talked[0].texts) == 2


@pytest.mark.parametrize("turns", [(), (MANUAL,)])
def test_too_little_to_commit(turns: tuple[Message, ...]):
    talked = Conversation(*turns)
    for extra in ((), tuple(append(silence(0.09, rate=24_000)))):
        (error,) = talked.say(*extra, {**COMMIT, "event_id": "mine"})
        assert error["error"]["code"] == "input_audio_buffer_commit_empty" and error["error"]["event_id"] == "mine"
        assert error["error"]["type"] == "invalid_request_error" and "100 ms" in error["error"]["message"]
    talked.say(*append(silence(0.01, rate=24_000)), COMMIT)
    assert talked.texts == [""]


def test_a_clear_forgets_all_that_was_not_committed():
    talked = Conversation(MANUAL, *append(ONE), CLEAR, *append(ONE[: len(ONE) // 2]), COMMIT)
    assert len(talked.texts) == 1 and talked.of(BUFFER + "cleared")
    assert talked.of(HEARD + "completed")[0]["usage"]["seconds"] == pytest.approx(len(ONE) / 48_000, abs=0.001)
    late = Conversation(MANUAL, *append(ONE), every=10**6)
    late.say(CLEAR)
    assert late.hear() == [], "what is forgotten is not told either"
    assert kinds(Conversation(CLEAR).got) == ["session.created", BUFFER + "cleared"]
    assert_in_order(talked.got)


def test_turns_can_be_switched_on_and_off_and_no_word_is_lost():
    turns = update(turn_detection={"type": "server_vad"})
    talked = Conversation(*append(ONE), MANUAL, *append(ONE), turns, *append(ONE), MANUAL, *append(ONE), COMMIT)
    assert len(talked.texts) == 4 and all(talked.texts)
    assert len(talked.of(BUFFER + "speech_started")) == 2
    assert_in_order(talked.got)


def test_what_was_said_before_a_switch_is_the_item_before_it_however_late_the_recogniser_is():
    speaking = append(talk(0.4, 1.5, rate=24_000))
    talked = [Conversation(*speaking, MANUAL, *append(ONE), COMMIT, every=every) for every in (1, 10**6)]
    for each in talked:
        each.hear()
        assert_in_order(each.got)
    assert [each.texts for each in talked] == [talked[0].texts] * 2
    assert [done["usage"]["seconds"] for done in talked[1].of(HEARD + "completed")] == pytest.approx([1.68, 2.8], abs=0.1)


def test_a_switch_leaves_each_item_its_own_length():
    turns = update(turn_detection={"type": "server_vad"})
    said = [*append(ONE), COMMIT, *append(ONE), turns, *append(silence(0.5, rate=24_000)), COMMIT]
    talked = Conversation(MANUAL, *said)
    assert [done["usage"]["seconds"] for done in talked.of(HEARD + "completed")] == pytest.approx([2.8, 2.8, 0.5], abs=0.03)
    (error,) = Conversation(MANUAL, *append(ONE), turns).say(COMMIT)
    assert error["error"]["code"] == "input_audio_buffer_commit_empty"


def test_a_switch_commits_nothing_where_nothing_was_said():
    turns = update(turn_detection={"type": "server_vad"})
    talked = Conversation(MANUAL, *append(silence(0.5, rate=24_000)), turns, MANUAL)
    assert not talked.of(BUFFER + "committed")


def test_what_the_server_has_committed_is_not_there_to_commit():
    talked = Conversation(*append(ONE), *append(silence(0.5, rate=24_000)))
    end_s = talked.of(BUFFER + "speech_stopped")[0]["audio_end_ms"] / 1_000
    talked.say(COMMIT)
    rest = talked.of(HEARD + "completed")[-1]
    assert rest["transcript"] == "" and rest["usage"]["seconds"] == pytest.approx(len(ONE) / 24_000 + 0.5 - end_s, abs=0.03)


def test_too_many_commits_that_wait_are_refused():
    talked = Conversation(MANUAL, *append(ONE), every=10**6)
    for _ in range(300):
        talked.say(*append(silence(0.1, rate=24_000), 10**5), COMMIT)
    assert talked.got[-1]["error"]["code"] == "too_many_commits"
    talked.hear()
    assert len(talked.texts) == len(talked.of(BUFFER + "committed")) == 200


# settings


def test_settings_apply_and_are_shown_whole():
    talked = Conversation()
    (updated,) = talked.say(
        update(transcription={"language": "de", "keywords": ["Kubernetes"], "delay": "high", "prompt": "Guten Tag."})
    )
    sound = updated["session"]["audio"]["input"]
    assert sound["transcription"]["language"] == "de" and sound["format"] == {"type": "audio/pcm", "rate": 24_000}
    assert sound["turn_detection"]["type"] == "server_vad" and updated["session"]["id"] == "sess_5e55"
    config = talked.session._config
    assert (config.language, config.prompt, config.hotwords[0].text, config.pace.agreement) == ("de", "Guten Tag.", "Kubernetes", 3)


def test_a_fault_changes_nothing_and_names_its_field():
    talked = Conversation(update(transcription={"language": "de"}))
    message = update(transcription={"language": "en", "delay": "soon"}, turn_detection=None)
    (error,) = talked.say({**message, "event_id": "e1"})
    assert error["error"]["param"] == "session.audio.input.transcription.delay" and error["error"]["event_id"] == "e1"
    assert '"soon"' in error["error"]["message"] and "minimal" in error["error"]["message"]
    (updated,) = talked.say(update())
    sound = updated["session"]["audio"]["input"]
    assert sound["transcription"]["language"] == "de" and sound["turn_detection"] is not None
    assert talked.session._config.language == "de"


def test_the_format_may_not_change_once_audio_has_come_but_may_be_said_again():
    talked = Conversation(update(format={"type": "audio/pcm", "rate": 16_000}), *append(silence(0.2)))
    assert kinds(talked.say(update(format={"type": "audio/pcm", "rate": 16_000}, transcription={"language": "en"}))) == [
        "session.updated"
    ]
    (error,) = talked.say(update(format={"type": "audio/pcmu"}))
    assert error["error"]["param"] == "session.audio.input.format" and "audio/pcm at 16000 Hz" in error["error"]["message"]


@pytest.mark.parametrize(("kind", "subtype"), [("audio/pcmu", "ULAW"), ("audio/pcma", "ALAW")])
def test_telephone_audio(kind: str, subtype: str):
    encoded = io.BytesIO()
    soundfile.write(encoded, talk(0.4, 1.5, 0.9, rate=8_000), 8_000, format="RAW", subtype=subtype)
    talked = Conversation(update(format={"type": kind}), *appended(encoded.getvalue(), 799))
    assert len(talked.texts) == 1 and talked.texts[0]
    assert talked.of(BUFFER + "speech_stopped")[0]["audio_end_ms"] == pytest.approx(2_400, abs=60)


@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
def test_rates(rate: int):
    form = {"type": "audio/pcm", "rate": rate}
    talked = Conversation(update(format=form), *append(talk(0.4, 1.5, 0.9, rate=rate)))
    assert len(talked.texts) == 1 and talked.of(BUFFER + "speech_stopped")[0]["audio_end_ms"] == pytest.approx(2_400, abs=60)


@pytest.mark.parametrize("script", [append(ONE), [MANUAL, *append(TWO), COMMIT]])
def test_probabilities_of_words_when_asked_for(script: list[Message]):
    talked = Conversation(update(include=["item.input_audio_transcription.logprobs"]), *script)
    (done,) = talked.of(HEARD + "completed")
    assert "".join(each["token"] for each in done["logprobs"]).strip() == done["transcript"]
    of_deltas = [each for delta in talked.of(HEARD + "delta") for each in delta["logprobs"]]
    assert [each["token"] for each in of_deltas] == [each["token"] for each in done["logprobs"]]
    assert all(bytes(each["bytes"]).decode() == each["token"] and -15 < each["logprob"] <= 0 for each in of_deltas)


def test_text_that_may_change_comes_only_when_asked_for():
    talked = Conversation(update(include=["item.input_audio_transcription.interim"]), *append(ONE))
    interims = talked.of(HEARD + "interim")
    assert (
        interims
        and len(interims[-1]["transcript"]) > interims[-1]["stable"]
        and not Conversation(*append(ONE)).of(HEARD + "interim")
    )
    assert_in_order(talked.got)


def test_a_slower_dial_tells_words_later():
    def told_early(delay: str) -> int:
        talked = Conversation(update(transcription={"delay": delay}), *append(voice(5.0, rate=24_000)))
        return sum(len(delta["delta"].split()) for delta in talked.of(HEARD + "delta"))

    counts = [told_early(delay) for delay in ("minimal", "medium", "xhigh")]
    assert counts[0] > counts[1] > counts[2] > 0


# what goes wrong


def test_a_failure_of_the_recogniser_is_a_failed_item_and_the_session_goes_on():
    recogniser = Failing()
    talked = Conversation(*append(ONE), recogniser=recogniser)
    assert len(talked.of(HEARD + "failed")) == len(talked.of(BUFFER + "committed")) and not talked.texts
    failed = talked.of(HEARD + "failed")[0]
    assert failed["error"]["type"] == "server_error" and failed["error"]["code"] == "recogniser_failed" and not talked.of("error")
    recogniser._share = 0.0
    talked.say(*append(ONE))
    assert len(talked.texts) == 1
    assert_in_order(talked.got)


def test_a_failure_between_commits_is_of_the_item_that_it_belongs_to():
    recogniser = Failing()
    talked = Conversation(MANUAL, *append(ONE), recogniser=recogniser)
    recogniser._share = 0.0
    talked.say(COMMIT, *append(ONE), COMMIT)
    assert [kind for kind in kinds(talked.got) if kind in (HEARD + "failed", HEARD + "completed")] == [
        HEARD + "failed",
        HEARD + "completed",
    ]
    assert_in_order(talked.got)


def test_a_failure_that_was_cleared_is_not_told_of_a_later_item():
    talked = Conversation(MANUAL, *append(ONE), every=10**6)
    talked.say(CLEAR)
    failed = FinalTranscript(0, (), 0, 0, reason="error")
    talked._tell([ErrorEvent(RecogniserFailed("one")), failed, Flushed("2", 0), ErrorEvent(RecogniserFailed("two")), failed])
    talked._tell([Closed(1012, "", 0, 0, 0)])
    assert [each["error"]["message"] for each in talked.of(HEARD + "failed")] == ["two"]


@pytest.mark.parametrize(
    ("message", "code", "param"),
    [
        ("{", "invalid_json", "message"),
        (b"\0\0", "invalid_event", "message"),
        ({"type": "response.create"}, "not_supported", "type"),
        ({"type": "conversation.item.delete", "item_id": "item_1"}, "not_supported", "type"),
        ({"type": "sing"}, "unknown_event", "type"),
        ({}, "unknown_event", "type"),
        ({"type": BUFFER + "append"}, "missing_required_parameter", "audio"),
        ({"type": BUFFER + "append", "audio": 7}, "invalid_value", "audio"),
        ({"type": BUFFER + "append", "audio": "AA=A"}, "invalid_audio", "audio"),
        ({"type": BUFFER + "append", "audio": "é"}, "invalid_audio", "audio"),
        ({"type": BUFFER + "append", "audio": "A" * 20_971_528}, "message_too_big", "audio"),
        ({"type": "session.update"}, "invalid_value", "session"),
        ({"type": "session.update", "session": {"type": "realtime"}}, "invalid_value", "session.type"),
    ],
)
def test_what_cannot_be_understood(message: Any, code: str, param: str):
    talked = Conversation(MANUAL, *append(ONE))
    (error,) = talked.say({**message, "event_id": "e7"} if isinstance(message, dict) else message)
    assert error["type"] == "error" and (error["error"]["code"], error["error"]["param"]) == (code, param)
    assert error["error"]["event_id"] == ("e7" if isinstance(message, dict) else None) and "expected" in error["error"]["message"]
    talked.say(COMMIT)
    assert talked.texts[0]


def test_half_a_surrogate_pair_is_no_text():
    (error,) = Conversation().say('{"type": "session.update", "event_id": "\\ud800", "session": {"\\ud800": 1}}')
    assert error["error"]["code"] == "invalid_json" and error["error"]["event_id"] is None


def test_the_end_of_the_server_is_told_last_and_nothing_is_lost():
    for turns in ((), (MANUAL,)):
        talked = Conversation(*turns, *append(talk(0.4, 1.5, rate=24_000)))
        assert kinds(talked.shut_down())[-2:] == [HEARD + "completed", "error"]
        assert talked.got[-1]["error"]["code"] == "shutting_down" and talked.texts[0]
        assert_in_order(talked.got)
        assert talked.adapter.closing(Closed(1012, "server shutting down", 0, 0, 0)) == (1012, "server shutting down")


def test_what_comes_while_the_session_ends_is_no_fault_and_its_commit_is_kept():
    talked = Conversation(MANUAL, *append(ONE), every=10**6)
    heard = talked.shut_down(*append(silence(0.2, rate=24_000)), COMMIT)
    assert [error["error"]["code"] for error in talked.of("error")] == ["shutting_down"]
    assert len(talked.of(BUFFER + "committed")) == 1 and talked.texts[0] and kinds(heard)[-1] == "error"
    assert_in_order(talked.got)
    left = Conversation(MANUAL, *append(ONE))
    left.shut_down()
    assert left.of(HEARD + "completed")[0]["usage"]["seconds"] == pytest.approx(2.8, abs=0.01)


def test_a_fatal_error_is_told_once_and_last():
    talked = Conversation(*append(ONE))
    talked.session.abort(LimitExceeded("the session reached its 60 s", code="session_expired"), now=1.0)
    assert kinds(talked.hear()) == ["error"] and talked.got[-1]["error"]["code"] == "session_expired"


# other dialects


def test_the_beta_has_flat_settings_and_names_of_its_own():
    talked = Conversation(is_beta=True)
    assert kinds(talked.got) == ["transcription_session.created"]
    flat = {
        "input_audio_format": "g711_ulaw",
        "input_audio_transcription": {"model": "whisper-1", "language": "en"},
        "input_audio_noise_reduction": {"type": "far_field"},
        "turn_detection": {"type": "server_vad", "silence_duration_ms": 700},
        "modalities": ["text"],
    }
    (updated,) = talked.say({"type": "transcription_session.update", "session": flat})
    assert updated["type"] == "transcription_session.updated" and updated["session"]["input_audio_format"] == "g711_ulaw"
    assert updated["session"]["turn_detection"]["silence_duration_ms"] == 700
    assert talked.session._config.audio.sample_rate == 8_000 and talked.session._config.endpointing.silence_ms == 700
    (error,) = talked.say({"type": "session.update", "session": {"input_audio_transcription": {"language": "xx"}}})
    assert error["error"]["param"] == "session.input_audio_transcription.language"


def test_flat_settings_make_it_the_beta_whatever_the_handshake_said():
    flat = {"input_audio_format": "pcm16", "input_audio_params": {"sample_rate_hz": 16_000}, "turn_detection": None}
    talked = Conversation({"type": "session.update", "session": flat}, *append(talk(0.4, 1.5, 0.9)), COMMIT)
    assert kinds(talked.got)[:2] == ["session.created", "session.updated"] and "audio" not in talked.got[1]["session"]
    assert "conversation.item.created" in kinds(talked.got) and "conversation.item.added" not in kinds(talked.got)
    assert_in_order(talked.got)


def test_vllm_says_its_model_at_the_top():
    talked = Conversation({"type": "session.update", "model": "mistralai/Voxtral"}, COMMIT)
    created = talked.got[0]
    assert kinds(talked.got) == ["session.created"] and created["id"].startswith("sess-") and created["created"] > 0
    for _ in range(2):
        heard = talked.say(*append(talk(0.4, 1.5, 0.9, 1.2, 0.9)), {**COMMIT, "final": True})
        assert set(kinds(heard)) == {"transcription.delta", "transcription.done"} and heard[-1]["type"] == "transcription.done"
        assert "".join(each["delta"] for each in heard[:-1]) == heard[-1]["text"] != ""
        assert heard[-1]["usage"]["total_tokens"] == len(heard[-1]["text"].split())
    (error,) = talked.say({"type": "sing"})
    assert error["type"] == "error" and isinstance(error["error"], str) and error["code"] == "unknown_event"
    (error,) = talked.shut_down()
    assert error["code"] == "shutting_down"


def test_a_vllm_client_that_does_not_wait_is_told_of_its_session_all_the_same():
    adapter = RealtimeAdapter("5e55", DEFAULTS, [])
    (configure,) = adapter.opening()
    adapter.parse('{"type": "session.update", "model": "m"}')
    assert isinstance(configure, Configure)
    assert kinds(map(json.loads, adapter.render(Configured(configure.config)))) == ["session.created"]


# any


SOUNDS = {
    "voice": append(voice(0.7, rate=24_000), 9_001),
    "pause": append(silence(0.7, rate=24_000), 9_001),
    "little": append(silence(0.03, rate=24_000)),
}
TURNS = [
    MANUAL,
    update(turn_detection={"type": "server_vad", "silence_duration_ms": 300, "idle_timeout_ms": 800}),
    update(include=["item.input_audio_transcription.interim"], turn_detection={"type": "semantic_vad", "eagerness": "high"}),
    update(transcription={"delay": "minimal"}),
    {"type": "session.update", "session": {"turn_detection": {"type": "server_vad"}}},
]
STEPS = st.sampled_from([*SOUNDS.values(), SOUNDS["voice"], SOUNDS["voice"], [COMMIT], [CLEAR], *([each] for each in TURNS)])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(STEPS, max_size=25),
    st.lists(STEPS, max_size=3),
    st.sampled_from([1, 2, 5, 10**6]),
    st.sampled_from([0.0, 0.0, 0.2]),
    st.integers(0, 9),
)
def test_whatever_the_client_does_items_come_in_order_and_each_ends_once(
    steps: list[list[Message]], late: list[list[Message]], every: int, failing: float, seed: int
):
    talked = Conversation(*(m for step in steps for m in step), recogniser=Failing(failing, seed), every=every)
    talked.shut_down(*(m for step in late for m in step))
    assert_in_order(talked.got[:-1])
    codes = {message["error"]["code"] for message in talked.of("error")[:-1]}
    assert codes <= {"input_audio_buffer_commit_empty"}
    if not failing:
        assert len(talked.of(BUFFER + "speech_started")) <= len(talked.of(BUFFER + "speech_stopped")) + steps.count([COMMIT])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    "type audio input format rate turn_detection transcription include threshold silence_duration_ms idle_timeout_ms keywords "
    "languages language prompt delay noise_reduction strength input_audio_format input_audio_transcription input_audio_params "
    "sample_rate_hz eagerness model".split()
)
VALUES = st.sampled_from(
    ["transcription", "server_vad", "semantic_vad", "audio/pcm", "audio/pcmu", "pcm16", "en", "high", 0.5, 500, None]
)
SESSION = st.recursive(VALUES | JSON, lambda inner: st.dictionaries(NAMES, inner, max_size=4), max_leaves=12)
MESSAGE = st.fixed_dictionaries(
    {"type": st.sampled_from(["session.update", "transcription_session.update", BUFFER + "append", BUFFER + "commit", "x"])},
    optional={
        "session": SESSION,
        "audio": JSON | st.binary().map(lambda b: base64.b64encode(b).decode()),
        "event_id": JSON,
        "model": JSON,
    },
)


@given(st.lists(MESSAGE.map(json.dumps) | st.text() | st.binary(), max_size=4))
def test_any_message_gives_commands_or_a_documented_error(messages: list[str | bytes]):
    adapter = RealtimeAdapter("5e55", DEFAULTS, [])
    for message in messages:
        try:
            commands = adapter.parse(message)
            assert commands
        except TranscriptionError as error:
            assert "expected" in error.message and (error.field or error.code == "input_audio_buffer_commit_empty")


@given(EVENTS, st.booleans(), st.booleans())
def test_any_events_become_messages(events: list[Any], is_beta: bool, has_turns: bool):
    session = {"audio": {"input": {"turn_detection": {"type": "server_vad"} if has_turns else None}}}
    adapter = RealtimeAdapter("5e55", DEFAULTS, [("intent", "transcription")], is_beta=is_beta, session=session)
    adapter.opening()
    for event in events:
        for message in adapter.render(event):
            content = json.loads(message)
            assert content["type"] and content["event_id"].startswith("event_5e55_")


# sockets


def connect(running: Running, query: str = "intent=transcription", **options: Any) -> Any:
    return running.session(f"/v1/realtime?{query}", **options)


def say(peer: Peer, *messages: Message) -> None:
    for message in messages:
        peer.socket.send(json.dumps(message))


def test_a_session_over_a_socket(running: Running):
    with connect(running) as peer:
        assert peer.until("session.created")["session"]["audio"]["input"]["transcription"]["model"] == "scripted"
        say(peer, update(transcription={"model": "gpt-4o-transcribe", "language": "en"}))
        assert peer.until("session.updated")["session"]["audio"]["input"]["transcription"]["model"] == "gpt-4o-transcribe"
        say(peer, *append(TWO))
        peer.until(HEARD + "completed")
        peer.until(HEARD + "completed")
        say(peer, *append(ONE), update(turn_detection=None))
        peer.until("session.updated")
        say(peer, *append(ONE), COMMIT, {"type": "response.create"})
        peer.until("error")
        while sum(kind == HEARD + "completed" for kind in kinds(peer.got)) < 4:
            peer.hear()
        say(peer, CLEAR)
        peer.until(BUFFER + "cleared")
    assert_in_order(peer.got)


def test_what_the_client_names_in_its_address(running: Running):
    with connect(running, "model=gpt-realtime&intent=transcription&language=de") as peer:
        shown = peer.until("session.created")["session"]["audio"]["input"]["transcription"]
        assert (shown["model"], shown["language"]) == ("gpt-realtime", "de")
    with connect(running, "model=whatever") as peer:
        peer.until("session.created")
    with pytest.raises(InvalidStatus) as refused, connect(running, "intent=translation"):
        pass
    assert refused.value.response.status_code == 400 and b"transcription" in refused.value.response.body


@pytest.mark.parametrize("beta", ["assistants=v2", ""])
def test_another_beta_is_not_this_one(running: Running, beta: str):
    with connect(running, additional_headers={"OpenAI-Beta": beta}) as peer:
        assert peer.hear()["type"] == "session.created"


@pytest.mark.parametrize(
    "options",
    [
        {"additional_headers": {"OpenAI-Beta": "realtime=v1"}},
        {"additional_headers": [("OpenAI-Beta", "assistants=v2"), ("OpenAI-Beta", "realtime=v1")]},
        {"subprotocols": ["realtime", "openai-beta.realtime-v1"]},
    ],
)
def test_the_beta_is_known_by_its_handshake(running: Running, options: dict[str, Any]):
    with connect(running, **options) as peer:
        created = peer.until("transcription_session.created")
        assert created["session"]["input_audio_format"] == "pcm16"
    with connect(running, "model=whisper-1", **options) as peer:
        assert "input_audio_format" in peer.until("session.created")["session"]


def test_vllm_over_a_socket(running: Running):
    with connect(running, "") as peer:
        say(peer, {"type": "session.update", "model": "m"}, COMMIT, *append(talk(0.3, 1.5, 0.8)), {**COMMIT, "final": True})
        assert peer.until("transcription.done")["text"]


def test_a_silent_client_is_told_why_it_is_let_go(serve: Serve):
    with connect(serve(idle_s=1.0)) as peer:
        assert peer.until("error")["error"]["code"] == "idle_timeout"
        with pytest.raises(ConnectionClosed) as closed:
            peer.hear()
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 1008


def test_so_much_audio_at_once_as_the_vendor_allows(running: Running):
    most, end = 15 << 20, s16(ONE)
    with connect(running) as peer:
        say(peer, *appended(bytes(most + 300), most + 300))
        assert peer.until("error")["error"]["code"] == "message_too_big"
        say(peer, *appended(bytes(most - len(end)) + end, most), COMMIT)
        completed = peer.until(HEARD + "completed")
    assert completed["transcript"] and not peer.of("error")[1:]


def test_a_message_that_is_too_big_is_an_error(serve: Serve):
    with connect(serve(max_message_bytes=4_096)) as peer:
        say(peer, *append(ONE, 70_000))
        assert peer.until("error")["error"]["code"] == "message_too_big"
        say(peer, *append(ONE))
        peer.until(HEARD + "completed")


def test_a_server_that_stops_says_so_and_finishes_what_was_heard(serve: Serve):
    running = serve()
    with connect(running) as peer:
        say(peer, *append(talk(0.4, 1.5, rate=24_000)), update())
        peer.until("session.updated")
        running.server.handle_exit(15, None)
        assert peer.until("error")["error"]["code"] == "shutting_down"
        with pytest.raises(ConnectionClosed) as closed:
            peer.hear()
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 1012
    assert [m["transcript"] for m in peer.of(HEARD + "completed")] != []
