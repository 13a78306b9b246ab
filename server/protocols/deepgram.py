"""/v1/listen, as Deepgram's live clients speak it; docs/protocols/deepgram.md says what is and is not supported."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from model.interfaces import Hotword, SampleIndex, Word
from server.protocols.base import Adapter, ServerDefaults, Taken
from server.protocols.fields import check_endpointing, flag, hotwords, invalid, json_object, languages, only
from streaming.audio.pcm import check_format
from streaming.biasing import HEAVIEST, normalised
from streaming.commands import (
    Append,
    AudioFormat,
    Bias,
    Close,
    Command,
    Configure,
    Encoding,
    EndpointingConfig,
    Finalize,
    KeepAlive,
    SessionConfig,
)
from streaming.errors import ProtocolViolation, UnsupportedAudio
from streaming.events import (
    Biased,
    Closed,
    ErrorEvent,
    Event,
    FinalTranscript,
    Flushed,
    PartialTranscript,
    SpeechStarted,
    UtteranceGap,
)
from streaming.text.growing import text_of
from streaming.text.redaction import KINDS
from streaming.text.style import TextStyle
from streaming.timeline import seconds

_COMPRESSED = ("ogg-opus", "flac", "webm", "mp3", "aac", "wav")  # told by their content
ENCODINGS = {"linear16": Encoding.S16LE, "linear32": Encoding.F32LE, "mulaw": Encoding.MULAW, "alaw": Encoding.ALAW}
_UNSUPPORTED = {
    "diarize": "speakers are not told apart; channels are, with multichannel=true",
    "diarize_model": "speakers are not told apart; channels are, with multichannel=true",
    "callback": "answers go to this connection only",
    "search": "words are written down, not searched",
    "replace": "give keyterm, or text forms of the native protocol",
    "translate": "speech is written down in its own language",
    **dict.fromkeys(("detect_entities", "summarize", "topics", "intents", "sentiment"), "text is not analysed"),
}
_FEATURES = ("numerals", "smart_format", "filler_words", "profanity_filter")  # that may change within a session
_SCHEMA_CODES = ("invalid_json", "unknown_message")
_NO_ENDPOINT_MS = 10_000
_LEAST_ENDPOINT_MS = 100
_PUNCTUATION = ' .,!?;:…"“”()[]。，！？；：、「」'

Query = Sequence[tuple[str, str]]

_REDACTED = {
    "true": KINDS,
    "pii": ("email", "phone", "number"),
    "pci": ("card", "number"),
    "numbers": ("card", "phone", "number"),
    "email_address": ("email",),
    "phone_number": ("phone",),
    "credit_card": ("card",),
}


class DeepgramAdapter(Adapter):
    """Settings come in the query; audio is binary, control is JSON."""

    name = "deepgram"

    def __init__(self, session_id: str, defaults: ServerDefaults, query: Query) -> None:
        """Raises TranscriptionError for a parameter that is known and cannot be served."""
        self._id = session_id
        self._given = dict(query)
        self._refuse_unsupported()
        self._model = {"name": defaults.models[0] if defaults.models else "model", "version": "1", "arch": "whisper"}
        self._model_id = str(uuid.uuid5(uuid.NAMESPACE_URL, self._model["name"]))
        self._interim = self._flag("interim_results", False)
        self._vad_events = self._flag("vad_events", False)
        self._config = self._session_config(defaults, query)
        self._created = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self._digest = hashlib.sha256()
        self._told = [SampleIndex(0)] * self.channels  # finals of each channel cover its audio up to here, without gaps
        self._finalizing = [0] * self.channels

    # in

    def opening(self) -> list[Command]:
        """The query is the configuration."""
        return [Configure(self._config)]

    def parse(self, message: str | bytes) -> list[Command]:
        """Raises ProtocolViolation for text that is none of the known messages."""
        if isinstance(message, bytes):
            self._digest.update(message)
            return [Append(message)] if message else [Close()]
        content = json_object(message)
        kind = content.get("type")
        if kind == "Configure":
            return self._changed(content)
        if kind == "Finalize":
            self._finalizing = [count + 1 for count in self._finalizing]
            return [Finalize()]
        if kind == "CloseStream":
            return [Close()]
        if kind == "KeepAlive":
            return [KeepAlive()]
        expected = "KeepAlive, Finalize, Configure or CloseStream"
        raise ProtocolViolation(f"type is {kind!r}, expected {expected}", field="type", code="unknown_message")

    def _changed(self, content: Mapping[str, Any]) -> list[Command]:
        """Of a Configure; what it leaves out stays as it is."""
        features = content.get("features") or {}
        if not isinstance(features, dict):
            raise invalid("features", features, "an object")
        found = {name: flag(features, name, False) for name in _FEATURES if name in features}
        terms = self._config.hotwords if content.get("keyterms") is None else normalised(hotwords(content, "keyterms"))
        self._given |= {name: str(value) for name, value in found.items()}
        self._config = replace(self._config, hotwords=terms, text=self._text_style(self._config.text, []))
        return [*([Configure(self._config)] if found else []), Bias(terms)]

    def _refuse_unsupported(self) -> None:
        for name, reason in _UNSUPPORTED.items():
            if self._given.get(name, "false").lower() != "false":
                raise invalid(name, self._given[name], f"it to be absent: {reason}")

    def _session_config(self, defaults: ServerDefaults, query: Query) -> SessionConfig:
        hints = [value for name, value in query if name == "language_hint"]
        wanted = languages(self._given.get("language", hints or defaults.language), defaults.languages)
        codes = wanted or languages(hints, defaults.languages)
        config = SessionConfig(
            self._audio(),
            only(codes),
            normalised(_favoured(name, value) for name, value in query if name in ("keyterm", "keywords")),
            self._interim,
            self._endpointing(defaults.endpointing),
            languages=codes,
            text=self._text_style(defaults.text, [value for name, value in query if name == "redact"]),
        )
        check_format(config.audio)
        check_endpointing(config.endpointing, {"silence_ms": "endpointing", "word_gap_ms": "utterance_end_ms"})
        return config

    def _text_style(self, default: TextStyle, redact: list[str]) -> TextStyle:
        """numerals, smart_format, filler_words, profanity_filter, redact."""
        wanted = [each for value in redact for each in value.lower().split(",") if each not in ("false", "")]
        if unknown := [each for each in wanted if each not in _REDACTED]:
            raise invalid("redact", unknown[0], "some of " + ", ".join(_REDACTED))
        kinds = dict.fromkeys((*default.redact, *(kind for each in wanted for kind in _REDACTED[each])))
        return replace(
            default,
            itn=self._either_flag("numerals", "smart_format", default.itn),
            fillers=self._flag("filler_words", default.fillers),
            profanity=not self._flag("profanity_filter", not default.profanity),
            redact=tuple(kinds),
        )

    def _audio(self) -> AudioFormat:
        name, count = self._given.get("encoding"), self._number("channels", 1)
        is_compressed = name is None or name in (*_COMPRESSED, "opus")
        if self._flag("multichannel", False):
            if is_compressed and "channels" not in self._given:
                raise invalid("channels", None, "how many there are, needed with multichannel")
            self.channels = count
        if is_compressed:
            self.media = "opus" if name == "opus" else "container"
            return AudioFormat(Encoding.F32LE, channels=self.channels)
        if name not in ENCODINGS:
            raise invalid("encoding", name, "one of " + ", ".join((*ENCODINGS, "opus", *_COMPRESSED)) + ", or none: a container")
        if "sample_rate" not in self._given:
            raise invalid("sample_rate", None, "a rate in Hz, needed with encoding")
        return AudioFormat(ENCODINGS[name], self._number("sample_rate", 16_000), count)

    def _endpointing(self, default: EndpointingConfig) -> EndpointingConfig:
        value = self._given.get("endpointing", "true").lower()
        if value == "false":
            silence_ms = _NO_ENDPOINT_MS
        else:
            silence_ms = default.silence_ms if value == "true" else max(_LEAST_ENDPOINT_MS, self._number("endpointing", 0))
        gap_ms = self._number("utterance_end_ms", 0) or None
        return replace(default, silence_ms=silence_ms, word_gap_ms=gap_ms)

    def _number(self, name: str, default: int) -> int:
        value = self._given.get(name, str(default))
        if not value.isascii() or not value.isdigit() or len(value) > 9:
            raise invalid(name, value, "a whole number")
        return int(value)

    def _flag(self, name: str, default: bool) -> bool:
        value = self._given.get(name, str(default)).lower()
        if value not in ("true", "false"):
            raise invalid(name, value, "true or false")
        return value == "true"

    def _either_flag(self, one: str, other: str, default: bool) -> bool:
        given = [self._flag(name, default) for name in (one, other) if name in self._given]
        return any(given) if given else default

    # out

    def render(self, event: Event | Taken) -> list[str]:
        """Deepgram's messages; what it has no message for is left out."""
        return [json.dumps(message, ensure_ascii=False) for message in self._messages(event)]

    def _messages(self, event: Event | Taken) -> list[dict[str, Any]]:
        match event:
            case SpeechStarted(_, at, channel) if self._vad_events:
                return [{"type": "SpeechStarted", "channel": [channel, self.channels], "timestamp": seconds(at)}]
            case PartialTranscript() if self._interim:
                return [self._results(event.channel, event.stable + event.unstable, event.end, event.language)]
            case FinalTranscript():
                return [self._final(event)]
            case Flushed(_, at, channel) if self._finalizing[channel]:
                self._finalizing[channel] -= 1
                return [self._results(channel, (), at, None, is_final=True, from_finalize=True)]
            case Biased(config):
                return [{"type": "ConfigureSuccess", "request_id": self._id, "keyterms": [word.text for word in config.hotwords]}]
            case ErrorEvent(error) if error.field == "hotwords":
                limit = {"request_id": self._id, "code": "CONFIGURE_KEYTERM_LIMIT_EXCEEDED", "description": error.message}
                return [{"type": "ConfigureFailure", **limit}]
            case UtteranceGap(last_word_end, channel):
                return [{"type": "UtteranceEnd", "channel": [channel, self.channels], "last_word_end": seconds(last_word_end)}]
            case ErrorEvent(error):
                variant = "SchemaError" if error.code in _SCHEMA_CODES else error.code
                return [{"type": "Error", "variant": variant, "description": error.message, "message": error.message}]
            case Closed():
                return self._ending(event)
        return []

    def _final(self, event: FinalTranscript) -> dict[str, Any]:
        from_finalize = event.reason == "finalize" and self._finalizing[event.channel] > 0
        self._finalizing[event.channel] -= from_finalize
        return self._results(
            event.channel,
            event.words,
            event.end,
            event.language,
            is_final=True,
            speech_final=event.reason in ("endpoint", "finalize", "close", "shutting_down"),
            from_finalize=from_finalize,
        )

    def _results(self, channel: int, words: tuple[Word, ...], end: SampleIndex, code: str | None, **flags: bool) -> dict[str, Any]:
        start, end = self._told[channel], max(end, self._told[channel])
        if flags.get("is_final"):
            self._told[channel] = end
        languages = [code] if code else []
        return {
            "type": "Results",
            "channel_index": [channel, self.channels],
            "duration": seconds(end - start),
            "start": seconds(start),
            "is_final": flags.get("is_final", False),
            "speech_final": flags.get("speech_final", False),
            "from_finalize": flags.get("from_finalize", False),
            "channel": {"alternatives": [{**alternative(words), "languages": languages}]},
            "metadata": {"request_id": self._id, "model_info": self._model, "model_uuid": self._model_id},
        }

    def _ending(self, event: Closed) -> list[dict[str, Any]]:
        rest = [
            self._results(channel, (), event.audio, None, is_final=True)
            for channel, told in enumerate(self._told)
            if event.audio > told
        ]
        metadata = {
            "type": "Metadata",
            "transaction_key": "deprecated",
            "request_id": self._id,
            "sha256": self._digest.hexdigest(),
            "created": self._created,
            "duration": seconds(event.audio),
            "channels": self.channels,
            "models": [self._model_id],
            "model_info": {self._model_id: self._model},
        }
        return [*rest, metadata]

    def closing(self, event: Closed) -> tuple[int, str]:
        """Deepgram's own codes for a silent client."""
        if event.code == UnsupportedAudio.close_code:
            return 1008, "DATA-0000"
        if event.code == 1008 and event.reason.startswith("nothing received"):
            return 1011, "NET-0001"
        return event.code, "" if event.code == 1000 else event.reason


def alternative(words: tuple[Word, ...]) -> dict[str, Any]:
    """Text, words with their times, mean confidence."""
    confidence = sum(w.confidence for w in words) / len(words) if words else 0.0
    transcript = text_of(words)
    return {"transcript": transcript, "confidence": round(confidence, 4), "words": [_word(w) for w in words if _bare(w)]}


def _bare(word: Word) -> str:
    return word.text.strip(_PUNCTUATION).lower()


def _word(word: Word) -> Mapping[str, Any]:
    return {
        "word": _bare(word),
        "start": seconds(word.start),
        "end": seconds(word.end),
        "confidence": round(word.confidence, 4),
        "punctuated_word": word.text.strip(),
    }


def _favoured(name: str, value: str) -> Hotword:
    """A `keyterm` as it is; of `keywords` also `term:intensifier`, of which 1 is the ordinary one and 10 the most."""
    term, _, boost = value.rpartition(":")
    try:
        number = float(boost)
    except ValueError:
        return Hotword(value)
    return Hotword(term, min(max(number, 0.0), HEAVIEST)) if term and name == "keywords" else Hotword(value)
