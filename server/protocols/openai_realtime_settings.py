"""Settings of a Realtime transcription session: what they are, what they make the session do, how they are shown.

Two shapes carry the same settings: the present one (nested under `audio.input`) and the beta's (flat).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from model.interfaces import Hotword
from server.protocols.base import ServerDefaults
from server.protocols.fields import languages, only
from streaming.biasing import normalised
from streaming.commands import AudioFormat, Encoding, EndpointingConfig, SessionConfig
from streaming.errors import LimitExceeded
from streaming.pace import PACES

LOGPROBS = "item.input_audio_transcription.logprobs"
INTERIM = "item.input_audio_transcription.interim"  # our own: text that may still change
SILENCE_MS = {"low": 2_000, "medium": 1_000, "auto": 1_000, "high": 500}  # by the eagerness of semantic_vad

FORMATS = {"audio/pcm": Encoding.S16LE, "audio/pcmu": Encoding.MULAW, "audio/pcma": Encoding.ALAW}
BETA_FORMATS = {"pcm16": "audio/pcm", "g711_ulaw": "audio/pcmu", "g711_alaw": "audio/pcma"}


@dataclass(frozen=True, slots=True)
class Transcription:
    """How speech is to be written down."""

    model: str | None = None  # as the client calls it; there is one model
    language: str | None = None
    languages: tuple[str, ...] = ()
    prompt: str = ""
    keywords: tuple[str, ...] = ()
    delay: str | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """When the server commits of itself."""

    type: str = "server_vad"
    threshold: float = 0.5
    prefix_padding_ms: int = 300
    silence_duration_ms: int = 500
    idle_timeout_ms: int | None = None
    eagerness: str = "auto"


@dataclass(frozen=True, slots=True)
class Settings:
    """All of a session; changed as a whole or not at all."""

    format: str = "audio/pcm"
    rate: int = 24_000
    noise_reduction: Mapping[str, Any] | None = None
    transcription: Transcription = Transcription()
    turn: Turn | None = Turn()
    include: tuple[str, ...] | None = None

    @property
    def audio(self) -> AudioFormat:
        """What is on the wire; G.711 is always at 8 kHz."""
        return AudioFormat(FORMATS[self.format], self.rate)


def initial(defaults: ServerDefaults, model: str | None = None) -> Settings:
    """Of a session that asks for nothing."""
    config = defaults.session()
    return Settings(
        transcription=Transcription(model, config.language, config.languages if config.language is None else ()),
        turn=Turn(silence_duration_ms=config.endpointing.silence_ms),
    )


def session_config(settings: Settings, defaults: ServerDefaults) -> SessionConfig:
    """What the session is to do. Raises TranscriptionError for values beyond their bounds."""
    t = settings.transcription
    codes = languages(list(t.languages) or t.language, defaults.languages)
    return SessionConfig(
        settings.audio,
        only(codes),
        keyword_list(t.keywords),
        endpointing=endpointing_config(settings.turn, defaults.endpointing),
        languages=codes,
        text=defaults.text,
        prompt=t.prompt,
        pace=PACES[t.delay or "medium"],
    )


def described(settings: Settings, defaults: ServerDefaults) -> dict[str, Any]:
    """All settings, nested."""
    t = settings.transcription
    is_pcm = settings.format == "audio/pcm"
    return {
        "type": "transcription",
        "object": "realtime.transcription_session",
        "audio": {
            "input": {
                "format": {"type": settings.format, **({"rate": settings.rate} if is_pcm else {})},
                "noise_reduction": settings.noise_reduction,
                "transcription": {
                    **{name: _json(value) for name, value in asdict(t).items()},
                    "model": t.model or next(iter(defaults.models), None),
                },
                "turn_detection": _shown(settings.turn),
            }
        },
        "include": None if settings.include is None else list(settings.include),
    }


def described_flat(settings: Settings) -> dict[str, Any]:
    """All settings as the beta has them; the secret is one only in an answer over HTTP."""
    names = {kind: name for name, kind in BETA_FORMATS.items()}
    known = {name: _json(value) for name, value in asdict(settings.transcription).items() if value}
    return {
        "object": "realtime.transcription_session",
        "client_secret": {"value": "", "expires_at": 0},
        "input_audio_format": names[settings.format],
        "input_audio_params": {"sample_rate_hz": settings.audio.sample_rate, "num_channels": 1},
        "input_audio_noise_reduction": settings.noise_reduction,
        "input_audio_transcription": known,
        "turn_detection": _shown(settings.turn),
        "include": None if settings.include is None else list(settings.include),
    }


def _json(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _shown(turn: Turn | None) -> dict[str, Any] | None:
    if turn is None:
        return None
    if turn.type == "semantic_vad":
        return {"type": turn.type, "eagerness": turn.eagerness}
    return {name: value for name, value in asdict(turn).items() if name != "eagerness"}


def endpointing_config(turn: Turn | None, default: EndpointingConfig) -> EndpointingConfig:
    """When the session is to end utterances; without turns they are pieces of what the client commits."""
    if turn is None:
        return default
    if turn.type == "semantic_vad":
        return replace(default, silence_ms=SILENCE_MS[turn.eagerness])
    return replace(
        default,
        silence_ms=turn.silence_duration_ms,
        word_gap_ms=turn.idle_timeout_ms,
        pre_roll_ms=turn.prefix_padding_ms,
        threshold=turn.threshold,
    )


def keyword_list(keywords: Sequence[str]) -> tuple[Hotword, ...]:
    """Keywords as hotwords. Raises LimitExceeded."""
    try:
        return normalised(map(Hotword, keywords))
    except LimitExceeded as error:
        raise LimitExceeded(error.message.replace("hotword", "keyword"), field="keywords", code="invalid_value") from None
