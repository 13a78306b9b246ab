"""The path `/`, where two vendors' clients connect: which one it is, its first message tells."""

from __future__ import annotations

from collections.abc import Sequence

from server.protocols.base import Adapter, ServerDefaults, Taken
from server.protocols.fields import json_object
from server.protocols.vosk import VoskAdapter
from server.protocols.whisper_live import WhisperLiveAdapter
from streaming.commands import Command
from streaming.errors import ProtocolViolation
from streaming.events import Closed, ErrorEvent, Event

_EXPECTED = "uid (WhisperLive), or config or audio (vosk)"


class FirstMessageAdapter(Adapter):
    """WhisperLive or vosk."""

    name = "first_message"

    def __init__(self, session_id: str, defaults: ServerDefaults) -> None:
        self._session_id, self._defaults = session_id, defaults
        self._chosen: Adapter | None = None
        self._owed: list[Command] = []

    def opening(self) -> list[Command]:
        """Nothing is known yet."""
        return []

    def parse(self, message: str | bytes) -> list[Command]:
        """Raises TranscriptionError; one that tells nothing leaves the choice open."""
        if self._chosen is None:
            self._chosen = self._choose(message)
            self._owed, self.answers_each_message = self._chosen.opening(), self._chosen.answers_each_message
        commands, self._owed = [*self._owed, *self._chosen.parse(message)], []
        self.quiet_s = self._chosen.quiet_s
        return commands

    def _choose(self, message: str | bytes) -> Adapter:
        if isinstance(message, bytes):
            return VoskAdapter(self._session_id, self._defaults)
        content = json_object(message)
        if "uid" in content:
            return WhisperLiveAdapter(self._session_id, self._defaults)
        if content.keys() & {"config", "reset", "eof"}:
            return VoskAdapter(self._session_id, self._defaults)
        message = f"the first message has none of {_EXPECTED}; our own protocol is at /v1/stream"
        raise ProtocolViolation(message, field="message", code="unknown_message")

    def render(self, event: Event | Taken) -> Sequence[str | bytes]:
        """In the chosen one's words; before that, faults as both understand them."""
        if self._chosen is not None:
            return self._chosen.render(event)
        chosen = WhisperLiveAdapter(self._session_id, self._defaults)
        return chosen.render(event) if isinstance(event, ErrorEvent) else []

    def closing(self, event: Closed) -> tuple[int, str]:
        """As the chosen one."""
        return self._chosen.closing(event) if self._chosen else (event.code, event.reason)
