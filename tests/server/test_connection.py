"""One socket: bad input, limits, slow clients."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import Sequence

import numpy as np
import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed

from model.interfaces import Hypothesis, StepRequest
from model.scripted import ScriptedRecogniser
from server.app import Service
from server.config import Config
from server.connection import supersedes
from server.outbox import Outbox
from server.protocols.vosk import VoskAdapter
from server.run import WebSocketProtocol, uvicorn_config
from streaming.errors import Overloaded
from streaming.events import Event, PartialTranscript, SpeechStarted
from tests.helpers import s16, talk, voice
from tests.server.conftest import SPEECH, Peer, Running, Serve, wait_for

BAD = [
    ("nonsense", "invalid_json", "message", "JSON"),
    ("[]", "invalid_json", "message", "object"),
    ("[" * 100_000, "invalid_json", "message", "nested"),
    ('{"type": "sing"}', "unknown_message", "type", "'sing'"),
    ('{"type": null}', "unknown_message", "type", "None"),
    ('{"type": "start", "format": "mp3"}', "invalid_value", "format", '"mp3"'),
    ('{"type": "start", "sample_rate": 16000.5}', "invalid_value", "sample_rate", "16000.5"),
    ('{"type": "start", "sample_rate": 7999}', "unsupported_audio", "sample_rate", "7999"),
    ('{"type": "start", "channels": 0}', "unsupported_audio", "channels", "0"),
    ('{"type": "start", "channels": true}', "invalid_value", "channels", "true"),
    ('{"type": "start", "partials": "yes"}', "invalid_value", "partials", '"yes"'),
    ('{"type": "start", "model": "gpt-4o"}', "invalid_value", "model", '"gpt-4o"'),
    ('{"type": "start", "hotwords": [1]}', "invalid_value", "hotwords", "1"),
    ('{"type": "start", "endpointing": 3}', "invalid_value", "endpointing", "3"),
    ('{"type": "start", "endpointing": {"silence_ms": 1}}', "invalid_value", "endpointing.silence_ms", "1"),
    ('{"type": "start", "endpointing": {"loudness": 1}}', "invalid_value", "endpointing.loudness", "1"),
    ('{"type": "flush", "marker": 7}', "invalid_value", "marker", "7"),
]


@pytest.mark.parametrize(("message", "code", "field", "named"), BAD)
def test_a_bad_message_is_named_and_the_session_lives_on(running: Running, message: str, code: str, field: str, named: str) -> None:
    with running.session() as peer:
        peer.socket.send(message)
        error = peer.until("error")
        assert (error["field"], error["fatal"]) == (field, False)
        assert named in error["message"] and ("expected" in error["message"])
        assert error["code"] == code
        assert_works(peer)


def assert_works(peer: Peer) -> None:
    peer.start()
    peer.socket.send(SPEECH)
    peer.send("stop")
    peer.until("closed")
    assert peer.of("final")[-1]["text"]


def test_audio_before_start_is_refused(running: Running) -> None:
    with running.session() as peer:
        peer.socket.send(SPEECH)
        assert peer.until("error")["message"].endswith("expected start, stop")
        assert_works(peer)


def test_samples_that_are_no_numbers_are_refused_and_later_ones_heard(running: Running) -> None:
    with running.session() as peer:
        peer.start(format="f32le")
        speech = talk(0.2, 1.2, 0.8)
        peer.socket.send(speech.tobytes())
        peer.socket.send(np.full(800, np.nan, np.float32).tobytes())
        error = peer.until("error")
        assert "nan" in error["message"].lower() and not error["fatal"]
        peer.socket.send(speech.tobytes())
        peer.send("stop")
        peer.until("closed")
    assert sum(bool(final["text"]) for final in peer.of("final")) == 2


def test_odd_bytes_wait_for_the_rest_of_their_sample(running: Running) -> None:
    with running.session() as peer:
        peer.start()
        for at in range(0, len(SPEECH), 3_201):
            peer.socket.send(SPEECH[at : at + 3_201])
        peer.send("stop")
        peer.until("closed")
        whole = peer.of("final")[0]["text"]
    with running.session() as peer:
        assert_works(peer)
    assert peer.of("final")[0]["text"] == whole


def test_a_half_sample_at_the_end_is_told(running: Running) -> None:
    with running.session() as peer:
        peer.start()
        peer.socket.send(SPEECH + b"\0")
        peer.send("stop")
        peer.until("closed")
    assert [m["code"] for m in peer.of("warning")] and peer.of("final")[0]["text"]


def test_a_message_that_is_too_big_is_named_and_a_far_too_big_one_closes(serve: Serve) -> None:
    running = serve(max_message_bytes=10_000)
    with running.session() as peer:
        peer.start()
        peer.socket.send(bytes(10_001))
        assert peer.until("error")["code"] == "message_too_big"
        for at in range(0, len(SPEECH), 10_000):
            peer.socket.send(SPEECH[at : at + 10_000])
        peer.send("flush", marker="m")
        peer.until("flushed")
        assert peer.of("final")[0]["text"]
        with pytest.raises(ConnectionClosed):
            peer.socket.send(bytes(1_000_000))
            while True:
                peer.hear()
        assert peer.socket.close_code == 1009


def test_the_format_cannot_change_under_way(running: Running) -> None:
    with running.session() as peer:
        peer.start()
        peer.socket.send(SPEECH[:640])
        peer.send("start", format="f32le")
        assert peer.until("error")["field"] == "audio"
        peer.socket.send(SPEECH)
        peer.send("stop")
        peer.until("closed")
    assert peer.of("final")[0]["text"]


def test_hotwords_are_taken_and_changed(running: Running) -> None:
    with running.session() as peer:
        peer.send("start", hotwords=["LoRA", {"text": "NCCL", "weight": 2, "sounds_like": ["nickel"]}], hotword_lists=["gpu"])
        assert peer.until("ready")["config"]["hotwords"] == 2
        peer.send("configure", hotwords=["RoPE"])
        assert (found := peer.until("configured"))["hotwords"] == 1 and found["hotword_lists"] == []
        peer.send("configure", hotword_lists=["poetry"])
        assert "machine-learning" in peer.until("error")["message"]
        peer.send("stop")
        assert peer.until("closed")["code"] == 1000


def test_a_silent_client_is_told_and_closed(serve: Serve) -> None:
    running = serve(idle_s=1.0)
    with running.session() as peer:
        peer.start()
        assert peer.until("closed")["code"] == 1008
        with pytest.raises(ConnectionClosed):
            peer.socket.recv(10)
        assert peer.socket.close_code == 1008


@pytest.mark.parametrize("part", ["parse", "render"])
def test_a_fault_of_ours_ends_the_session_at_once(running: Running, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    with running.session("/vosk") as peer:
        monkeypatch.setattr(VoskAdapter, part, fail)
        peer.socket.send(SPEECH)
        with pytest.raises(ConnectionClosed):
            while True:
                peer.socket.recv(10)
        assert peer.socket.close_code == 1011
    assert wait_for(lambda: running.service.admission.live == 0)


class Held(ScriptedRecogniser):
    """Answers only while it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.let = threading.Event()

    def step(self, batch: Sequence[StepRequest]) -> list[Hypothesis]:
        self.let.wait(30)
        return super().step(batch)


