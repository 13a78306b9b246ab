"""What a peer can ask of a session, after its wire format has been taken off."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from model.interfaces import Hotword
from streaming.pace import Pace
from streaming.text.style import TextStyle


class Encoding(str, Enum):
    """How samples are written on the wire."""

    S16LE = "s16le"
    S32LE = "s32le"
    F32LE = "f32le"
    MULAW = "mulaw"
    ALAW = "alaw"


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """Raw audio on the wire; channels are interleaved and mixed down."""

    encoding: Encoding = Encoding.S16LE
    sample_rate: int = 16_000  # Hz, 8,000 to 48,000
    channels: int = 1  # 1 to 8


@dataclass(frozen=True, slots=True)
class EndpointingConfig:
    """When an utterance begins and when it ends (the three classic rules), in ms of audio."""

    silence_ms: int = 500  # silence after speech that ends the utterance
    no_speech_ms: int = 5_000  # silence with nothing said that ends an utterance of noise
    max_utterance_ms: int = 60_000  # an utterance is cut at a quiet point near this length
    word_gap_ms: int | None = None  # announce UtteranceGap after this long without a further word
    pre_roll_ms: int = 300  # audio before the voice was noticed that belongs to the utterance
    threshold: float = 0.5  # 0 to 1: how far a voice must stand out from the background


@dataclass(frozen=True, slots=True)
class SessionConfig:
    """What a session wants, already clamped to the server's limits."""

    audio: AudioFormat = field(default_factory=AudioFormat)
    language: str | None = None
    hotwords: tuple[Hotword, ...] = ()
    partials: bool = True
    endpointing: EndpointingConfig = field(default_factory=EndpointingConfig)
    hotword_lists: tuple[str, ...] = ()  # of the server, by name
    languages: tuple[str, ...] = ()  # where `language` is None: it is one of these; empty: any
    text: TextStyle = field(default_factory=TextStyle)
    prompt: str = ""  # text that the speech may go on from: what it is about, how names are written
    pace: Pace = field(default_factory=Pace)


@dataclass(frozen=True, slots=True)
class Configure:
    """Must come first; once audio has come, `audio` may not change."""

    config: SessionConfig


@dataclass(frozen=True, slots=True)
class Bias:
    """Other hotwords from now on, also for the utterance that is being said."""

    hotwords: tuple[Hotword, ...] = ()
    hotword_lists: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Append:
    """Audio bytes in the configured format, cut anywhere."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Finalize:
    """End the present utterance now; its final follows."""


@dataclass(frozen=True, slots=True)
class Flush:
    """Finalize, and answer Flushed(marker) once everything before it is out."""

    marker: str


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """Nothing to say, still there."""


@dataclass(frozen=True, slots=True)
class Close:
    """No more audio: finish, then close."""


Command: TypeAlias = Configure | Bias | Append | Finalize | Flush | KeepAlive | Close
