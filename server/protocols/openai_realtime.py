"""/v1/realtime, as OpenAI's clients speak it for transcription; docs/protocols/openai-realtime.md says what of it there is.

One adapter for three dialects: the present one, the beta's (flat settings, other names), and vLLM's, which says the model
at the top of its first message. What a client sends decides, so no client has to be told apart beforehand.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from server.protocols.base import Adapter, ServerDefaults, Taken
from server.protocols.fields import flag, invalid, json_object
from server.protocols.openai_realtime_items import Conversation, Message, fault
from server.protocols.openai_realtime_settings import Settings, described, described_flat, initial, session_config
from server.protocols.openai_realtime_update import is_flat, updated
from server.protocols.openai_realtime_vllm import FINAL, SAMPLE_RATE, VllmTranscript
from streaming.commands import Append, Command, Configure, Encoding, Flush, KeepAlive
from streaming.errors import (
    ClientFault,
    LimitExceeded,
    ProtocolViolation,
    RecogniserFailed,
    ShuttingDown,
    TranscriptionError,
)
from streaming.events import Closed, Configured, ErrorEvent, Event, Warned

_LEAST_COMMIT_MS = 100
_MOST_AUDIO_BYTES = 15 * 1024 * 1024  # of one message
_LONGEST_EVENT_ID = 512
_OF_CONVERSATIONS = (
    "conversation.item.create",
    "conversation.item.delete",
    "conversation.item.retrieve",
    "conversation.item.truncate",
    "output_audio_buffer.clear",
    "response.cancel",
    "response.create",
)

Query = Sequence[tuple[str, str]]


class RealtimeAdapter(Adapter):
    """JSON text messages both ways, audio in base64."""

    name = "openai_realtime"
    size_factor = 21  # of 1 MiB: the 15 MiB of audio that OpenAI allows are 20 in base64

    def __init__(
        self,
        session_id: str,
        defaults: ServerDefaults,
        query: Query,
        *,
        is_beta: bool = False,
        session: Mapping[str, Any] | None = None,
    ) -> None:
        """`session` is what an ephemeral key was made with. Raises TranscriptionError for settings that cannot be served."""
        given = dict(query)
        self.answers_each_message = False  # after a message that is to be answered at once
        self._id, self._defaults = session_id, defaults
        self._settings = _asked_for(given, session or {}, defaults)
        self._config = session_config(self._settings, defaults)
        self._is_transcription = given.get("intent") == "transcription"
        self._conversation = Conversation(session_id, has_turns=self._settings.turn is not None)
        self._conversation.is_beta = is_beta
        self._vllm: VllmTranscript | None = None
        self._updates: deque[tuple[str, Settings]] = deque()  # what waits to be said once it is in force
        self._received = self._marked = 0  # bytes of audio, and how many at the last commit or clear
        self._fault: TranscriptionError | None = None
        self._is_ending = False
        self._told = 0
        self._commands: dict[str, Callable[[Mapping[str, Any]], list[Command]]] = {
            "session.update": self._update,
            "transcription_session.update": self._update,
            "input_audio_buffer.append": self._append,
            "input_audio_buffer.commit": self._commit,
            "input_audio_buffer.clear": self._clear,
        }

    # in

    def opening(self) -> list[Command]:
        """A session may be used as it is."""
        is_beta = self._conversation.is_beta and self._is_transcription
        self._updates.append(("transcription_session.created" if is_beta else "session.created", self._settings))
        return [Configure(self._config)]

    def parse(self, message: str | bytes) -> list[Command]:
        """Raises TranscriptionError, and nothing has changed; `about` is the client's own id of the message."""
        self.answers_each_message = False
        if isinstance(message, bytes):
            raise ProtocolViolation(
                "message is binary, expected JSON text: audio comes in base64", field="message", code="invalid_event"
            )
        content = json_object(message)
        try:
            commands = self._command(content)(content)
        except TranscriptionError as error:
            error.about = _event_id(content)
            raise
        self.answers_each_message = self._conversation.is_due
        return commands

    def _command(self, content: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], list[Command]]:
        kind = str(content.get("type"))
        if kind in _OF_CONVERSATIONS:
            raise ProtocolViolation(
                f"type is {kind!r}, expected no answers to be asked for: this server transcribes",
                field="type",
                code="not_supported",
            )
        if kind not in self._commands:
            shown, expected = kind if len(kind) <= 80 else kind[:77] + "...", "one of " + ", ".join(self._commands)
            raise ProtocolViolation(f"type is {shown!r}, expected {expected}", field="type", code="unknown_event")
        return self._commands[kind]

    def _update(self, content: Mapping[str, Any]) -> list[Command]:
        session = content.get("session")
        if "model" in content and session is None:
            return self._update_vllm(content)
        if not isinstance(session, dict):
            raise invalid("session", session, "an object with settings")
        settings = updated(self._settings, session, self._defaults)
        commands = self._taken(settings)
        flat = is_flat(session)
        self._conversation.is_beta = self._conversation.is_beta if flat is None else flat
        self._updates.append((str(content["type"]) + "d", settings))
        return commands

    def _update_vllm(self, content: Mapping[str, Any]) -> list[Command]:
        if not isinstance(content["model"], str):
            raise invalid("model", content["model"], "the name of a model")
        commands = self._taken(replace(self._settings, format="audio/pcm", rate=SAMPLE_RATE, turn=None))
        self._vllm = self._vllm or VllmTranscript()
        return commands

    def _taken(self, settings: Settings) -> list[Command]:
        config = session_config(settings, self._defaults)
        if self._received and settings.audio != self._settings.audio:
            now = f"{self._settings.format} at {self._settings.rate} Hz"
            raise ProtocolViolation(
                f"session.audio.input.format is {settings.format} at {settings.rate} Hz, expected {now}: "
                "it cannot change once audio has come",
                field="session.audio.input.format",
                code="invalid_value",
            )
        marks = self._conversation.change(has_turns=settings.turn is not None)
        self._settings = settings
        if marks:
            self._marked = self._received  # what was said before is an item of its own
        return [*marks, Configure(config)]

    def _append(self, content: Mapping[str, Any]) -> list[Command]:
        if "audio" not in content:
            raise ProtocolViolation("audio is missing, expected base64", field="audio", code="missing_required_parameter")
        audio = _decoded(content["audio"])
        self._received += len(audio)
        return [Append(audio) if audio else KeepAlive()]

    def _commit(self, content: Mapping[str, Any]) -> list[Command]:
        if self._vllm is not None:
            return [Flush(FINAL)] if flag(content, "final", False) else [KeepAlive()]
        waiting_ms = self._ms(self._received) - max(self._ms(self._marked), self._conversation.heard_to / 16)
        if waiting_ms < _LEAST_COMMIT_MS:
            held = f"{max(0.0, waiting_ms):.2f} ms of audio"
            raise ProtocolViolation(
                f"the buffer holds {held}, expected at least {_LEAST_COMMIT_MS} ms to commit",
                code="input_audio_buffer_commit_empty",
            )
        flush = self._conversation.commit(waiting_ms / 1_000)
        self._marked = self._received
        return [flush]

    def _clear(self, content: Mapping[str, Any]) -> list[Command]:
        flush = self._conversation.clear()
        self._marked = self._received
        return [flush]

    def _ms(self, size: int) -> float:
        audio = self._settings.audio
        return 1_000 * size / (audio.sample_rate * (2 if audio.encoding is Encoding.S16LE else 1))

    # out

    def render(self, event: Event | Taken) -> list[str]:
        """Messages of the dialect that the client has shown to speak."""
        if self._is_too_late(event):
            return []
        is_created = isinstance(event, Configured) and bool(self._updates)  # the client may have been faster
        if self._vllm is not None and not is_created:
            return [] if isinstance(event, Taken) else _written(self._vllm.tell(event))
        return _written([self._numbered(message) for message in [*self._conversation.answers(), *self._messages(event)]])

    def _is_too_late(self, event: Event | Taken) -> bool:
        """A session that ends takes nothing more: its client is to hear why it ends, not that it went on sending."""
        match event:
            case ErrorEvent(_, True) | Warned(ShuttingDown.code):
                self._is_ending = True
            case ErrorEvent(ClientFault()):
                return self._is_ending
        return False

    def _numbered(self, message: Message) -> Message:
        self._told += 1
        return {"type": message["type"], "event_id": f"event_{self._id[:16]}_{self._told}", **message}

    def _messages(self, event: Event | Taken) -> list[Message]:
        match event:
            case Taken():
                return []
            case Configured():
                return self._configured()
            case ErrorEvent(error, True):
                self._fault = error  # said last, right before the close
                return []
            case ErrorEvent(RecogniserFailed() as error):
                self._conversation.fail(error)
                return []
            case ErrorEvent(error):
                return [_error(error)]
            case Closed(code, reason, audio):
                is_orderly = code == 1000 and self._fault is None
                return [*self._conversation.rest(audio), *([] if is_orderly else [_error(self._fault or _ending(code, reason))])]
        return self._conversation.tell(event)

    def _configured(self) -> list[Message]:
        if not self._updates:
            return []
        kind, settings = self._updates.popleft()
        self._conversation.configure(settings)
        shown = described_flat(settings) if self._conversation.is_beta else described(settings, self._defaults)
        message: Message = {"type": kind, "session": {"id": f"sess_{self._id}", **shown}}
        if kind == "session.created":
            message |= {"id": f"sess-{self._id}", "created": int(datetime.now(UTC).timestamp())}  # where vLLM's clients look
        return [message]


