"""WhisperLive's WebSocket protocol; docs/protocols/whisper-live.md."""

from __future__ import annotations

import json
from collections import deque
from typing import Any

from model.interfaces import Hotword, Word
from server.protocols.base import Adapter, ServerDefaults, Taken
from server.protocols.fields import flag, invalid, json_object, languages, one_of, only, whole
from streaming.biasing import normalised
from streaming.commands import Append, AudioFormat, Close, Command, Configure, Encoding, SessionConfig
from streaming.errors import ProtocolViolation
from streaming.events import Closed, Configured, ErrorEvent, Event, FinalTranscript, PartialTranscript, Warned
from streaming.timeline import seconds

_END = b"END_OF_AUDIO"
_FORMATS = {"float32": Encoding.F32LE, "int16": Encoding.S16LE}
_USUAL_SEGMENTS, _MOST_SEGMENTS = 10, 100
_LONGEST_UID = 200
QUIET_S = 2.0

Message = dict[str, Any]


class WhisperLiveAdapter(Adapter):
    """The first message has the settings; audio is binary; what was said last comes again and again."""

    name = "whisper_live"

    def __init__(self, session_id: str, defaults: ServerDefaults) -> None:
        self._defaults = defaults
        self._uid: str | None = None
        self._is_set = False
        self._segments: deque[Message] = deque(maxlen=_USUAL_SEGMENTS)
        self._has_words = False
        self._end = 0.0  # of the last completed segment, in s
        self._language: str | None = None

    # in

    def opening(self) -> list[Command]:
        """The settings come first."""
        return []

    def parse(self, message: str | bytes) -> list[Command]:
        """Raises TranscriptionError."""
        if isinstance(message, bytes):
            if not self._is_set:
                raise ProtocolViolation("audio came first, expected the settings, JSON with uid", field="message")
            return [Close()] if message == _END else [Append(message)]
        return [Configure(self._settings(json_object(message)))]

    def _settings(self, given: Message) -> SessionConfig:
        if self._is_set:
            raise ProtocolViolation("settings came twice, expected audio", field="message")
        uid = given.get("uid")
        if not isinstance(uid, str) or not 0 < len(uid) <= _LONGEST_UID:
            raise invalid("uid", uid, f"a text of up to {_LONGEST_UID} characters")
        self._uid = uid  # faults have it too: the stock client hears no message without
        if given.get("task", "transcribe") != "transcribe" or given.get("enable_translation"):
            raise invalid("task", given.get("task"), '"transcribe": this server does not translate')
        encoding = _FORMATS[one_of(given, "audio_format", "float32", tuple(_FORMATS))]
        count = whole(given, "send_last_n_segments", _USUAL_SEGMENTS)
        if not 1 <= count <= _MOST_SEGMENTS:
            raise invalid("send_last_n_segments", count, f"1 to {_MOST_SEGMENTS}")
        codes = languages(given.get("language") or self._defaults.language, self._defaults.languages)
        config = SessionConfig(
            AudioFormat(encoding),
            only(codes),
            normalised(map(Hotword, _listed(given.get("hotwords")))),
            languages=codes,
            endpointing=self._defaults.endpointing,
            text=self._defaults.text,
            prompt=str(given.get("initial_prompt") or "")[:4_000],
        )
        self._has_words = flag(given, "word_timestamps", False)
        self._segments = deque(maxlen=count)
        self._is_set, self.quiet_s = True, QUIET_S  # the stock client waits for the end, and is silent
        return config

    # out

    def render(self, event: Event | Taken) -> list[str]:
        """Messages with the client's uid."""
        return [json.dumps({"uid": self._uid, **message}, ensure_ascii=False) for message in self._messages(event)]

    def _messages(self, event: Event | Taken) -> list[Message]:
        match event:
            case Configured():
                return [{"message": "SERVER_READY", "backend": "faster_whisper"}]  # the stock client knows this name
            case PartialTranscript() if event.stable + event.unstable:
                words = event.stable + event.unstable
                return [*self._found(event.language, 1.0), self._list([self._segment(words, is_done=False)])]
            case FinalTranscript() if event.words:
                return [*self._found(event.language, event.language_confidence), *self._completed(event.words)]
            case Warned(_, message):
                return [{"status": "WARNING", "message": message}]
            case ErrorEvent(error):
                return [{"status": "ERROR", "message": error.message}]
            case Closed():
                return [{"message": "DISCONNECT"}]
        return []

    def _found(self, code: str | None, confidence: float) -> list[Message]:
        if not code or self._language:
            return []
        self._language = code
        return [{"language": code, "language_prob": round(confidence, 4)}]

    def _completed(self, words: tuple[Word, ...]) -> list[Message]:
        """First as if it were still being said: the stock client keeps the last such text, beside a completed one that differs."""
        as_partial = self._list([self._segment(words, is_done=False)])
        self._segments.append(self._segment(words, is_done=True))
        return [as_partial, self._list([])]

    def _list(self, more: list[Message]) -> Message:
        return {"segments": [*self._segments, *more]}

    def _segment(self, words: tuple[Word, ...], *, is_done: bool) -> Message:
        """None begins before the last completed one ends: by that clients know what is new."""
        start, end = max(self._end, seconds(words[0].start)), seconds(words[-1].end)
        segment: Message = {"start": _s(start), "end": _s(max(start, end)), "text": _text(words), "completed": is_done}
        if self._has_words:
            segment["words"] = [_word(word) for word in words]
        self._end = max(start, end) if is_done else self._end
        return segment


def _listed(given: object) -> list[str]:
    """`a,b`, as the stock client sends it."""
    if given is None or given == "":
        return []
    if not isinstance(given, str):
        raise invalid("hotwords", given, "a text with commas between the phrases")
    return [each.strip() for each in given.split(",") if each.strip()]


def _text(words: tuple[Word, ...]) -> str:
    return "".join(word.text for word in words)


def _s(at_s: float) -> str:
    return f"{at_s:.3f}"


def _word(word: Word) -> Message:
    times = {"start": _s(seconds(word.start)), "end": _s(seconds(word.end))}
    return {"word": word.text, **times, "probability": round(word.confidence, 4)}
