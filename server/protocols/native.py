"""/v1/stream, our own protocol; docs/protocols/native.md describes it message by message."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from model.interfaces import Word
from server.protocols.base import Adapter, ServerDefaults, Taken
from server.protocols.fields import (
    endpointing,
    flag,
    hotwords,
    invalid,
    json_object,
    languages,
    one_of,
    only,
    text_style,
    texts,
    whole,
)
from streaming.commands import (
    Append,
    AudioFormat,
    Bias,
    Close,
    Command,
    Configure,
    Encoding,
    Finalize,
    Flush,
    KeepAlive,
    SessionConfig,
)
from streaming.errors import ProtocolViolation
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
from streaming.text.growing import text_of
from streaming.timeline import seconds

_ENCODINGS = tuple(e.value for e in Encoding)
_COMPRESSED = ("container", "opus")
_LONGEST_MARKER = 256


class NativeAdapter(Adapter):
    """JSON text messages and binary audio."""

    name = "native"

    def __init__(self, session_id: str, defaults: ServerDefaults) -> None:
        self._session_id = session_id
        self._defaults = defaults
        self._sequence = 0
        self._has_audio = False
        self._commands: dict[str, Callable[[Mapping[str, Any]], Command]] = {
            "start": self._start,
            "configure": self._bias,
            "flush": self._flush,
            "finalize": lambda _: Finalize(),
            "keepalive": lambda _: KeepAlive(),
            "stop": lambda _: Close(),
        }

    def opening(self) -> list[Command]:
        """Nothing: the client says `start`."""
        return []

    def parse(self, message: str | bytes) -> list[Command]:
        """Binary is audio, text is JSON with a `type`."""
        if isinstance(message, bytes):
            self._has_audio = True
            return [Append(message)]
        content = json_object(message)
        command = self._commands.get(str(content.get("type")))
        if command is None:
            expected = "one of " + ", ".join(self._commands)
            raise ProtocolViolation(f"type is {content.get('type')!r}, expected {expected}", field="type", code="unknown_message")
        return [command(content)]

    def _start(self, content: Mapping[str, Any]) -> Configure:
        model = content.get("model")
        if model is not None and model not in self._defaults.models:
            raise invalid("model", model, "one of " + ", ".join(self._defaults.models))
        codes = languages(content.get("language", self._defaults.language), self._defaults.languages)
        return Configure(
            SessionConfig(
                self._audio(content),
                only(codes),
                hotwords(content),
                flag(content, "partials", True),
                endpointing(content, self._defaults.endpointing),
                texts(content, "hotword_lists"),
                codes,
                text_style(content, self._defaults.text),
            )
        )

    def _audio(self, content: Mapping[str, Any]) -> AudioFormat:
        """Compressed sound tells its rate and channels itself."""
        name = one_of(content, "format", "s16le", (*_ENCODINGS, *_COMPRESSED))
        media = name if name in _COMPRESSED else None
        if self._has_audio and media != self.media:
            raise ProtocolViolation("the audio format cannot change once audio has come", field="format")
        rate, channels = whole(content, "sample_rate", 16_000), whole(content, "channels", 1)
        self.media = media
        return AudioFormat(Encoding.F32LE) if media else AudioFormat(Encoding(name), rate, channels)

    @staticmethod
    def _bias(content: Mapping[str, Any]) -> Bias:
        return Bias(hotwords(content), texts(content, "hotword_lists"))

    def _flush(self, content: Mapping[str, Any]) -> Flush:
        marker = content.get("marker", "")
        if not isinstance(marker, str) or len(marker) > _LONGEST_MARKER:
            raise invalid("marker", marker, f"a text of at most {_LONGEST_MARKER} characters")
        return Flush(marker)

    def render(self, event: Event | Taken) -> list[str]:
        """One message an event, numbered by `seq`."""
        content = self._content(event)
        if content is None:
            return []
        self._sequence += 1
        return [json.dumps({"type": content.pop("type"), "seq": self._sequence, **content}, ensure_ascii=False)]

    def _content(self, event: Event | Taken) -> dict[str, Any] | None:
        match event:
            case Configured(config):
                shown = self._described(config) | ({"format": self.media} if self.media else {})
                return {"type": "ready", "session": self._session_id, "config": shown}
            case Biased(config):
                return {"type": "configured", "hotwords": len(config.hotwords), "hotword_lists": list(config.hotword_lists)}
            case SpeechStarted(utterance, at):
                return {"type": "speech_started", "utterance": utterance, "at": seconds(at)}
            case PartialTranscript():
                return partial(event)
            case FinalTranscript():
                return final(event)
            case SpeechEnded(utterance, at):
                return {"type": "speech_ended", "utterance": utterance, "at": seconds(at)}
            case Flushed(marker, at):
                return {"type": "flushed", "marker": marker, "at": seconds(at)}
            case Warned(code, message):
                return {"type": "warning", "code": code, "message": message}
            case ErrorEvent(error, is_fatal):
                return {"type": "error", "code": error.code, "message": error.message, "field": error.field, "fatal": is_fatal}
            case Closed(code, reason, audio, utterances, words):
                totals = {"audio": seconds(audio), "utterances": utterances, "words": words}
                return {"type": "closed", "code": code, "reason": reason, **totals}
            case UtteranceGap() | Taken():
                return None

    def _described(self, config: SessionConfig) -> dict[str, Any]:
        e = config.endpointing
        return {
            "format": config.audio.encoding.value,
            "sample_rate": config.audio.sample_rate,
            "channels": config.audio.channels,
            "language": config.language or list(config.languages) or None,
            "partials": config.partials,
            "hotwords": len(config.hotwords),
            "hotword_lists": list(config.hotword_lists),
            "hotwords_active": self._defaults.has_hotwords,
            "text": {**asdict(config.text), "script": config.text.script or None, "redact": list(config.text.redact)},
            "endpointing": {"silence_ms": e.silence_ms, "no_speech_ms": e.no_speech_ms, "max_utterance_ms": e.max_utterance_ms},
        }


def partial(event: PartialTranscript) -> dict[str, Any]:
    """The message, but for its `seq`."""
    return {
        "type": "partial",
        "utterance": event.utterance,
        "text": text_of(event.stable + event.unstable),
        "stable": _words(event.stable),
        "unstable": _words(event.unstable),
        "start": seconds(event.start),
        "end": seconds(event.end),
        "language": event.language,
    }


def final(event: FinalTranscript) -> dict[str, Any]:
    """The message, but for its `seq`."""
    return {
        "type": "final",
        "utterance": event.utterance,
        "text": text_of(event.words),
        "words": _words(event.words),
        "start": seconds(event.start),
        "end": seconds(event.end),
        "language": event.language,
        "language_confidence": round(event.language_confidence, 3),
        "languages": list(event.languages),
        "reason": event.reason,
        "processing": round(event.processing_s, 3),
    }


def _words(words: tuple[Word, ...]) -> list[dict[str, Any]]:
    """`text` keeps its leading space, so that joining the texts gives the transcript."""
    return [{"text": w.text, "start": seconds(w.start), "end": seconds(w.end), "confidence": round(w.confidence, 3)} for w in words]
