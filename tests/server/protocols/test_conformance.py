"""What holds for every live dialect: the same words, whatever the pieces; faults are told in its own way; the server stays well."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from server.protocols.wyoming import Frames
from server.run import listen
from tests.helpers import cut, random_cuts, s16, talk
from tests.server.conftest import Running, Serve, wait_for
from tests.server.protocols.test_wyoming import AUDIO, frame

SPEECH = s16(talk(0.3, 1.5, 1.2, 1.2, 1.5))  # two utterances
Pieces = list[bytes]


@pytest.fixture
def running(serve: Serve) -> Running:
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
    made = serve(wyoming_port=port)
    assert wait_for(lambda: made.service.wyoming is not None)
    return made


def messages(connection: ClientConnection) -> Iterator[dict[str, Any]]:
    """Until the server closes."""
    try:
        while True:
            yield json.loads(connection.recv(20))
    except ConnectionClosed:
        return


def dump(kind: str, **content: Any) -> str:
    return json.dumps({"type": kind, **content})


# each: all that comes back for these pieces of audio, and the finals' texts


def native(running: Running, pieces: Pieces) -> list[str]:
    with connect(running.url(), compression=None) as connection:
        connection.send(dump("start"))
        for piece in pieces:
            connection.send(piece)
        connection.send(dump("stop"))
        return [m["text"] for m in messages(connection) if m["type"] == "final" and m["text"]]


def deepgram(running: Running, pieces: Pieces) -> list[str]:
    with connect(running.url("/v1/listen?encoding=linear16&sample_rate=16000"), compression=None) as connection:
        for piece in filter(None, pieces):
            connection.send(piece)
        connection.send(dump("CloseStream"))
        found = [m["channel"]["alternatives"][0]["transcript"] for m in messages(connection) if m["type"] == "Results"]
    return [text for text in found if text]


def realtime(running: Running, pieces: Pieces) -> list[str]:
    audio = {"input": {"format": {"type": "audio/pcm", "rate": 16_000}}}
    with connect(running.url("/v1/realtime?intent=transcription"), compression=None) as connection:
        connection.send(dump("session.update", session={"type": "transcription", "audio": audio}))
        for piece in pieces:
            connection.send(dump("input_audio_buffer.append", audio=base64.b64encode(piece).decode()))
        texts: list[str] = []
        kinds: dict[str, list[str]] = {}
        for message in messages(connection):
            if "item_id" in message:
                kinds.setdefault(message["item_id"], []).append(message["type"].rpartition(".")[2])
            if message["type"].endswith("transcription.completed"):
                texts.append(message["transcript"])
            if len(texts) == 2:
                break
    assert all(each.count("completed") == 1 and each[-1] == "completed" for each in kinds.values())
    return texts


def vosk(running: Running, pieces: Pieces) -> list[str]:
    with connect(running.url("/vosk"), compression=None) as connection:
        connection.send(json.dumps({"config": {"sample_rate": 16_000}}))
        answers = []
        for piece in pieces:
            connection.send(piece)
            answers.append(json.loads(connection.recv(20)))
        connection.send('{"eof": 1}')
        answers += messages(connection)
    assert len(answers) == len(pieces) + 1
    return [a["text"] for a in answers if a.get("text")]


def whisper_live(running: Running, pieces: Pieces) -> list[str]:
    with connect(running.url("/whisper-live"), compression=None) as connection:
        connection.send(json.dumps({"uid": "a", "audio_format": "int16"}))
        for piece in pieces:
            connection.send(piece)
        connection.send(b"END_OF_AUDIO")
        segments = [s for m in messages(connection) for s in m.get("segments", []) if s["completed"]]
    return list(dict.fromkeys(s["text"].strip() for s in segments))


def wyoming(running: Running, pieces: Pieces) -> list[str]:
    with socket.create_connection(("127.0.0.1", running.service.config.wyoming_port), timeout=20) as connection:
        for piece in pieces:
            connection.sendall(frame("audio-chunk", piece, **AUDIO))
        connection.sendall(frame("audio-stop"))
        frames, found = Frames(), []
        while not any(f.kind == "transcript-stop" for f in found):
            found += frames.feed(connection.recv(65_536))
    return [f.data["text"] for f in found if f.kind == "transcript"]


@dataclass(frozen=True)
class Dialect:
    run: Callable[[Running, Pieces], list[str]]
    path: str = ""
    opening: tuple[str, ...] = ()
    illegal: tuple[str | bytes, ...] = ()
    is_error: Callable[[dict[str, Any]], bool] = lambda message: False


ERROR = lambda m: m.get("type") == "error"  # noqa: E731
DIALECTS = {
    "native": Dialect(native, "/v1/stream", (), (b"audio", "{}", "x", dump("start", language=7)), ERROR),
    "deepgram": Dialect(
        deepgram,
        "/v1/listen?encoding=linear16&sample_rate=16000",
        (),
        ("x", "{}", dump("Nothing"), dump("Configure", keyterms=["", "a"])),
        lambda m: m["type"] in ("Error", "ConfigureFailure"),
    ),
    "realtime": Dialect(
        realtime,
        "/v1/realtime?intent=transcription",
        (),
        (
            b"audio",
            "x",
            "{}",
            dump("response.create"),
            dump("input_audio_buffer.commit"),
            dump("input_audio_buffer.append", audio="?"),
        ),
        lambda m: m["type"] == "error" and bool(m["error"]["message"]),
    ),
    "vosk": Dialect(vosk, "/vosk", (), ("x", "{}", '{"config": 1}'), lambda m: "error" in m),
    "whisper_live": Dialect(
        whisper_live, "/whisper-live", (), (b"1234", "x", "{}", '{"uid": 1}'), lambda m: m.get("status") == "ERROR"
    ),
    "wyoming": Dialect(wyoming),
}
EACH = pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)


@EACH
def test_the_same_words_whatever_the_pieces(running: Running, dialect: Dialect):
    expected = native(running, [SPEECH])
    assert len(expected) == 2
    for pieces in ([SPEECH], cut(SPEECH, [3_201] * 500), random_cuts(SPEECH, 5, 9_000)):
        assert " ".join(dialect.run(running, pieces)) == " ".join(expected)


@EACH
def test_faults_are_told_and_leave_the_server_well(running: Running, dialect: Dialect):
    for message in dialect.illegal:
        with connect(running.url(dialect.path), compression=None) as connection:
            connection.send(message)
            assert any(dialect.is_error(m) for m in _until(connection, dialect.is_error)), message
    assert len(" ".join(dialect.run(running, [SPEECH]))) > 0
    assert wait_for(lambda: running.service.admission.live == 0)


def _until(connection: ClientConnection, wanted: Callable[[dict[str, Any]], bool]) -> Iterator[dict[str, Any]]:
    for message in messages(connection):
        yield message
        if wanted(message):
            return
