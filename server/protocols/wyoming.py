"""The Wyoming protocol, as Home Assistant speaks it over TCP; docs/protocols/wyoming.md.

A frame is a line of JSON, then as many bytes of JSON data and of payload as it says.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from model.interfaces import Hotword
from server.protocols.base import Adapter, ServerDefaults, Taken
from server.protocols.fields import invalid, languages, only, texts
from streaming.audio.pcm import check_format
from streaming.biasing import normalised
from streaming.commands import Append, AudioFormat, Close, Command, Configure, Encoding, Flush, KeepAlive, SessionConfig
from streaming.errors import LimitExceeded, Overloaded, ProtocolViolation, TranscriptionError
from streaming.events import Closed, ErrorEvent, Event, FinalTranscript, Flushed, PartialTranscript
from streaming.text.growing import GrowingText

MOST_HEADER, MOST_DATA, MOST_PAYLOAD = 1 << 16, 1 << 20, 1 << 20  # bytes
MOST_WAITING = 1_000  # answers that the client has not taken yet
_WIDTHS = {2: Encoding.S16LE, 4: Encoding.S32LE}
_VERSION = "1.10.2"


class Frame(NamedTuple):
    """One event of the client."""

    kind: str
    data: Mapping[str, Any]
    payload: bytes


class Frames:
    """Bytes, cut anywhere → frames."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._header: dict[str, Any] | None = None

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Raises TranscriptionError; what follows then means nothing any more."""
        self._held += data
        while (frame := self._next()) is not None:
            yield frame

    def _next(self) -> Frame | None:
        if self._header is None:
            self._header = self._line()
        if self._header is None:
            return None
        data_length = _length(self._header, "data_length", MOST_DATA)
        size = data_length + _length(self._header, "payload_length", MOST_PAYLOAD)
        if len(self._held) < size:
            return None
        header, body = self._header, bytes(self._held[:size])
        del self._held[:size]
        self._header = None
        more = _object(body[:data_length], "data") if data_length else {}
        return Frame(str(header.get("type")), {**(header.get("data") or {}), **more}, body[data_length:])

    def _line(self) -> dict[str, Any] | None:
        end = self._held.find(b"\n")
        if (len(self._held) if end < 0 else end) > MOST_HEADER:
            raise LimitExceeded(f"a header line is longer than {MOST_HEADER:,} bytes", field="header", code="message_too_big")
        if end < 0:
            return None
        line = bytes(self._held[:end])
        del self._held[: end + 1]
        header = _object(line, "header")
        if not isinstance(header.get("data") or {}, dict):
            raise invalid("data", header["data"], "an object")
        return header


def _length(header: Mapping[str, Any], name: str, most: int) -> int:
    value = header.get(name) or 0
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise invalid(name, value, f"a whole number of bytes, at most {most:,}")
    return value


def _object(data: bytes, name: str) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ProtocolViolation(f"{name} is no JSON object", field=name, code="invalid_json")
    return found


class WyomingAdapter(Adapter):
    """One connection, any number of transcriptions one after the other."""

    name = "wyoming"
    answers_each_message = True

    def __init__(self, session_id: str, defaults: ServerDefaults) -> None:
        self._defaults = defaults
        self._frames: Frames | None = Frames()  # None: what comes cannot be understood any more
        self._config = defaults.session()
        self._format: AudioFormat | None = None
        self._waiting: list[bytes] = []
        self._growing, self._has_begun = GrowingText(), False
        self._language: str | None = None
        self._handlers: dict[str, Callable[[Frame], list[Command]]] = {
            "describe": self._describe,
            "ping": self._ping,
            "transcribe": self._transcribe,
            "audio-start": self._start,
            "audio-chunk": self._chunk,
            "audio-stop": lambda frame: [Flush("stop")] if self._format else self._empty(),
        }

    # in

    def opening(self) -> list[Command]:
        """The format of the audio is not known yet."""
        return []

    def parse(self, message: str | bytes) -> list[Command]:
        """Faults of single events are answered, and the next one is taken; after a broken frame comes the end."""
        if self._frames is None or isinstance(message, str):
            return []
        commands: list[Command] = []
        try:
            for frame in self._frames.feed(message):
                commands += self._handled(frame)
                self._check_waiting()
        except TranscriptionError as error:
            self._waiting.append(_fault(error))
            self._frames = None
            commands.append(Close())
        return commands

    def _handled(self, frame: Frame) -> list[Command]:
        try:
            handler = self._handlers.get(frame.kind)
            return handler(frame) if handler else []  # events of other services are none of ours
        except TranscriptionError as error:
            self._waiting.append(_fault(error))
            return []

    def _check_waiting(self) -> None:
        if len(self._waiting) > MOST_WAITING:
            raise Overloaded(f"{len(self._waiting):,} answers wait to be taken by the client, expected at most {MOST_WAITING:,}")

    def _describe(self, frame: Frame) -> list[Command]:
        author = {"name": "Stenoline", "url": ""}
        names = self._defaults.models[:1] or ("default",)
        common = {"attribution": author, "installed": True, "version": "1"}
        spoken = list(self._defaults.languages) or ["en"]
        models = [{"name": n, "description": f"{n}, live", "languages": spoken, **common} for n in names]
        program = {"name": "stenoline", "description": "live transcription", "models": models, **common}
        self._waiting.append(framed("info", {"asr": [program | {"supports_transcript_streaming": True}]}))
        return [KeepAlive()]

    def _ping(self, frame: Frame) -> list[Command]:
        self._waiting.append(framed("pong", {"text": frame.data.get("text")}))
        return [KeepAlive()]

    def _transcribe(self, frame: Frame) -> list[Command]:
        name = frame.data.get("name")
        if name and name not in self._defaults.models:
            raise invalid("name", name, "one of " + ", ".join(self._defaults.models))
        codes = languages(frame.data.get("language") or self._defaults.language, self._defaults.languages)
        phrases = [*texts(frame.data, "transcript_names"), *texts(frame.data, "transcript_terms")]
        found = replace(self._config, language=only(codes), languages=codes, hotwords=normalised(map(Hotword, phrases)))
        return self._configured(found, self._format) if self._format else self._kept(found)

    def _kept(self, config: SessionConfig) -> list[Command]:
        self._config = config
        return []

    def _start(self, frame: Frame) -> list[Command]:
        width, rate, channels = (frame.data.get(name) for name in ("width", "rate", "channels"))
        if width not in _WIDTHS:
            raise invalid("width", width, "2 or 4 bytes a sample")
        for name, value in (("rate", rate), ("channels", channels)):
            if isinstance(value, bool) or not isinstance(value, int):
                raise invalid(name, value, "a whole number")
        wanted = AudioFormat(_WIDTHS[width], rate, channels)  # type: ignore[arg-type]
        check_format(wanted)
        if self._format not in (None, wanted):
            raise invalid("rate, width, channels", f"{rate}, {width}, {channels}", "those of this connection's first audio")
        return self._configured(self._config, wanted) if self._format is None else []

    def _configured(self, config: SessionConfig, audio: AudioFormat) -> list[Command]:
        self._config, self._format = config, audio
        return [Configure(replace(config, audio=audio))]

    def _chunk(self, frame: Frame) -> list[Command]:
        return [*self._start(frame), Append(frame.payload)]

    def _empty(self) -> list[Command]:
        self._waiting += self._ended()
        return []

    # out

    def render(self, event: Event | Taken) -> list[bytes]:
        """Text that will not change is told while it is spoken; the whole of it at the end."""
        match event:
            case Taken():
                return self._waited()
            case PartialTranscript():
                return self._told(self._growing.grow(event.stable))
            case FinalTranscript():
                self._language = event.language or self._language
                return self._told(self._growing.close(event.words))
            case Flushed("stop"):
                return self._ended()
            case ErrorEvent(error):
                return [_fault(error)]
            case Closed():
                return [*self._waited(), *(self._ended() if self._has_begun else [])]
        return []

    def _waited(self) -> list[bytes]:
        waiting, self._waiting = self._waiting, []
        return waiting

    def _told(self, added: str) -> list[bytes]:
        if not added:
            return []
        start = [] if self._has_begun else [framed("transcript-start", {})]
        self._has_begun = True
        return [*start, framed("transcript-chunk", {"text": added})]

    def _ended(self) -> list[bytes]:
        start = [] if self._has_begun else [framed("transcript-start", {})]
        data = {"text": self._growing.text, **({"language": self._language} if self._language else {})}
        self._growing, self._has_begun, self._language = GrowingText(), False, None
        return [*start, framed("transcript", data), framed("transcript-stop", {})]


def _fault(error: TranscriptionError) -> bytes:
    return framed("error", {"text": error.message, "code": error.code})


def framed(kind: str, data: Mapping[str, Any], payload: bytes = b"") -> bytes:
    """An event as it goes over the wire."""
    body = json.dumps(data, ensure_ascii=False).encode(errors="replace") if data else b""
    header = {"type": kind, "version": _VERSION, **({"data_length": len(body)} if body else {})}
    if payload:
        header["payload_length"] = len(payload)
    return json.dumps(header).encode() + b"\n" + body + payload
