"""Taking values out of a client's JSON or query: each fault names the field, the value and what was expected."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from model.interfaces import Hotword
from streaming.biasing import HEAVIEST
from streaming.commands import EndpointingConfig
from streaming.endpointing import check_bounds
from streaming.errors import LimitExceeded, ProtocolViolation
from streaming.text.script import SCRIPTS
from streaming.text.style import TextStyle


def invalid(field: str, value: object, expected: str) -> ProtocolViolation:
    """The error for a value that cannot be used."""
    shown = json.dumps(value, ensure_ascii=False, default=str)
    shown = shown if len(shown) <= 80 else shown[:77] + "..."
    return ProtocolViolation(f"{field} is {shown}, expected {expected}", field=field, code="invalid_value")


_HALVES = "\\ud", "\\uD"  # how the escape of half a character begins


def json_object(text: str, field: str = "message") -> dict[str, Any]:
    """A JSON object. Raises ProtocolViolation."""
    value = json_value(text, field, "a JSON object")
    if not isinstance(value, dict):
        raise ProtocolViolation(f"{field} is {type(value).__name__}, expected a JSON object", field=field, code="invalid_json")
    return value


def json_value(text: str, field: str, expected: str) -> Any:
    """What is written in JSON. Raises ProtocolViolation."""
    try:
        value = json.loads(text)
        if any(begin in text for begin in _HALVES):  # half of a character can neither be told nor given to a model
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise ProtocolViolation(f"{field} is not JSON ({reason}), expected {expected}", field=field, code="invalid_json") from None
    return value


def whole(source: Mapping[str, Any], field: str, default: int) -> int:
    """A whole number."""
    value = source.get(field, default)
    if isinstance(value, bool) or not isinstance(value, int):
        raise invalid(field, value, "a whole number")
    return value


def flag(source: Mapping[str, Any], field: str, default: bool) -> bool:
    """True or false."""
    value = source.get(field, default)
    if not isinstance(value, bool):
        raise invalid(field, value, "true or false")
    return value


def one_of(source: Mapping[str, Any], field: str, default: str, allowed: Sequence[str]) -> str:
    """One of several texts."""
    value = source.get(field, default)
    if value not in allowed:
        raise invalid(field, value, "one of " + ", ".join(allowed))
    return str(value)


def texts(source: Mapping[str, Any], field: str) -> tuple[str, ...]:
    """A list of texts."""
    value = source.get(field, [])
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise invalid(field, value, "a list of texts")
    return tuple(value)


_HOTWORD = {"text", "weight", "sounds_like"}


def hotwords(source: Mapping[str, Any], field: str = "hotwords") -> tuple[Hotword, ...]:
    """A list of texts, or of objects with text, weight and sounds_like."""
    value = source.get(field)
    if value is None:
        return ()
    if not isinstance(value, list):
        raise invalid(field, value, "a list of texts or objects")
    return tuple(_hotword(each, field) for each in value)


def _hotword(value: object, field: str) -> Hotword:
    if isinstance(value, str):
        return Hotword(value)
    if not isinstance(value, dict) or not isinstance(value.get("text"), str) or set(value) - _HOTWORD:
        raise invalid(field, value, 'texts, or objects such as {"text": "NCCL", "weight": 1.0, "sounds_like": ["nickel"]}')
    weight, sayings = value.get("weight", 1.0), value.get("sounds_like", [])
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight <= HEAVIEST:
        raise invalid(f"{field}.weight", weight, f"a number from 0 to {HEAVIEST:g}")
    if not isinstance(sayings, list) or not all(isinstance(saying, str) for saying in sayings):
        raise invalid(f"{field}.sounds_like", sayings, "a list of texts")
    return Hotword(value["text"], float(weight), tuple(sayings))


def language(value: object, known: Sequence[str]) -> str | None:
    """A language code that the model knows, without its region; None or "auto": found from the audio."""
    if value is None or value in ("", "auto", "multi", "none", "und"):
        return None
    code = str(value).lower().replace("_", "-").split("-")[0]
    if not isinstance(value, str) or (known and code not in known):
        few = ", ".join(sorted(known)[:12])
        raise invalid("language", value, f"'auto' or a code this model knows ({few}{' …' if len(known) > 12 else ''})")
    return code


def languages(value: object, known: Sequence[str]) -> tuple[str, ...]:
    """Codes that speech may be in, from a list or a text with commas; empty: any."""
    parts = value.split(",") if isinstance(value, str) else value
    found = [language(each, known) for each in (parts if isinstance(parts, list) else [parts])]
    return tuple(dict.fromkeys(code for code in found if code)) if all(found) else ()


def only(codes: Sequence[str]) -> str | None:
    """The one code there is, if there is one."""
    return codes[0] if len(codes) == 1 else None


_TEXT = ("script", "spacing", "itn", "fillers", "profanity", "redact")


def text_style(source: Mapping[str, Any], default: TextStyle) -> TextStyle:
    """From an object `text`. Raises ProtocolViolation."""
    content = source.get("text", {})
    if not isinstance(content, dict):
        raise invalid("text", content, "an object")
    if unknown := sorted(set(content) - set(_TEXT)):
        raise invalid(f"text.{unknown[0]}", content[unknown[0]], "no such setting; known: " + ", ".join(_TEXT))
    script = content.get("script", default.script)
    if script not in ("", None, *SCRIPTS):
        raise invalid("text.script", script, f"one of {', '.join(SCRIPTS)}, or null: as recognised")
    redact = texts(content, "redact") if "redact" in content else ()
    return TextStyle(
        script or "",
        flag(content, "spacing", default.spacing),
        flag(content, "itn", default.itn),
        flag(content, "fillers", default.fillers),
        flag(content, "profanity", default.profanity),
        tuple(dict.fromkeys((*default.redact, *redact))),  # what the server takes out nobody gets
    )


_ENDPOINTING = ("silence_ms", "no_speech_ms", "max_utterance_ms")


def endpointing(source: Mapping[str, Any], default: EndpointingConfig) -> EndpointingConfig:
    """From an object `endpointing`. Raises TranscriptionError."""
    content = source.get("endpointing", {})
    if not isinstance(content, dict):
        raise invalid("endpointing", content, "an object")
    if unknown := sorted(set(content) - set(_ENDPOINTING)):
        raise invalid(f"endpointing.{unknown[0]}", content[unknown[0]], "no such setting; known: " + ", ".join(_ENDPOINTING))
    wanted = replace(default, **{name: whole(content, name, getattr(default, name)) for name in _ENDPOINTING})
    check_endpointing(wanted, {name: f"endpointing.{name}" for name in _ENDPOINTING})
    return wanted


def check_endpointing(config: EndpointingConfig, names: Mapping[str, str]) -> None:
    """Raises LimitExceeded in the words of the wire: `names` says what its fields are called there."""
    try:
        check_bounds(config)
    except LimitExceeded as error:
        ours = str(error.field)
        name = names.get(ours, ours)
        raise LimitExceeded(error.message.replace(ours, name, 1), field=name, code=error.code) from None