def test_a_session_that_is_far_ahead_is_held_back_and_loses_nothing(serve: Serve) -> None:
    recogniser = Held()
    running = serve(recogniser, max_backlog_s=5.0)
    pcm = s16(voice(40.0))
    sent = threading.Event()
    with running.session() as peer:
        peer.start()

        def send() -> None:
            for at in range(0, len(pcm), 64_000):
                peer.socket.send(pcm[at : at + 64_000])
            peer.send("stop")
            sent.set()

        threading.Thread(target=send, daemon=True).start()
        peer.until("speech_started")
        (connection,) = running.service.live
        assert connection._session.backlog < 5.0
        recogniser.let.set()
        closed = peer.until("closed")
    assert closed["code"] == 1000 and closed["audio"] == pytest.approx(40.0, abs=0.1)
    assert not peer.of("error") and sum(len(f["words"]) for f in peer.of("final")) > 100


def test_a_long_message_is_heard_bit_by_bit_and_whole(serve: Serve) -> None:
    recogniser = Held()
    running = serve(recogniser, max_backlog_s=5.0)
    with running.session() as peer:
        peer.start(sample_rate=8_000)
        peer.socket.send(s16(voice(60.0, rate=8_000)))
        peer.send("stop")
        peer.until("speech_started")
        (connection,) = running.service.live
        assert connection._session.backlog < 20.0
        recogniser.let.set()
        closed = peer.until("closed")
    assert closed["audio"] == pytest.approx(60.0, abs=0.1) and not peer.of("error")


