from __future__ import annotations

import json
import uuid
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from server.protocols.base import ServerDefaults
from server.protocols.whisper_live import WhisperLiveAdapter
from streaming.errors import TranscriptionError
from tests.helpers import talk
from tests.server.conftest import Running
from tests.server.protocols.events import EVENTS

SPEECH = talk(0.3, 1.5, 1.2, 1.2, 1.5)


def conversation(running: Running, path: str, **settings: Any) -> list[dict[str, Any]]:
    """As the stock client: settings, wait, audio, end."""
    uid = str(uuid.uuid4())
    with connect(running.url(path), compression=None) as socket:
        socket.send(json.dumps({"uid": uid, "language": None, "task": "transcribe", "model": "small", "use_vad": True, **settings}))
        got = [json.loads(socket.recv(10))]
        data = SPEECH.astype("<f4") if settings.get("audio_format", "float32") == "float32" else (SPEECH * 32767).astype("<i2")
        for at in range(0, len(data), 4096):
            socket.send(data[at : at + 4096].tobytes())
        socket.send(b"END_OF_AUDIO")
        with pytest.raises(ConnectionClosed):
            while True:
                got.append(json.loads(socket.recv(20)))
    assert {message["uid"] for message in got} == {uid}
    return got


def collected(got: list[dict[str, Any]]) -> list[str]:
    """What the stock client keeps: completed segments that begin where the last one ended, or later."""
    kept: list[dict[str, Any]] = []
    for message in got:
        for segment in message.get("segments", []):
            if segment["completed"] and (not kept or float(segment["start"]) >= float(kept[-1]["end"])):
                kept.append(segment)
    return [segment["text"] for segment in kept]


def test_the_last_partial_says_what_the_completed_one_does(running: Running):
    lists = [m["segments"] for m in conversation(running, "/") if "segments" in m]
    pairs = [(a[-1], b[-1]) for a, b in pairwise(lists) if b[-1]["completed"]]
    assert len(pairs) == 2 and all(b == {**a, "completed": True} and not a["completed"] for a, b in pairs)


@pytest.mark.parametrize("path", ["/", "/whisper-live"])
@pytest.mark.parametrize("form", ["float32", "int16"])
def test_a_conversation(running: Running, path: str, form: str):
    got = conversation(running, path, audio_format=form, word_timestamps=True)
    assert got[0]["message"] == "SERVER_READY" and got[0]["backend"] == "faster_whisper"
    assert got[-1]["message"] == "DISCONNECT"
    assert [m["language"] for m in got if "language" in m] == ["en"]
    assert len(collected(got)) == 2
    last = next(m for m in reversed(got) if "segments" in m)["segments"]
    assert [s["text"] for s in last] == collected(got) and all(s["words"] for s in last)
    assert any(not s["completed"] for m in got for s in m.get("segments", []))


def test_so_many_segments_at_a_time(running: Running):
    got = conversation(running, "/", send_last_n_segments=1)
    assert max(sum(s["completed"] for s in m["segments"]) for m in got if "segments" in m) == 1
    assert len(collected(got)) == 2


@pytest.mark.parametrize(
    "settings",
    [
        {"task": "translate"},
        {"uid": 5},
        {"uid": ""},
        {"audio_format": "uint8"},
        {"send_last_n_segments": 0},
        {"hotwords": ["a"]},
        {"hotwords": "x" * 101},
    ],
)
def test_what_cannot_be_served_is_an_error_and_another_try_is_free(running: Running, settings: dict[str, Any]):
    with connect(running.url("/whisper-live"), compression=None) as socket:
        socket.send(json.dumps({"uid": "a", **settings}))
        fault = json.loads(socket.recv(10))
        assert fault["status"] == "ERROR" and fault["uid"] == (None if "uid" in settings else "a")
        socket.send(json.dumps({"uid": "a"}))
        assert json.loads(socket.recv(10))["message"] == "SERVER_READY"


@pytest.mark.parametrize("path", ["/", "/whisper-live"])
def test_a_client_that_falls_silent_is_told_the_rest(running: Running, path: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("server.protocols.whisper_live.QUIET_S", 0.1)
    with connect(running.url(path), compression=None) as socket:
        socket.send(json.dumps({"uid": "a", "audio_format": "float32"}))
        socket.send(talk(0.3, 1.5).tobytes())
        while not any(segment["completed"] for segment in json.loads(socket.recv(20)).get("segments", [])):
            pass


def test_a_uid_that_has_no_utf8(running: Running):
    with connect(running.url("/whisper-live"), compression=None) as socket:
        socket.send('{"uid": "\\ud800"}')
        assert json.loads(socket.recv(10))["status"] == "ERROR"
        socket.send('{"uid": "a"}')
        assert json.loads(socket.recv(10)) == {"uid": "a", "message": "SERVER_READY", "backend": "faster_whisper"}


def test_a_first_message_that_tells_nothing(running: Running):
    with connect(running.url("/"), compression=None) as socket:
        socket.send('{"hello": 1}')
        message = json.loads(socket.recv(10))
        assert message["status"] == "ERROR" and "vosk" in message["message"] and "WhisperLive" in message["message"]
        socket.send(json.dumps({"uid": "a"}))
        assert json.loads(socket.recv(10))["message"] == "SERVER_READY"


def test_audio_before_the_settings():
    with pytest.raises(TranscriptionError, match="uid"):
        WhisperLiveAdapter("s", ServerDefaults()).parse(np.zeros(4, "<f4").tobytes())


@given(EVENTS)
def test_completed_segments_do_not_overlap(events: list[Any]):
    adapter = WhisperLiveAdapter("s", ServerDefaults())
    for event in events:
        for message in map(json.loads, adapter.render(event)):
            done = [s for s in message.get("segments", []) if s["completed"]]
            assert all(float(a["end"]) <= float(b["start"]) for a, b in zip(done, done[1:], strict=False))
