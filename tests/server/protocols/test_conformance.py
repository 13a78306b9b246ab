"""What holds for every dialect: the same words, whatever the pieces; order; faults told in its way; a server that stays well."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pytest
import requests
import soundfile
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from model.interfaces import Hypothesis, StepRequest
from model.scripted import CELL, ScriptedRecogniser
from server.protocols.wyoming import Frames
from server.run import listen
from tests.helpers import cut, random_cuts, s16, talk
from tests.server.conftest import Running, Serve, wait_for
from tests.server.protocols.test_wyoming import AUDIO, frame

SPEECH = s16(talk(0.3, 1.5, 1.2, 1.2, 1.5))  # two utterances
UNFINISHED = s16(talk(0.3, 1.5))
PIECES = cut(UNFINISHED, [16_000] * 3)

Content: TypeAlias = dict[str, Any]
Message: TypeAlias = str | bytes


class Final(NamedTuple):
    """Of an utterance."""

    text: str
    start: float
    end: float


class WebSocketLine:
    """A client's end."""

    def __init__(self, connection: ClientConnection) -> None:
        self.send = connection.send
        self.connection, self.socket = connection, connection.socket

    def hear(self) -> Content | None:
        """The next message; None: the server has closed."""
        try:
            return dict(json.loads(self.connection.recv(20)))
        except ConnectionClosed:
            return None

    @property
    def close_code(self) -> int | None:
        return self.connection.close_code


class TcpLine:
    """The same over TCP, which has no close codes."""

    close_code = None

    def __init__(self, connection: socket.socket) -> None:
        self.socket, self._frames, self._got = connection, Frames(), list[Content]()

    def send(self, message: Message) -> None:
        assert isinstance(message, bytes)
        self.socket.sendall(message)

    def hear(self) -> Content | None:
        while not self._got:
            data = self.socket.recv(65_536)
            if not data:
                return None
            self._got += [{"type": f.kind, **f.data} for f in self._frames.feed(data)]
        return self._got.pop(0)


Line: TypeAlias = WebSocketLine | TcpLine


def dump(**content: Any) -> str:
    return json.dumps(content)


# what is told of utterances, and that it is told in order


def native(messages: list[Content]) -> Iterator[Final]:
    present: int | None = None
    for m in messages:
        if m["type"] == "speech_started":
            assert present is None
            present = m["utterance"]
        if m["type"] in ("partial", "final"):
            assert m["utterance"] == present
        if m["type"] == "final":
            present = None
            yield Final(m["text"], m["start"], m["end"])
    assert present is None and [m["seq"] for m in messages] == list(range(1, len(messages) + 1))


def deepgram(messages: list[Content]) -> Iterator[Final]:
    over = 0.0
    for m in messages:
        if m["type"] == "Results":
            assert m["start"] >= over - 0.001
            over = m["start"] + m["duration"] if m["is_final"] else over
            if m["is_final"]:
                yield Final(m["channel"]["alternatives"][0]["transcript"], m["start"], over)
    assert messages[-1]["type"] == "Metadata"


def realtime(messages: list[Content]) -> Iterator[Final]:
    kinds: dict[str, list[str]] = {}
    times: dict[str, list[int]] = {}
    for m in messages:
        if "item_id" in m:
            kinds.setdefault(m["item_id"], []).append(m["type"].rpartition(".")[2])
            times.setdefault(m["item_id"], []).extend(m[name] for name in ("audio_start_ms", "audio_end_ms") if name in m)
        if m["type"].endswith("transcription.completed"):
            yield Final(m["transcript"], times[m["item_id"]][0], times[m["item_id"]][-1])
    assert all(each.count("completed") == 1 and each[-1] == "completed" for each in kinds.values())


def vosk(messages: list[Content]) -> Iterator[Final]:
    assert all(set(m) in ({"partial"}, {"text"}, {"text", "result"}) for m in messages)
    for m in messages:
        if words := m.get("result"):
            assert m["text"] == " ".join(word["word"] for word in words)
            yield Final(m["text"], words[0]["start"], words[-1]["end"])


def whisper_live(messages: list[Content]) -> Iterator[Final]:
    told: list[Content] = []
    for m in messages:
        *done, last = m.get("segments", [{"completed": True}])
        done += [last] if last["completed"] and last.keys() > {"completed"} else []
        assert all(s["completed"] for s in done) and done[: len(told)] == told[: len(done)]
        told = done if len(done) > len(told) else told
        assert last["completed"] or not told or float(last["start"]) >= float(told[-1]["end"])
    assert messages[-1]["message"] == "DISCONNECT"
    yield from (Final(s["text"].strip(), float(s["start"]), float(s["end"])) for s in told)


