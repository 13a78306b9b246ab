"""vosk-server's WebSocket protocol; docs/protocols/vosk.md. Lock-step: each binary message is answered by one, at once.

So what is heard later waits for the next message: a final before a newer partial, and several finals together as one at the end.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import replace
from typing import Any

from model.interfaces import Hotword, Word
from server.protocols.base import Adapter, ServerDefaults, Taken
from server.protocols.fields import flag, invalid, json_object, texts, whole
from streaming.audio.pcm import check_format
from streaming.biasing import normalised
from streaming.commands import Append, AudioFormat, Close, Command, Configure, Finalize
from streaming.errors import ProtocolViolation
from streaming.events import Closed, ErrorEvent, Event, FinalTranscript, Flushed, PartialTranscript
from streaming.text.growing import text_of
from streaming.timeline import seconds

_USUAL_RATE = 8_000
_MOST_ALTERNATIVES = 10

Words = tuple[Word, ...]


class VoskAdapter(Adapter):
    """Settings and the end come as JSON, audio as s16le."""

    name = "vosk"
    answers_each_message = True

    def __init__(self, session_id: str, defaults: ServerDefaults) -> None:
        self._config = defaults.session()
        self._has_audio = self._has_words = self._has_alternatives = False
        self._rate = _USUAL_RATE
        self._partial: Words = ()
        self._finals: deque[Words] = deque()
        self._faults: deque[str] = deque()
        self._resets = 0  # whose finals are not wanted

    # in

    def opening(self) -> list[Command]:
        """A client may start with audio."""
        return [self._configured()]

    def parse(self, message: str | bytes) -> list[Command]:
        """Raises ProtocolViolation for what is none of `config`, `reset`, `eof`."""
        if isinstance(message, bytes):
            self._has_audio = True
            return [Append(message)]
        content = json_object(message)
        if "config" in content:
            return self._settings(content["config"])
        if content.get("reset"):
            self._resets += 1
            return [Finalize()]
        if content.get("eof"):
            return [Close()]
        raise ProtocolViolation("expected audio, or an object with config, reset or eof", field="message", code="unknown_message")

    def _settings(self, given: object) -> list[Command]:
        if not isinstance(given, dict):
            raise invalid("config", given, "an object")
        rate = given.get("sample_rate", self._rate)
        if isinstance(rate, bool) or not isinstance(rate, int | float) or rate != int(rate):
            raise invalid("config.sample_rate", rate, "a whole number of Hz")
        check_format(AudioFormat(sample_rate=int(rate)))
        phrases = normalised(Hotword(phrase) for phrase in texts(given, "phrase_list") if phrase != "[unk]")
        alternatives = whole(given, "max_alternatives", 0)
        if not 0 <= alternatives <= _MOST_ALTERNATIVES:
            raise invalid("config.max_alternatives", alternatives, f"0 to {_MOST_ALTERNATIVES}")
        self._rate, self._has_alternatives = int(rate), alternatives > 0
        self._has_words = flag(given, "words", self._has_words)
        return [self._configured(phrases)]

    def _configured(self, phrases: tuple[Hotword, ...] = ()) -> Configure:
        return Configure(replace(self._config, audio=AudioFormat(sample_rate=self._rate), hotwords=phrases))

    # out

    def render(self, event: Event | Taken) -> list[str]:
        """One answer to each binary message, and the last one to the end."""
        match event:
            case PartialTranscript():
                self._partial = event.stable + event.unstable
            case FinalTranscript():
                self._note(event)
            case Flushed() if self._resets:
                self._resets -= 1
            case ErrorEvent(error):
                self._faults.append(error.message)
            case Taken(is_binary) if is_binary or self._faults:
                return [self._answer()]
            case Closed():
                return [json.dumps(self._result(tuple(w for words in self._finals for w in words)), ensure_ascii=False)]
        return []

    def _note(self, final: FinalTranscript) -> None:
        self._partial = ()
        if final.words and not (self._resets and final.reason == "finalize"):
            self._finals.append(final.words)

    def _answer(self) -> str:
        content: dict[str, Any] = {"partial": text_of(self._partial)}
        if self._faults:
            content = {"error": self._faults.popleft()} | content
        elif self._finals:
            content = self._result(self._finals.popleft())
        return json.dumps(content, ensure_ascii=False)

    def _result(self, words: Words) -> dict[str, Any]:
        listed = [_word(word) for word in words] if self._has_words else []
        content: dict[str, Any] = {"result": listed} if listed else {}
        if not self._has_alternatives:
            return content | {"text": text_of(words)}
        confidence = sum(word.confidence for word in words) / len(words) if words else 0.0
        return {"alternatives": [{"confidence": round(confidence, 4), **content, "text": text_of(words)}]}


def _word(word: Word) -> dict[str, Any]:
    return {"conf": round(word.confidence, 4), "start": seconds(word.start), "end": seconds(word.end), "word": word.text.strip()}