def _asked_for(given: Mapping[str, str], session: Mapping[str, Any], defaults: ServerDefaults) -> Settings:
    if given.get("intent", "transcription") != "transcription":
        raise invalid("intent", given["intent"], "transcription")
    settings = updated(initial(defaults, given.get("model") or None), session, defaults)
    if not given.get("language"):
        return settings
    return replace(settings, transcription=replace(settings.transcription, language=given["language"], languages=()))


def _decoded(audio: object) -> bytes:
    if not isinstance(audio, str):
        raise invalid("audio", audio, "base64")
    if len(audio) > _MOST_AUDIO_BYTES * 4 // 3 + 4:
        raise LimitExceeded(
            f"audio is {len(audio) * 3 // 4:,} bytes, expected at most {_MOST_AUDIO_BYTES:,}", field="audio", code="message_too_big"
        )
    try:
        return base64.b64decode(audio, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ProtocolViolation(
            f"audio cannot be decoded ({error}), expected base64", field="audio", code="invalid_audio"
        ) from None


def _event_id(content: Mapping[str, Any]) -> str | None:
    given = content.get("event_id")
    return given[:_LONGEST_EVENT_ID] if isinstance(given, str) else None


def _error(error: TranscriptionError) -> Message:
    return {"type": "error", "error": {**fault(error), "event_id": error.about}}


def _ending(code: int, reason: str) -> TranscriptionError:
    return ShuttingDown(reason) if code == ShuttingDown.close_code else TranscriptionError(reason)


def _written(messages: Sequence[Message]) -> list[str]:
    return [json.dumps(message, ensure_ascii=False) for message in messages]