def wyoming(messages: list[Content]) -> Iterator[Final]:
    first, *chunks, whole, last = messages
    assert (first["type"], whole["type"], last["type"]) == ("transcript-start", "transcript", "transcript-stop")
    assert {chunk["type"] for chunk in chunks} == {"transcript-chunk"}
    assert "".join(chunk["text"] for chunk in chunks) == whole["text"]
    yield Final(whole["text"], 0, 1)  # of a transcription, however many utterances it has


@dataclass(frozen=True)
class Dialect:
    """How it is spoken."""

    finals: Callable[[list[Content]], Iterator[Final]]
    path: str = ""  # none: the TCP port
    opening: tuple[Message, ...] = ()
    piece: Callable[[bytes], Message] = lambda data: data
    end: tuple[Message, ...] = ()
    last: str = ""  # the type of the message after which the test hangs up; none: the server does
    is_lock_step: bool = False
    ends_at_nothing: bool = False  # an empty message is the end
    illegal: tuple[tuple[Message, ...], ...] = ()
    is_error: Callable[[Content], bool] = lambda message: message.get("type") == "error"
    going: int | None = 1012  # the close code when the server goes

    @contextmanager
    def connected(self, running: Running) -> Iterator[Line]:
        if self.path:
            with connect(running.url(self.path), compression=None) as connection:
                yield WebSocketLine(connection)
        else:
            with socket.create_connection(("127.0.0.1", running.service.config.wyoming_port), timeout=20) as connection:
                yield TcpLine(connection)

    def script(self, pieces: Sequence[bytes]) -> list[Message]:
        return [*self.opening, *map(self.piece, filter(None, pieces) if self.ends_at_nothing else pieces), *self.end]

    def converse(self, running: Running, pieces: Sequence[bytes], count: int) -> list[Content]:
        """All messages until so many of the last kind have come."""
        with self.connected(running) as line:
            got: list[Content] = []
            for message in self.script(pieces):
                line.send(message)
                if self.is_lock_step and isinstance(message, bytes):
                    got.append(line.hear() or {})
            while not self.last or sum(m.get("type") == self.last for m in got) < count:
                if (message := line.hear()) is None:
                    break
                got.append(message)
        return got


def append(data: bytes) -> str:
    return dump(type="input_audio_buffer.append", audio=base64.b64encode(data).decode())


PCM = {"type": "transcription", "audio": {"input": {"format": {"type": "audio/pcm", "rate": 16_000}}}}
VOSK = dump(config={"sample_rate": 16_000})
SETTINGS = dump(uid="a", audio_format="int16")
DIALECTS = {
    "native": Dialect(
        native,
        "/v1/stream",
        (dump(type="start"),),
        end=(dump(type="stop"),),
        illegal=(
            (b"audio",),
            ("{}",),
            ("x",),
            (dump(type="start", language=7),),
            (dump(type="start"), b"12", dump(type="start", format="f32le")),
            (dump(type="finalize"),),
        ),
    ),
    "deepgram": Dialect(
        deepgram,
        "/v1/listen?encoding=linear16&sample_rate=16000&interim_results=true",
        end=(dump(type="CloseStream"),),
        ends_at_nothing=True,
        illegal=(("x",), ("{}",), (dump(type="Nothing"),), (dump(type="Configure", keyterms=["", "a"]),)),
        is_error=lambda m: m["type"] in ("Error", "ConfigureFailure"),
    ),
    "realtime": Dialect(
        realtime,
        "/v1/realtime?intent=transcription",
        (dump(type="session.update", session=PCM),),
        append,
        last="conversation.item.input_audio_transcription.completed",
        illegal=(
            (b"audio",),
            ("x",),
            ("{}",),
            (dump(type="response.create"),),
            (dump(type="input_audio_buffer.commit"),),
            (dump(type="input_audio_buffer.append", audio="?"),),
        ),
        is_error=lambda m: m["type"] == "error" and bool(m["error"]["message"]),
    ),
    "vosk": Dialect(
        vosk,
        "/vosk",
        (VOSK,),
        end=('{"eof" : 1}',),
        is_lock_step=True,
        illegal=(("x",), ("{}",), ('{"config": 1}', b"12"), (VOSK, b"12", dump(config={"sample_rate": 8_000}), b"12")),
        is_error=lambda m: "error" in m,
    ),
    "whisper_live": Dialect(
        whisper_live,
        "/whisper-live",
        (SETTINGS,),
        end=(b"END_OF_AUDIO",),
        illegal=((b"1234",), ("x",), ("{}",), (dump(uid=1),), (SETTINGS, SETTINGS), (dump(uid="a", task="translate"),)),
        is_error=lambda m: m.get("status") == "ERROR",
    ),
    "wyoming": Dialect(
        wyoming,
        piece=lambda data: frame("audio-chunk", data, **AUDIO),
        end=(frame("audio-stop"),),
        last="transcript-stop",
        illegal=(
            (b"x\n",),
            (frame("transcribe", language=5),),
            (frame("audio-start", rate=1),),
            (frame("audio-start", **AUDIO), frame("audio-chunk", b"12", **{**AUDIO, "rate": 8_000})),
        ),
        going=None,
    ),
}
EACH = pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)