def test_who_is_held_back_need_not_answer_pings(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    def impatient(service: Service) -> uvicorn.Config:
        config = uvicorn_config(service)
        config.ws_ping_interval = config.ws_ping_timeout = 0.1
        return config

    monkeypatch.setattr("tests.server.conftest.uvicorn_config", impatient)
    recogniser = Held()
    with serve(recogniser, max_backlog_s=5.0).session(ping_interval=None) as peer:
        peer.start()
        for _ in range(8):
            peer.socket.send(s16(voice(5.0)))
        peer.send("stop")
        peer.until("speech_started")
        time.sleep(1.0)
        recogniser.let.set()
        assert peer.until("closed")["code"] == 1000


def flood(peer: Peer) -> None:
    """Ask for answers, and read none, until the socket is closed."""
    flush = json.dumps({"type": "flush", "marker": "m" * 256})
    with contextlib.suppress(ConnectionClosed, OSError):
        while True:
            peer.socket.send(flush)


def test_a_client_that_does_not_read_is_dropped_and_its_place_given_back(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WebSocketProtocol, "drop_after_s", 0.2)
    running = serve(send_timeout_s=0.2, max_sessions=1)
    with running.session(max_queue=1) as peer:
        peer.start()
        flood(peer)
    assert wait_for(lambda: running.service.admission.live == 0)
    assert b'stenoline_errors_total{code="slow_consumer"} 1.0' in running.service.metrics.text()
    with running.session() as peer:
        assert_works(peer)


def test_a_client_that_reads_too_late_is_told_why(serve: Serve) -> None:
    running = serve(send_timeout_s=0.2)
    with running.session(max_queue=1) as peer:
        peer.start()
        flooding = threading.Thread(target=flood, args=(peer,))
        flooding.start()
        assert wait_for(lambda: b"slow_consumer" in running.service.metrics.text())
        with pytest.raises(ConnectionClosed):
            while True:
                peer.socket.recv(10)
        flooding.join(10)
        assert peer.socket.close_code == 1013


def test_the_outbox_keeps_only_the_newest_partial_and_has_a_bound() -> None:
    async def scenario() -> None:
        box: Outbox[Event] = Outbox(3, supersedes)
        partials: list[Event] = [PartialTranscript(0, (), (), 0, i, None) for i in range(50)]
        box.put(partials)
        assert await box.get() == partials[-1]
        box.put([SpeechStarted(i, i) for i in range(3)])
        with pytest.raises(Overloaded, match="4 events"):
            box.put([SpeechStarted(3, 3)])

    asyncio.run(scenario())


SHARED: Running


@pytest.fixture(autouse=True, scope="module")
def _shared() -> object:  # Hypothesis runs many examples on one server
    global SHARED
    SHARED = Running(Config(), ScriptedRecogniser(), ())
    yield
    SHARED.stop()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(max_size=40) | st.binary(max_size=40), max_size=5))
def test_nothing_a_client_sends_harms_the_server(messages: list[str | bytes]) -> None:
    with SHARED.session() as peer:
        for message in messages:
            peer.socket.send(message)
        assert_works(peer)
