"""What a session tells its peer, before a wire format is put on. Positions are samples at 16 kHz (see timeline.py).

`channel` counts from 0 where channels are kept apart (see channels.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from model.interfaces import SampleIndex, Word
from streaming.commands import SessionConfig
from streaming.errors import TranscriptionError


@dataclass(frozen=True, slots=True)
class Configured:
    """The session has taken this configuration."""

    config: SessionConfig


@dataclass(frozen=True, slots=True)
class Biased:
    """The session has taken these hotwords."""

    config: SessionConfig


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """An utterance has begun; `utterance` counts from 0 and names it in every later event."""

    utterance: int
    at: SampleIndex
    channel: int = 0


@dataclass(frozen=True, slots=True)
class PartialTranscript:
    """Replaces the utterance's previous partial. `stable` only ever grows; `unstable` may change."""

    utterance: int
    revision: int
    stable: tuple[Word, ...]
    unstable: tuple[Word, ...]
    start: SampleIndex
    end: SampleIndex  # audio heard so far
    language: str | None = None
    channel: int = 0


@dataclass(frozen=True, slots=True)
class FinalTranscript:
    """Exactly one for each SpeechStarted; starts with the stable words. Ranges of finals are in order, without overlap."""

    utterance: int
    words: tuple[Word, ...]  # empty: it was no speech
    start: SampleIndex
    end: SampleIndex
    language: str | None = None
    language_confidence: float = 0.0
    reason: str = "endpoint"  # endpoint | too_long | no_speech | finalize | close | shutting_down | error
    languages: tuple[str, ...] = ()  # all that were spoken; `language` is the one with most words
    channel: int = 0
    processing_s: float = field(default=0.0, compare=False)  # of the device, for all passes over the utterance


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """The utterance's final is out; `at` is where its speech ended."""

    utterance: int
    at: SampleIndex
    channel: int = 0


@dataclass(frozen=True, slots=True)
class UtteranceGap:
    """No further word for EndpointingConfig.word_gap_ms after `last_word_end`."""

    last_word_end: SampleIndex
    channel: int = 0


@dataclass(frozen=True, slots=True)
class Flushed:
    """Everything caused by audio before Flush(marker) is out. `marker` is None for a plain Finalize."""

    marker: str | None
    at: SampleIndex
    channel: int = 0


@dataclass(frozen=True, slots=True)
class Warned:
    """Something was not done as asked; the session goes on."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class ErrorEvent:
    """A fault. `is_fatal`: the session ends (Closed follows); otherwise it goes on and nothing accepted is lost."""

    error: TranscriptionError
    is_fatal: bool = False


@dataclass(frozen=True, slots=True)
class Closed:
    """The last event of every session."""

    code: int  # WebSocket close code
    reason: str
    audio: SampleIndex  # samples at 16 kHz received in all
    utterances: int
    words: int


Event: TypeAlias = (
    Configured
    | Biased
    | SpeechStarted
    | PartialTranscript
    | FinalTranscript
    | SpeechEnded
    | UtteranceGap
    | Flushed
    | Warned
    | ErrorEvent
    | Closed
)
