"""Token ids as words: which tokens belong together, and where punctuation goes."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from typing import TypeAlias

from model.interfaces import Word

Pieces: TypeAlias = list[tuple[str, list[int]]]  # texts and their tokens

MIXED = {"zh", "ja", "yue"}  # written without spaces, often with Latin words among it
UNSPACED = {"zh", "ja", "th", "lo", "my", "yue"}
_BEFORE = "\"'“¿([{-「『（《"  # attach to the word that follows
_AFTER = "\"'.。,，!！?？:：”)]}、」』）》;；…%"  # attach to the word that came
_PARTING = ",;!?"  # end a word although no space follows
_OPENING = "“「『（《"  # begin a word where there are no spaces
_BROKEN = "�"


def leading(words: Sequence[Word], tokens: Sequence[int]) -> int:
    """How many tokens these words are, if a text begins with all of them; else 0."""
    own = [token for word in words for token in word.tokens]
    return len(own) if list(tokens[: len(own)]) == own else 0


def characters(ids: Sequence[int], decode: Callable[[Sequence[int]], str]) -> Pieces:
    """The smallest runs of tokens that are whole characters."""
    whole, pieces, run, done = decode(ids), Pieces(), list[int](), 0
    for token in ids:
        run.append(token)
        text = decode(run)
        if _BROKEN not in text or whole[done : done + len(text)] == text:
            pieces.append((text, run))
            done, run = done + len(text), []
    if run:
        pieces.append((decode(run), run))
    return pieces


def spaced_words(pieces: Pieces) -> Pieces:
    """Words begin with a space (the rule of openai/whisper)."""
    return attached(_joined(pieces, lambda text, before: text.startswith(" ") or text.strip() in _AFTER + _BEFORE))


def mixed_words(pieces: Pieces) -> Pieces:
    """Words begin with a space or where the script changes; tokens of a script without spaces stay as they are."""
    return attached(_joined(pieces, _begins_mixed))


def _begins_mixed(text: str, before: str) -> bool:
    if text.startswith(" ") or text[0] in _OPENING:
        return True
    if text[0] in _AFTER or before.strip() in _OPENING:
        return False
    if before[-1] in _PARTING and text[0].isalpha():
        return True
    return is_wide(text[0]) or is_wide((before.rstrip(_AFTER) or before)[-1])


def is_wide(letter: str) -> bool:
    """Of a script that is written without spaces between words, or its punctuation."""
    return unicodedata.east_asian_width(letter) in "WF" or unicodedata.name(letter, "").startswith("THAI")


def _joined(pieces: Pieces, begins: Callable[[str, str], bool]) -> Pieces:
    words: Pieces = []
    for text, ids in pieces:
        if not words or not text or not words[-1][0] or begins(text, words[-1][0]):
            words.append((text, list(ids)))
        else:
            words[-1] = (words[-1][0] + text, words[-1][1] + ids)
    return words


def attached(words: Pieces) -> Pieces:
    """Opening marks join the word after, closing marks the word before."""
    joined: Pieces = []
    opening: tuple[str, list[int]] = ("", [])
    for text, ids in words:
        mark = text.strip()
        if mark and mark in _BEFORE and text.startswith(" "):
            opening = (opening[0] + text, opening[1] + ids)
        elif joined and not opening[1] and text == mark and mark and all(c in _AFTER for c in mark):
            joined[-1] = (joined[-1][0] + text, joined[-1][1] + ids)
        else:
            joined.append((opening[0] + text, opening[1] + ids))
            opening = ("", [])
    return [*joined, opening] if opening[1] else joined
