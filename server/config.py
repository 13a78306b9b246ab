"""Settings: one frozen table, from which flags, environment variables and the TOML file take their names.

Later wins: defaults, then the file named by --config, then STENOLINE_* variables, then flags.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from streaming.text.redaction import KINDS

PREFIX = "STENOLINE_"


class BadSetting(ValueError):
    """A setting that cannot be used; names the field, its value and what was expected."""


def _option(default: Any, help: str, *, low: float | None = None, high: float | None = None, choices: tuple[str, ...] = ()) -> Any:
    return field(default=default, metadata={"help": help, "low": low, "high": high, "choices": choices})


@dataclass(frozen=True, slots=True)
class Config:
    """Every setting of the server, with its default."""

    host: str = _option("127.0.0.1", "address to listen on; any but a loopback one needs an API key or --insecure")
    port: int = _option(8000, "TCP port; 0 takes a free one", low=0, high=65535)
    wyoming_port: int = _option(0, "TCP port of the Wyoming protocol (Home Assistant); 0: none", low=0, high=65535)
    wyoming_host: str = _option("127.0.0.1", "address of it; it knows no keys, so any but a loopback one needs --insecure")
    model: str = _option("whisper-base", "model: 'whisper-base' (embedded), a directory, or a hub name (openai/whisper-small)")
    device: str = _option("cpu", "device to compute on, or several separated by commas; see 'stenoline devices'")
    precision: str = _option(
        "auto",
        "arithmetic; auto: int8 for Whisper on a CPU, float32 for others on a CPU, bfloat16 on a GPU",
        choices=("auto", "int8", "bfloat16", "float32"),
    )
    encoder_policy: str = _option(
        "exact",
        "what an update encodes anew: the window, its last 12 s, or its last 0.64 s",
        choices=("exact", "windowed", "frozen-kv"),
    )
    threads: int = _option(0, "threads that share each batch of inference; 0: one for each core, at most 4", low=0, high=256)
    max_sessions: int = _option(
        0, "live sessions at once; 0: six for each core, as many as the model has room for", low=0, high=10_000
    )
    language: str = _option("", "language of sessions that name none, as an ISO 639-1 code or several (zh,en); empty: any")
    hotwords: str = _option("", "file with hotwords for all sessions, one a line (NCCL | nickel); read again when it changes")
    hotword_lists: tuple[str, ...] = _option(
        (), "ready-made hotword lists for all sessions, e.g. machine-learning; comma-separated"
    )
    script: str = _option("", "script of Chinese; empty: as recognised", choices=("", "simplified", "traditional"))
    spacing: bool = _option(True, "a space between Chinese and Latin")
    itn: bool = _option(False, "numbers, units, commands and paths as they are typed (inverse text normalisation)")
    fillers: bool = _option(True, "um and uh stay in the text")
    profanity: bool = _option(True, "strong language stays in the text; otherwise its letters become stars")
    redact: tuple[str, ...] = _option(
        (), "what no session gets to see, partials included: email, phone, card, number; comma-separated", choices=KINDS
    )
    silence_ms: int = _option(500, "silence that ends an utterance, in ms", low=100, high=10_000)
    no_speech_ms: int = _option(5_000, "silence that ends an utterance in which nothing was said, in ms", low=500, high=60_000)
    max_utterance_ms: int = _option(60_000, "length at which an utterance is cut, in ms", low=5_000, high=300_000)
    partial_interval_ms: int = _option(
        400, "new audio between two partials, in ms; more when the machine is busy", low=100, high=5_000
    )
    max_backlog_s: float = _option(
        60.0, "undecoded audio a session may have, in s; beyond half of it reading pauses", low=5, high=3_600
    )
    idle_s: float = _option(60.0, "time without a message after which a session is closed, in s", low=1, high=86_400)
    max_session_s: float = _option(14_400.0, "length of a session, in s", low=60, high=604_800)
    max_file_s: float = _option(14_400.0, "length of a recording that is handed in, in s", low=1, high=86_400)
    max_file_mb: int = _option(500, "size of what is handed in over HTTP, in MiB", low=1, high=16_384)
    max_files: int = _option(0, "recordings that are worked on at once; 0: one for each core", low=0, high=256)
    max_files_waiting: int = _option(32, "recordings that may wait for their turn", low=0, high=10_000)
    max_rooms: int = _option(100, "caption rooms at once, an empty one lives on for 10 minutes; 0: none", low=0, high=10_000)
    max_viewers: int = _option(500, "viewers of all caption rooms together", low=1, high=100_000)
    max_room_viewers: int = _option(250, "viewers of one caption room", low=1, high=100_000)
    max_message_bytes: int = _option(
        1_048_576, "size of one WebSocket message, in bytes; of /v1/realtime, 21 times as much", low=1_024, high=67_108_864
    )
    send_timeout_s: float = _option(20.0, "time a client may take to accept a message, in s", low=0.1, high=600)
    drain_s: float = _option(20.0, "time sessions get to finish when the server is told to stop, in s", low=0, high=3_600)
    api_key_file: str = _option("", "file with one API key a line; a single key may also come from STENOLINE_API_KEY")
    insecure: bool = _option(False, "allow an address that others can reach without any API key")
    allow_origin: tuple[str, ...] = _option(
        (), "further web origins whose pages may connect, e.g. https://captions.example; comma-separated"
    )
    allow_host: tuple[str, ...] = _option((), "further host names that requests may be addressed to; comma-separated")
    tls_cert: str = _option("", "certificate chain file (PEM); with --tls-key the server speaks TLS")
    tls_key: str = _option("", "private key file (PEM)")
    log_level: str = _option("info", "least severe messages to log", choices=("debug", "info", "warning", "error"))
    log_format: str = _option("text", "form of log lines", choices=("text", "json"))

    def __post_init__(self) -> None:
        for f in fields(self):
            _check(f.name, getattr(self, f.name), f.metadata)
        if bool(self.tls_cert) != bool(self.tls_key):
            raise BadSetting("tls_cert and tls_key come together: one of them is empty")


def _check(name: str, value: Any, rule: Mapping[str, Any]) -> None:
    low, high, choices = rule["low"], rule["high"], rule["choices"]
    if isinstance(value, tuple):
        unknown = [each for each in value if choices and each not in choices]
        if unknown:
            raise BadSetting(f"{name} has {unknown[0]!r}, expected some of {', '.join(choices)}")
    elif choices and value not in choices:
        raise BadSetting(f"{name} is {value!r}, expected one of {', '.join(each or 'nothing' for each in choices)}")
    if low is not None and not low <= value <= high:
        raise BadSetting(f"{name} is {value}, expected {low:,} to {high:,}")


def load(flags: Mapping[str, Any], environment: Mapping[str, str], file: Path | None = None) -> Config:
    """Compose a Config. Raises BadSetting."""
    known = {f.name: f for f in fields(Config)}
    values: dict[str, Any] = {}
    for name, value in (_read(file) if file else {}).items():
        if name not in known:
            raise BadSetting(f"{file}: unknown setting {name!r}; known ones: {', '.join(known)}")
        values[name] = _typed(known[name], value)
    values |= {n: _typed(f, environment[PREFIX + n.upper()]) for n, f in known.items() if PREFIX + n.upper() in environment}
    values |= {name: _typed(known[name], value) for name, value in flags.items() if value is not None}
    return Config(**values)


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadSetting(f"config file {file} cannot be read: {error.strerror}") from None
    except tomllib.TOMLDecodeError as error:
        raise BadSetting(f"config file {file} is not TOML: {error}") from None


def _typed(f: dataclasses.Field[Any], value: Any) -> Any:
    """The value in the type of the field's default; strings come from flags and environment."""
    kind: Any = type(f.default)
    try:
        if kind is bool:
            return _boolean(value)
        if kind is tuple:
            parts = value.split(",") if isinstance(value, str) else value
            return tuple(p.strip() for p in parts if p.strip())
        if isinstance(value, bool) or (kind is str and not isinstance(value, str)):
            raise ValueError
        return kind(value)
    except (ValueError, TypeError, AttributeError):
        raise BadSetting(f"{f.name} is {value!r}, expected {_EXPECTED[kind]}") from None


def _boolean(value: Any) -> bool:
    text = str(value).lower()
    if text not in _TRUE + _FALSE:
        raise ValueError(value)
    return text in _TRUE


_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off", "")
_EXPECTED = {int: "a whole number", float: "a number", bool: "true or false", str: "text", tuple: "a list of texts"}


def described(config: Config) -> dict[str, Any]:
    """For the log: settings that differ from their defaults. There are no secrets among them, only the names of files."""
    return {f.name: getattr(config, f.name) for f in fields(config) if getattr(config, f.name) != f.default}
