"""`session.update`: fields that are present change, null clears, and a fault changes nothing. Each fault names its field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any

from server.protocols.base import ServerDefaults
from server.protocols.fields import check_endpointing, invalid, languages, one_of, texts, whole
from server.protocols.openai_realtime_settings import (
    BETA_FORMATS,
    FORMATS,
    INTERIM,
    LOGPROBS,
    SILENCE_MS,
    Settings,
    Transcription,
    Turn,
    described,
    described_flat,
    endpointing_config,
    initial,
    keyword_list,
    session_config,
)
from streaming.commands import EndpointingConfig
from streaming.errors import ProtocolViolation, TranscriptionError
from streaming.pace import PACES

_RATES_HZ = (8_000, 16_000, 24_000, 48_000)
_LONGEST_PROMPT = 4_096  # characters
_NEAR_OR_FAR = ("near_field", "far_field")
_TURNS = ("server_vad", "semantic_vad")
_RESPONSES = ("create_response", "interrupt_response")  # of conversations; they mean nothing here
_NUMBERS = tuple(name for name in asdict(Turn()) if name not in ("type", "eagerness"))

_NESTED = ("format", "noise_reduction", "transcription", "turn_detection")
_FLAT = {
    "input_audio_format": "format",
    "input_audio_noise_reduction": "noise_reduction",
    "input_audio_transcription": "transcription",
    "turn_detection": "turn_detection",
}
_FLAT_ONLY = (*_FLAT, "input_audio_params", "modalities", "instructions")
_SHOWN_ONLY = ("id", "object", "expires_at", "client_secret")  # a client may send back what it was shown


def check_session(session: Mapping[str, Any], defaults: ServerDefaults) -> None:
    """Of a request for an ephemeral key. Raises TranscriptionError, which names the field."""
    session_config(updated(initial(defaults), session, defaults), defaults)


def described_session(
    session: Mapping[str, Any], defaults: ServerDefaults, session_id: str, expires_at: int | None = None
) -> dict[str, Any]:
    """What the answer to such a request shows as `session`; `expires_at` in seconds since 1970."""
    settings = updated(initial(defaults), session, defaults)
    return {"id": f"sess_{session_id}", **described(settings, defaults), "expires_at": expires_at}


def described_flat_session(session: Mapping[str, Any], defaults: ServerDefaults, session_id: str) -> dict[str, Any]:
    """What the beta's answer shows; its secret is still empty."""
    return {"id": f"sess_{session_id}", **described_flat(updated(initial(defaults), session, defaults))}


def is_flat(session: Mapping[str, Any]) -> bool | None:
    """Whether these are the beta's settings; None: there is no telling."""
    if "audio" in session or "type" in session:
        return False
    return True if any(name in session for name in _FLAT_ONLY) else None


def updated(settings: Settings, session: Mapping[str, Any], defaults: ServerDefaults) -> Settings:
    """Fields that are present change, null clears. Raises TranscriptionError, which names the field, and changes nothing."""
    if is_flat(session):
        groups = {group: (f"session.{name}", session[name]) for name, group in _FLAT.items() if name in session}
    else:
        with _within("session"):
            _refuse_others(session, ("type", "audio", "include", *_SHOWN_ONLY))
            one_of(session, "type", "transcription", ("transcription",))
        groups = {name: (f"session.audio.input.{name}", value) for name, value in _nested(session).items()}
    for group, (path, value) in groups.items():
        settings = _changed(settings, group, path, value, defaults)
    settings = _with_rate(settings, session)
    return replace(settings, include=_include(session["include"])) if "include" in session else settings


def _nested(session: Mapping[str, Any]) -> Mapping[str, Any]:
    audio = _object("session.audio", session.get("audio"), {})
    sound = _object("session.audio.input", audio.get("input"), {})
    with _within("session.audio.input"):
        _refuse_others(sound, _NESTED)
    return sound


def _changed(settings: Settings, group: str, path: str, value: Any, defaults: ServerDefaults) -> Settings:
    clear = initial(defaults)
    if group == "format":
        return _with_format(settings, path, value)
    if group == "noise_reduction":
        return replace(settings, noise_reduction=_noise_reduction(settings.noise_reduction, path, value))
    if group == "transcription":
        now = clear.transcription if value is None else settings.transcription
        return replace(settings, transcription=_transcription(now, path, _object(path, value, {}), defaults))
    turn = None if value is None else _turn(settings.turn or clear.turn or Turn(), path, _object(path, value), clear.turn or Turn())
    return replace(settings, turn=turn)


def _with_format(settings: Settings, path: str, value: Any) -> Settings:
    if isinstance(value, str):
        with _within("session"):
            name = one_of({"input_audio_format": value}, "input_audio_format", "", tuple(BETA_FORMATS))
        return settings if settings.format == BETA_FORMATS[name] else _as(settings, BETA_FORMATS[name])
    content = _object(path, value)
    with _within(path):
        _refuse_others(content, ("type", "rate"))
        kind = one_of(content, "type", settings.format, tuple(FORMATS))
        settings = settings if settings.format == kind else _as(settings, kind)
        return replace(settings, rate=_rate(content, "rate", settings))


def _as(settings: Settings, kind: str) -> Settings:
    return replace(settings, format=kind, rate=24_000 if kind == "audio/pcm" else 8_000)


