"""Hotwords: checked, normalised, limited, in the order given."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TypeAlias

from model.interfaces import Hotword
from streaming.errors import LimitExceeded

MOST_HOTWORDS = 1_000
LONGEST_HOTWORD = 100  # characters
MOST_SAYINGS = 16  # of one hotword
HEAVIEST = 3.0

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_LETTER = re.compile(r"[^\W_]")

HotwordList: TypeAlias = tuple[Hotword, ...]
SharedLists: TypeAlias = Callable[[Sequence[str]], tuple[HotwordList, ...]]  # by their names. Raises LimitExceeded


def normalised(hotwords: Iterable[Hotword], most: int = MOST_HOTWORDS) -> HotwordList:
    """NFC, single spaces, each once; equal lists are one object. Raises LimitExceeded, which names the limit."""
    kept: dict[str, Hotword] = {}
    for number, word in enumerate(hotwords):
        if number >= most:
            raise _fault(f"more than {most:,} hotwords, expected at most that many")
        word = checked(word)
        kept.setdefault(word.text, word)
    return _one(tuple(kept.values()))


@lru_cache(64)
def _one(hotwords: HotwordList) -> HotwordList:
    """Much is made of a list, and kept by its identity; sessions of one application all bring the same."""
    return hotwords


def checked(word: Hotword) -> Hotword:
    """One of them, normalised. Raises LimitExceeded."""
    if not 0 <= word.weight <= HEAVIEST:
        raise _fault(f"hotword {_shown(word.text)} has a weight of {word.weight:g}, expected 0 to {HEAVIEST:g}")
    if len(word.sounds_like) > MOST_SAYINGS:
        raise _fault(f"hotword {_shown(word.text)} has {len(word.sounds_like)} sayings, expected at most {MOST_SAYINGS}")
    sayings = tuple(dict.fromkeys(map(_phrase, word.sounds_like)))
    return replace(word, text=_phrase(word.text), sounds_like=sayings)


def _phrase(text: str) -> str:
    if len(text) > LONGEST_HOTWORD:
        raise _fault(f"hotword of {len(text)} characters, expected at most {LONGEST_HOTWORD}")
    if _CONTROL.search(text):
        raise _fault(f"hotword {_shown(text)} has control characters, expected text")
    phrase = " ".join(unicodedata.normalize("NFC", text).split())
    if not _LETTER.search(phrase):
        raise _fault(f"hotword {_shown(text)} is empty, expected at least one letter or digit")
    return phrase


def _shown(text: str) -> str:
    return ascii(text if len(text) <= 40 else text[:37] + "...")


def _fault(message: str) -> LimitExceeded:
    return LimitExceeded(message, field="hotwords")


def no_lists(names: Sequence[str]) -> tuple[HotwordList, ...]:
    """Of a server that has none."""
    if names:
        raise LimitExceeded(f"hotword_lists is {_shown(names[0])}, expected none: this server has no lists", field="hotword_lists")
    return ()
