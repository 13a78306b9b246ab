"""vosk-server's WebSocket protocol; docs/protocols/vosk.md. Lock-step: all but `config` is answered by one message, audio at once.

So what is heard later waits for the next message: a final before a newer partial, and several finals together as one at the end.
Faults wait too, but for those of a message that is none of the protocol's: the fault is the answer to it.
"""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from model.interfaces import Hotword, Word
from server.protocols.base import Adapter, ServerDefaults, Taken
from server.protocols.fields import invalid, json_object, texts, whole
from streaming.audio.pcm import check_format
from streaming.biasing import LONGEST_HOTWORD, normalised
from streaming.commands import Append, AudioFormat, Close, Command, Configure, Finalize
from streaming.errors import ProtocolViolation
from streaming.events import Closed, ErrorEvent, Event, FinalTranscript, Flushed, PartialTranscript
from streaming.text.growing import text_of
from streaming.timeline import seconds

_USUAL_RATE = 8_000
_MOST_ALTERNATIVES = 10
_MOST_FAULTS = 10  # that wait to be told; older ones are dropped
_NO_MESSAGE = ("invalid_json", "unknown_message")

Words = tuple[Word, ...]


class VoskAdapter(Adapter):
    """Settings and the end come as JSON, audio as s16le."""

    name = "vosk"
    answers_each_message = True

    def __init__(self, session_id: str, defaults: ServerDefaults) -> None:
        self._config = defaults.session()
        self._has_words, self._has_alternatives = True, False
        self._rate, self._phrases = _USUAL_RATE, tuple[Hotword, ...]()
        self._partial: Words = ()
        self._finals: deque[Words] = deque()
        self._faults: deque[str] = deque(maxlen=_MOST_FAULTS)

    # in

    def opening(self) -> list[Command]:
        """A client may start with audio."""
        return [self._configured()]

    def parse(self, message: str | bytes) -> list[Command]:
        """Raises ProtocolViolation for what is none of `config`, `reset`, `eof`."""
        if isinstance(message, bytes):
            return [Append(message)]
        content = json_object(message)
        if "config" in content:
            return self._settings(content["config"])
        if content.get("reset"):
            return [Finalize()]
        if content.get("eof"):
            return [Close()]
        raise ProtocolViolation("expected audio, or an object with config, reset or eof", field="message", code="unknown_message")

    def _settings(self, given: object) -> list[Command]:
        if not isinstance(given, dict):
            raise invalid("config", given, "an object")
        rate, phrases, has_words = _rate(given.get("sample_rate", self._rate)), self._phrases, given.get("words", self._has_words)
        if "phrase_list" in given:
            phrases = normalised(_phrases(texts(given, "phrase_list")))
        alternatives = whole(given, "max_alternatives", int(self._has_alternatives))
        if not 0 <= alternatives <= _MOST_ALTERNATIVES:
            raise invalid("config.max_alternatives", alternatives, f"0 to {_MOST_ALTERNATIVES}")
        if has_words not in (0, 1):
            raise invalid("config.words", has_words, "true or false")
        self._rate, self._phrases = rate, phrases
        self._has_words, self._has_alternatives = bool(has_words), alternatives > 0
        return [self._configured()]

    def _configured(self) -> Configure:
        return Configure(replace(self._config, audio=AudioFormat(sample_rate=self._rate), hotwords=self._phrases))

    # out

    def render(self, event: Event | Taken) -> list[str]:
        """One answer to each message, and the last one to the end."""
        match event:
            case PartialTranscript():
                self._partial = event.stable + event.unstable
            case FinalTranscript():
                self._note(event)
            case ErrorEvent(error):
                self._faults.append(error.message)
                return [self._answer()] if error.code in _NO_MESSAGE else []
            case Taken(is_binary=True):
                return [self._answer()]
            case Flushed() | Closed():
                return [self._rest()]
        return []

    def _note(self, final: FinalTranscript) -> None:
        self._partial = ()
        if final.words:
            self._finals.append(final.words)

    def _answer(self) -> str:
        is_final = self._finals and not self._faults
        return self._told(self._result(self._finals.popleft()) if is_final else {"partial": text_of(self._partial)})

    def _rest(self) -> str:
        words = tuple(word for final in self._finals for word in final)
        self._finals.clear()
        return self._told(self._result(words))

    def _told(self, content: dict[str, Any]) -> str:
        fault = {"error": self._faults.popleft()} if self._faults else {}
        return json.dumps(fault | content, ensure_ascii=False)

    def _result(self, words: Words) -> dict[str, Any]:
        listed = [_word(word) for word in words] if self._has_words else []
        content: dict[str, Any] = {"result": listed} if listed else {}
        if not self._has_alternatives:
            return content | {"text": text_of(words)}
        confidence = sum(word.confidence for word in words) / len(words) if words else 0.0
        return {"alternatives": [{"confidence": round(confidence, 4), **content, "text": text_of(words)}]}


def _phrases(given: Iterable[str]) -> Iterator[Hotword]:
    """A grammar in vosk itself; a long one stands for its words."""
    for phrase in given:
        parts = [phrase] if len(phrase) <= LONGEST_HOTWORD else phrase.split()
        yield from (Hotword(part) for part in parts if part != "[unk]")


def _rate(given: object) -> int:
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given) or given != int(given):
        raise invalid("config.sample_rate", given, "a whole number of Hz")
    check_format(AudioFormat(sample_rate=int(given)))
    return int(given)


def _word(word: Word) -> dict[str, Any]:
    return {"conf": round(word.confidence, 4), "start": seconds(word.start), "end": seconds(word.end), "word": word.text.strip()}
