from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.protocols.base import ServerDefaults, Taken
from server.protocols.wyoming import MOST_HEADER, MOST_WAITING, Frame, Frames, WyomingAdapter
from streaming.commands import Append, Close, Configure, Encoding, Flush, KeepAlive
from streaming.errors import TranscriptionError
from tests.helpers import random_cuts
from tests.server.protocols.events import EVENTS

AUDIO = {"rate": 16_000, "width": 2, "channels": 1}


def frame(kind: str, payload: bytes = b"", **data: Any) -> bytes:
    body = json.dumps(data).encode() if data else b""
    header = {"type": kind, "data_length": len(body), "payload_length": len(payload)}
    return json.dumps(header).encode() + b"\n" + body + payload


def told(adapter: WyomingAdapter, event: Any = None) -> list[Frame]:
    return list(Frames().feed(b"".join(adapter.render(event or Taken(True)))))


@given(st.lists(st.tuples(st.text(min_size=1, max_size=5), st.binary(max_size=20)), max_size=5), st.integers(0, 99))
def test_frames_cut_anywhere(sent: list[tuple[str, bytes]], seed: int):
    data = b"".join(frame(kind, payload, a=kind) for kind, payload in sent)
    frames = Frames()
    found = [f for piece in random_cuts(data, seed, 7) for f in frames.feed(piece)]
    assert found == [Frame(kind, {"a": kind}, payload) for kind, payload in sent]


@pytest.mark.parametrize(
    "data",
    [
        b"x" * (MOST_HEADER + 1),
        b"no json\n",
        b"[]\n",
        b'{"type": "a", "data_length": -1}\n',
        b'{"type": "a", "data_length": 1e9}\n',
        b'{"type": "a", "payload_length": 99999999}\n',
        b'{"type": "a", "payload_length": true}\n',
        b'{"type": "a", "data": 5}\n',
        b'{"type": "a", "data_length": 2}\n[]',
    ],
)
def test_a_broken_frame_is_told_and_ends_it(data: bytes):
    with pytest.raises(TranscriptionError):
        list(Frames().feed(data))
    adapter = WyomingAdapter("s", ServerDefaults())
    assert adapter.parse(data) == [Close()]
    assert [f.kind for f in told(adapter)] == ["error"] and adapter.parse(frame("describe")) == []


def test_what_it_is():
    adapter = WyomingAdapter("s", ServerDefaults(models=("m",), languages=("en", "zh")))
    assert adapter.parse(frame("describe") + frame("ping", text="x") + frame("something-else")) == [KeepAlive(), KeepAlive()]
    info, pong = told(adapter)
    (program,) = info.data["asr"]
    assert program["models"][0]["languages"] == ["en", "zh"] and program["supports_transcript_streaming"]
    assert (pong.kind, pong.data) == ("pong", {"text": "x"})


def test_a_transcription():
    adapter = WyomingAdapter("s", ServerDefaults())
    data = frame("transcribe", language="en", transcript_names=["Ann"], transcript_terms=["LoRA"])
    data += frame("audio-start", **AUDIO) + frame("audio-chunk", b"12", **AUDIO) + frame("audio-stop")
    configure, audio, flush = adapter.parse(data)
    assert isinstance(configure, Configure) and configure.config.audio.encoding is Encoding.S16LE
    assert configure.config.language == "en" and [h.text for h in configure.config.hotwords] == ["Ann", "LoRA"]
    assert (audio, flush) == (Append(b"12"), Flush("stop"))


@pytest.mark.parametrize(
    ("kind", "data", "named"),
    [
        ("audio-start", {**AUDIO, "width": 1}, "width"),
        ("audio-start", {**AUDIO, "rate": "x"}, "rate"),
        ("audio-start", {**AUDIO, "rate": 100}, "sample_rate"),
        ("transcribe", {"language": 5}, "language"),
        ("transcribe", {"name": "other"}, "name"),
        ("transcribe", {"transcript_terms": "LoRA"}, "transcript_terms"),
    ],
)
def test_a_bad_event_is_told_and_the_next_one_is_taken(kind: str, data: dict[str, Any], named: str):
    adapter = WyomingAdapter("s", ServerDefaults(models=("m",)))
    assert len(adapter.parse(frame(kind, **data) + frame("audio-start", **AUDIO))) == 1
    (error,) = told(adapter)
    assert error.kind == "error" and named in error.data["text"]


def test_an_end_without_audio_has_all_the_events_of_an_end():
    adapter = WyomingAdapter("s", ServerDefaults())
    assert adapter.parse(frame("audio-stop")) == []
    assert [f.kind for f in told(adapter)] == ["transcript-start", "transcript", "transcript-stop"]


def test_so_many_answers_wait_and_then_it_ends():
    adapter = WyomingAdapter("s", ServerDefaults())
    assert adapter.parse(frame("ping") * (MOST_WAITING + 5))[-1] == Close() and adapter.parse(frame("ping")) == []
    found = told(adapter)
    assert found[-1].data["code"] == "overloaded" and len(found) == MOST_WAITING + 2


def test_another_format_needs_another_connection():
    adapter = WyomingAdapter("s", ServerDefaults())
    adapter.parse(frame("audio-start", **AUDIO))
    assert adapter.parse(frame("audio-start", **{**AUDIO, "rate": 8_000})) == []
    assert "first audio" in told(adapter)[0].data["text"]


@given(EVENTS)
def test_chunks_and_transcripts_come_between_start_and_stop(events: list[Any]):
    adapter = WyomingAdapter("s", ServerDefaults())
    kinds = [f.kind for event in events for f in told(adapter, event) if f.kind != "error"]
    is_open = False
    for kind in kinds:
        assert is_open != (kind == "transcript-start")
        is_open = kind != "transcript-stop"
