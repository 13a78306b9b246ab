"""When an utterance ends: three rules as data, one predicate (the endpoint rules of Kaldi and sherpa)."""

from __future__ import annotations

from dataclasses import dataclass

from streaming.commands import EndpointingConfig
from streaming.errors import LimitExceeded

_QUIET_SEARCH_MS = 2_000  # before the greatest length, a cut waits for the first unvoiced frame
_SPOKEN_MS = 60  # voiced time that counts as something said

BOUNDS_MS = {
    "silence_ms": (100, 10_000),
    "no_speech_ms": (500, 60_000),
    "max_utterance_ms": (5_000, 300_000),
    "word_gap_ms": (500, 30_000),
    "pre_roll_ms": (0, 2_000),
}


@dataclass(frozen=True, slots=True)
class Rule:
    """Fires when all of its conditions hold; durations in ms of audio."""

    reason: str
    needs_speech: bool
    min_trailing_silence_ms: int
    min_length_ms: int


def check_bounds(config: EndpointingConfig) -> None:
    """Raises LimitExceeded naming the field, its value and its bounds."""
    for field, (low, high) in BOUNDS_MS.items():
        value = getattr(config, field)
        if value is not None and not low <= value <= high:
            raise LimitExceeded(f"{field} is {value}, expected {low} to {high} ms", field=field, code="invalid_value")
    if not 0 <= config.threshold <= 1:
        raise LimitExceeded(f"threshold is {config.threshold:g}, expected 0 to 1", field="threshold", code="invalid_value")


def rules(config: EndpointingConfig) -> tuple[Rule, ...]:
    """The three rules, and the search for a quiet place ahead of the third."""
    longest = config.max_utterance_ms
    return (
        Rule("endpoint", True, config.silence_ms, 0),
        Rule("no_speech", False, config.no_speech_ms, 0),
        Rule("too_long", False, 20, max(0, longest - _QUIET_SEARCH_MS)),
        Rule("too_long", False, 0, longest),
    )


def endpoint(rules: tuple[Rule, ...], *, voiced_ms: int, trailing_silence_ms: int, length_ms: int) -> str | None:
    """The reason to end an utterance with these durations, or None."""
    for rule in rules:
        if rule.needs_speech and voiced_ms < _SPOKEN_MS:
            continue
        if trailing_silence_ms >= rule.min_trailing_silence_ms and length_ms >= rule.min_length_ms:
            return rule.reason
    return None