@pytest.fixture
def recogniser() -> ScriptedRecogniser:
    return ScriptedRecogniser()


@pytest.fixture
def start(serve: Serve, recogniser: ScriptedRecogniser) -> Callable[..., Running]:
    """A server with both ports."""

    def started(**settings: Any) -> Running:
        with listen("127.0.0.1", 0) as listener:
            port = listener.getsockname()[1]
        made = serve(recogniser, wyoming_port=port, **settings)
        assert wait_for(lambda: made.service.wyoming is not None)
        return made

    return started


@pytest.fixture
def running(start: Callable[..., Running]) -> Running:
    return start()


def in_order(finals: list[Final]) -> list[Final]:
    assert all(f.start <= f.end for f in finals) and all(a.end <= b.start + 0.001 for a, b in pairwise(finals))
    return [f for f in finals if f.text]


def said(running: Running, pieces: Sequence[bytes], dialect: Dialect = DIALECTS["native"]) -> str:
    return " ".join(
        f.text for f in in_order(list(dialect.finals(dialect.converse(running, pieces, 1 if dialect.finals is wyoming else 2))))
    )


@EACH
def test_the_same_words_in_order_whatever_the_pieces(running: Running, dialect: Dialect):
    expected = said(running, [SPEECH])
    assert len(expected.split()) > 5
    for pieces in ([SPEECH], cut(SPEECH, [3_201] * 500), random_cuts(SPEECH, 5, 9_000)):
        assert said(running, pieces, dialect) == expected


def wav(pcm: bytes) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.frombuffer(pcm, "<i2"), 16_000, format="WAV", subtype="PCM_16")
    return file.getvalue()


WAV = wav(SPEECH)
CALLS: dict[str, tuple[str, Content]] = {
    "openai": ("/v1/audio/transcriptions", {"files": {"file": ("a.wav", WAV)}, "data": {"model": "whisper-1"}}),
    "asr": ("/asr", {"files": {"file": ("a.wav", WAV)}}),
    "asr-json": ("/asr", {"json": {"audio": base64.b64encode(WAV).decode()}}),
    "deepgram-rest": ("/v1/listen", {"data": WAV, "headers": {"Content-Type": "audio/wav"}}),
}


@pytest.mark.parametrize("call", CALLS)
def test_the_same_words_of_a_recording(running: Running, call: str):
    path, arguments = CALLS[call]
    expected, url = said(running, [SPEECH]), f"http://{running.address}{path}"
    whole = requests.Request("POST", url, **arguments).prepare()
    assert isinstance(whole.body, bytes)
    headers = {"Content-Type": whole.headers["Content-Type"]}
    for seed in range(3):
        answer = requests.post(url, data=filter(None, random_cuts(whole.body, seed, 9_000)), headers=headers, timeout=30).json()
        found = answer.get("text") or answer["results"]["channels"][0]["alternatives"][0]["transcript"]
        assert found == expected


