"""Phrases read aloud, their symbols by name: `=0,1` is said equals zero comma one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import product

DIGITS = "zero one two three four five six seven eight nine".split()
_ENGLISH = {
    "=": "equals", ",": "comma", ".": "dot", "/": "slash", "\\": "backslash", ":": "colon", "+": "plus", "*": "star", "@": "at",
    "&": "and", "%": "percent", "~": "tilde", "|": "pipe", "-": "dash", "#": "hash", "$": "dollar",
}  # fmt: skip
_CHINESE = _ENGLISH | {"=": "等于", ",": "逗号", ".": "点", "/": "斜杠", "-": "杠"}
_EDGE = "_=/\\:+*@&%~|#$-"  # and a dot before it; behind it that is no part of a phrase
_SYMBOL = re.compile(r"(?<![^\W_])-+(?=\w)|[^\w\s'()\[\]{}<>\"-]")  # a dash in a word is not said
_SHARP = re.compile(r"(?<=[A-Za-z])#")
_DUNDER = re.compile(r"__(\w+)__")
_FIGURE = re.compile(r"(?<![\d.])\d(?![\d.])")


@lru_cache(65_536)
def spoken(text: str) -> tuple[str, ...]:
    """A phrase that has symbols, read aloud; nothing of one that has none."""
    ways = dict.fromkeys(said for each in _cased(text) for said in _ways(each) if said != text)
    return tuple(said for said in ways if not (is_marked(text) and said.isalnum()))


def is_marked(text: str) -> bool:
    """One word with symbols before or behind it, without which it is another one: `__name__`, `--help`, `.NET`, `C#`."""
    bare = text.lstrip(_EDGE + ".").rstrip(_EDGE)
    return bare != text and bare.isalnum()


def _cased(text: str) -> tuple[str, ...]:
    """Of a constant the first word may be an abbreviation, the others are words."""
    head, underscore, rest = text.partition("_")
    return (head + underscore + rest.lower(), text.lower()) if text.isupper() and underscore else (text,)


def _ways(text: str) -> Iterator[str]:
    """`__name__` as dunder name; underscores said and not, single digits in figures and in words, commas not said; in Chinese."""
    if not (_SYMBOL.search(text) or "_" in text):
        return
    if dunder := _DUNDER.fullmatch(text):
        yield f"dunder {dunder[1].replace('_', ' ')}"
    for underscore, is_worded in product((" ", " underscore "), (False, True)):
        figures = _FIGURE.sub(lambda found: DIGITS[int(found[0])], text) if is_worded else text
        yield _read(figures.replace("_", underscore), _ENGLISH, " ")
    if "," in text:
        yield _read(text.replace("_", " "), _ENGLISH | {",": ","}, " ").replace(" ,", ",")
    if "=" in text:
        yield _read(text.replace("_", " "), _CHINESE, "")


def _read(text: str, names: dict[str, str], space: str) -> str:
    def named(found: re.Match[str]) -> str:
        return "".join(space + names.get(symbol, "") + space for symbol in found[0])

    return " ".join(_SYMBOL.sub(named, _SHARP.sub(" sharp", text)).split())