def _rate(content: Mapping[str, Any], field: str, settings: Settings) -> int:
    rate = whole(content, field, settings.rate)
    rates = _RATES_HZ if settings.format == "audio/pcm" else (8_000,)
    if rate not in rates:
        raise invalid(field, rate, "one of " + ", ".join(map(str, rates)) + f" with {settings.format}")
    return rate


def _with_rate(settings: Settings, session: Mapping[str, Any]) -> Settings:
    """`input_audio_params`, by which some clients of the beta say what `pcm16` cannot."""
    if not is_flat(session) or session.get("input_audio_params") is None:
        return settings
    path = "session.input_audio_params"
    params = _object(path, session["input_audio_params"])
    with _within(path):
        rate, channels = _rate(params, "sample_rate_hz", settings), whole(params, "num_channels", 1)
        if channels != 1:
            raise invalid("num_channels", channels, "1")
    return replace(settings, rate=rate)


def _noise_reduction(now: Mapping[str, Any] | None, path: str, value: Any) -> Mapping[str, Any] | None:
    if value is None:
        return None
    content = {**(now or {}), **_object(path, value)}
    with _within(path):
        _refuse_others(content, ("type", "strength"))
        if content.get("type") is not None:
            one_of(content, "type", "", _NEAR_OR_FAR)
        if content.get("strength") is not None:
            content["strength"] = _number(content, "strength", 1.0)
    return content


def _transcription(now: Transcription, path: str, content: Mapping[str, Any], defaults: ServerDefaults) -> Transcription:
    with _within(path):
        _refuse_others(content, tuple(asdict(now)))
        given: dict[str, Any] = {name: _text(content, name) for name in ("model", "language", "prompt", "delay") if name in content}
        given |= {
            name: () if content[name] is None else texts(content, name) for name in ("languages", "keywords") if name in content
        }
        if "prompt" in given:
            given["prompt"] = given["prompt"] or ""
        if given.get("language") and "languages" not in given:
            given["languages"] = ()  # the one that was named last is meant, not those of before or of the server
        wanted = replace(now, **given)
        languages(wanted.language, defaults.languages)
        languages(list(wanted.languages), defaults.languages)
        if wanted.delay is not None:
            one_of({"delay": wanted.delay}, "delay", "", tuple(PACES))
        keyword_list(wanted.keywords)
    return wanted


def _turn(now: Turn, path: str, content: Mapping[str, Any], clear: Turn) -> Turn:
    with _within(path):
        kind = one_of(content, "type", now.type, _TURNS)
        now = now if kind == now.type else replace(clear, type=kind)
        present = {name: value for name, value in content.items() if value is not None}
        if kind == "semantic_vad":
            _refuse_others(content, ("type", "eagerness", *_RESPONSES, *_NUMBERS))
            return replace(now, eagerness=one_of(present, "eagerness", now.eagerness, tuple(SILENCE_MS)))
        _refuse_others(content, (*asdict(now), *_RESPONSES))
        wanted = Turn(
            kind,
            _number(present, "threshold", now.threshold),
            whole(present, "prefix_padding_ms", now.prefix_padding_ms),
            whole(present, "silence_duration_ms", now.silence_duration_ms),
            _idle(content, now.idle_timeout_ms),
        )
        names = {"silence_ms": "silence_duration_ms", "word_gap_ms": "idle_timeout_ms", "pre_roll_ms": "prefix_padding_ms"}
        check_endpointing(endpointing_config(wanted, EndpointingConfig()), names)
    return wanted


def _idle(content: Mapping[str, Any], now: int | None) -> int | None:
    if "idle_timeout_ms" in content:
        return None if content["idle_timeout_ms"] is None else whole(content, "idle_timeout_ms", 0)
    return now


def _include(value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    with _within("session"):
        for each in texts({"include": value}, "include"):
            if each not in (LOGPROBS, INTERIM):
                raise invalid("include", each, f"some of {LOGPROBS}, {INTERIM}")
    return tuple(dict.fromkeys(value))


@contextmanager
def _within(path: str) -> Iterator[None]:
    """Faults name their field from the top of the message on."""
    try:
        yield
    except TranscriptionError as error:
        named = "" if error.message.startswith(str(error.field)) else f"{error.field}: "
        message = f"{path}.{named}{error.message}"
        raise type(error)(message, field=f"{path}.{error.field}", code=error.code) from None


def _object(path: str, value: Any, default: dict[str, Any] | None = None) -> Mapping[str, Any]:
    value = default if value is None else value
    if not isinstance(value, dict):
        raise invalid(path, value, "an object")
    return value


def _text(source: Mapping[str, Any], field: str) -> str | None:
    value = source[field]
    if value is not None and not (isinstance(value, str) and len(value) <= _LONGEST_PROMPT):
        raise invalid(field, value, f"a text of at most {_LONGEST_PROMPT:,} characters, or null")
    return value or None


def _number(source: Mapping[str, Any], field: str, default: float) -> float:
    value = source.get(field, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise invalid(field, value, "a number from 0 to 1")
    return float(value)


def _refuse_others(content: Mapping[str, Any], known: Sequence[str]) -> None:
    for name in content:
        if name not in known:
            expected = "one of " + ", ".join(known)
            raise ProtocolViolation(f"{name} is not known here, expected {expected}", field=name, code="unknown_parameter")
