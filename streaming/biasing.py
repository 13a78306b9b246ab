"""Hotwords: normalised, limited, in the order given."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from streaming.errors import LimitExceeded

MOST_HOTWORDS = 1_000
LONGEST_HOTWORD = 100  # characters


def normalised(hotwords: Iterable[str]) -> tuple[str, ...]:
    """NFC, single spaces, no empty ones, each once. Raises LimitExceeded."""
    kept = dict.fromkeys(" ".join(unicodedata.normalize("NFC", word).split()) for word in hotwords)
    kept.pop("", None)
    if len(kept) > MOST_HOTWORDS:
        raise LimitExceeded(f"{len(kept)} hotwords, expected at most {MOST_HOTWORDS}", field="hotwords")
    for word in kept:
        if len(word) > LONGEST_HOTWORD:
            raise LimitExceeded(f"hotword of {len(word)} characters, expected at most {LONGEST_HOTWORD}", field="hotwords")
    return tuple(kept)