class Indiscreet(ScriptedRecogniser):
    """Says nothing but what is to be kept back."""

    def _answer(self, request: StepRequest) -> Hypothesis:
        found, count = super()._answer(request), len(request.stable)
        new = [replace(w, text=SECRETS[w.start // CELL % 2], tokens=(5_551_234,)) for w in found.words[count:]]
        return replace(found, words=(*request.stable, *new))


SECRETS = (" 5551234", " fuck")
_TOKEN = "item.input_audio_transcription."
ALL_THERE_IS = {
    "deepgram": {"path": DIALECTS["deepgram"].path + "&vad_events=true"},
    "realtime": {"opening": (dump(type="session.update", session=PCM | {"include": [_TOKEN + "logprobs", _TOKEN + "interim"]}),)},
    "whisper_live": {"opening": (dump(uid="a", audio_format="int16", word_timestamps=True),)},
}


def assert_discreet(told: str) -> None:
    assert "[number]" in told and "f***" in told
    for secret in (*SECRETS, *(dump(bytes=list(each.encode()))[11:-2] for each in SECRETS)):
        assert secret.strip() not in told


@pytest.mark.parametrize("recogniser", [Indiscreet()])
@pytest.mark.parametrize("name", DIALECTS)
def test_what_is_kept_back_is_in_no_field(start: Callable[..., Running], name: str):
    dialect = replace(DIALECTS[name], **ALL_THERE_IS.get(name, {}))
    running = start(redact=("number",), profanity=False)
    assert_discreet(json.dumps(dialect.converse(running, cut(SPEECH, [16_000] * 20), 1 if name == "wyoming" else 2)))


RECORDINGS: list[tuple[str, Content]] = [
    *(("openai", {"response_format": each}) for each in ("json", "text", "srt", "vtt")),
    ("openai", {"response_format": "verbose_json", "timestamp_granularities[]": ["word", "segment"]}),
    ("openai", {"include[]": "logprobs"}),
    ("openai", {"include[]": "logprobs", "stream": "true"}),
    ("asr", {}),
    ("asr", {"stream": "true"}),
]


@pytest.mark.parametrize("recogniser", [Indiscreet()])
def test_what_is_kept_back_is_in_no_answer_about_a_recording(start: Callable[..., Running]):
    running = start(redact=("number",), profanity=False)
    for call, data in RECORDINGS:
        path, arguments = CALLS[call]
        assert_discreet(requests.post(f"http://{running.address}{path}", **arguments | {"data": data}, timeout=30).text)
    path, arguments = CALLS["deepgram-rest"]
    url = f"http://{running.address}{path}?utterances=true&paragraphs=true"
    assert_discreet(requests.post(url, **arguments, timeout=30).text)


@EACH
def test_faults_are_told_and_leave_the_server_well(running: Running, dialect: Dialect):
    for messages in dialect.illegal:
        with dialect.connected(running) as line:
            for message in messages:
                line.send(message)
            while (answer := line.hear()) is not None and not dialect.is_error(answer):
                pass
            assert answer, messages
    assert said(running, [SPEECH], dialect) == said(running, [SPEECH])
    assert wait_for(lambda: running.service.admission.live == 0)


@EACH
def test_a_client_that_goes_at_any_stage_leaves_nothing_behind(running: Running, recogniser: ScriptedRecogniser, dialect: Dialect):
    script = dialect.script(PIECES)
    for count in range(len(script) + 1):
        for is_abrupt in (False, True):
            with suppress(ConnectionClosed, OSError), dialect.connected(running) as line:
                for message in script[:count]:
                    line.send(message)
                if is_abrupt:  # gone without a word
                    line.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    line.socket.close()
    assert wait_for(lambda: running.service.admission.live == 0 and not running.service.live)
    assert wait_for(lambda: recogniser.open_streams == ())
    assert running.service.engines[0].sessions == 0


@EACH
def test_a_client_that_says_nothing_loses_its_place(start: Callable[..., Running], dialect: Dialect):
    running = start(idle_s=1.0, max_sessions=1)
    with dialect.connected(running) as line:
        while line.hear() is not None:
            pass
    assert wait_for(lambda: running.service.admission.live == 0)
    assert said(running, [SPEECH], dialect)


@EACH
def test_what_was_said_is_told_before_the_server_goes(running: Running, recogniser: ScriptedRecogniser, dialect: Dialect):
    with dialect.connected(running) as line:
        for message in dialect.script(PIECES)[: -len(dialect.end) or None]:
            line.send(message)
        assert wait_for(lambda: recogniser.open_streams != ())
        loop = running.server._loop
        assert loop is not None
        draining = asyncio.run_coroutine_threadsafe(running.service.drain(), loop)
        got = list(iter(line.hear, None))
        assert line.close_code == dialect.going
    draining.result(10)
    (final,) = in_order(list(dialect.finals(got)))
    assert final.text
