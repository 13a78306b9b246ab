"""A wire format: messages in become commands, events become messages. Pure: no sockets, no clock, no engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from streaming.commands import AudioFormat, Command, EndpointingConfig, SessionConfig
from streaming.events import Closed, Event


@dataclass(frozen=True, slots=True)
class ServerDefaults:
    """What a session gets that asks for nothing else, and what a client may ask for."""

    language: str | None = None
    languages: tuple[str, ...] = ()  # codes that the model knows; empty: any
    endpointing: EndpointingConfig = EndpointingConfig()
    models: tuple[str, ...] = ()  # names under which the one loaded model is known

    def session(self) -> SessionConfig:
        """The configuration of a session that asks for nothing."""
        return SessionConfig(AudioFormat(), self.language, endpointing=self.endpointing)


class Adapter(Protocol):
    """One connection's wire format."""

    name: str

    def opening(self) -> list[Command]:
        """Commands that the handshake itself amounts to."""

    def parse(self, message: str | bytes) -> list[Command]:
        """Commands in a message. Raises TranscriptionError for one that cannot be understood."""

    def render(self, event: Event) -> list[str]:
        """Messages that tell of an event; none if this wire format has no words for it."""

    def closing(self, event: Closed) -> tuple[int, str]:
        """WebSocket close code and reason."""
