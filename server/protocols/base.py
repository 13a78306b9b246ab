"""A wire format: messages in become commands, events become messages. Pure: no sockets, no clock, no engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from server.protocols.fields import languages, only
from streaming.commands import AudioFormat, Command, EndpointingConfig, SessionConfig
from streaming.events import Closed, Event
from streaming.text.style import TextStyle


@dataclass(frozen=True, slots=True)
class ServerDefaults:
    """What a session gets that asks for nothing else, and what a client may ask for."""

    language: str | None = None  # or several with commas between them
    languages: tuple[str, ...] = ()  # codes that the model knows; empty: any
    endpointing: EndpointingConfig = EndpointingConfig()
    models: tuple[str, ...] = ()  # names under which the one loaded model is known
    text: TextStyle = TextStyle()
    has_hotwords: bool = True  # the model favours them

    def session(self) -> SessionConfig:
        """The configuration of a session that asks for nothing."""
        codes = languages(self.language, self.languages)
        return SessionConfig(AudioFormat(), only(codes), endpointing=self.endpointing, languages=codes, text=self.text)


@dataclass(frozen=True, slots=True)
class Taken:
    """A message of the client has been dealt with; told to adapters that answer each one."""

    is_binary: bool


class Adapter(Protocol):
    """One connection's wire format."""

    name: str
    media: str | None = None  # the form of compressed sound (see server/media_stream.py); None: samples as they are
    channels: int = 1  # that are kept apart
    answers_each_message: bool = False  # render() is told of each that was taken; may change from one to the next
    quiet_s: float | None = None  # without a message, after which what is being said ends; may change; None: it never does
    size_factor: int = 1  # times the server's bound on messages that one may have

    def opening(self) -> list[Command]:
        """Commands that the handshake itself amounts to."""

    def parse(self, message: str | bytes) -> list[Command]:
        """Commands in a message. Raises TranscriptionError for one that cannot be understood."""

    def render(self, event: Event | Taken) -> Sequence[str | bytes]:
        """Messages that tell of an event; none if this wire format has no words for it."""

    def closing(self, event: Closed) -> tuple[int, str]:
        """WebSocket close code and reason: as the session says, if the vendor has no others."""
        return event.code, event.reason
