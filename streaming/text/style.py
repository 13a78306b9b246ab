"""How a session wants its text."""

from __future__ import annotations

from dataclasses import dataclass

from streaming.errors import LimitExceeded
from streaming.text.edits import Rewriting, Rule
from streaming.text.fillers import Fillers
from streaming.text.numerals import Numerals
from streaming.text.profanity import Profanity
from streaming.text.redaction import KINDS, Redaction
from streaming.text.script import SCRIPTS, Script
from streaming.text.spacing import Spacing
from streaming.text.symbols import Symbols


@dataclass(frozen=True, slots=True)
class TextStyle:
    """As the recogniser writes it, unless asked for otherwise."""

    script: str = ""  # of Chinese: simplified, traditional; empty: as recognised
    spacing: bool = True  # a space between Chinese and Latin
    itn: bool = False  # inverse text normalisation: numbers, units, commands, paths
    fillers: bool = True  # um and uh stay
    profanity: bool = True  # strong language stays
    redact: tuple[str, ...] = ()  # email, phone, card, number


def check_style(style: TextStyle) -> None:
    """Raises LimitExceeded, which names the field."""
    if style.script and style.script not in SCRIPTS:
        raise _fault("script", style.script, f"one of {', '.join(SCRIPTS)}")
    for kind in style.redact:
        if kind not in KINDS:
            raise _fault("redact", kind, f"some of {', '.join(KINDS)}")


def stages(style: TextStyle) -> list[Rewriting]:
    """What changes the text, in this order: later ones see what earlier ones wrote."""
    rules: list[tuple[bool, type[Rule], tuple[object, ...]]] = [
        (not style.fillers, Fillers, ()),
        (style.itn, Symbols, ()),
        (style.itn, Numerals, ()),
        (bool(style.script), Script, (style.script,)),
        (not style.profanity, Profanity, ()),
        (bool(style.redact), Redaction, (style.redact,)),
        (style.spacing, Spacing, ()),
    ]
    return [Rewriting(rule(*arguments)) for is_wanted, rule, arguments in rules if is_wanted]


def _fault(field: str, value: str, expected: str) -> LimitExceeded:
    return LimitExceeded(f"text.{field} is {value!r}, expected {expected}", field=f"text.{field}", code="invalid_value")
