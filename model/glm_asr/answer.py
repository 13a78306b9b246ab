"""The model answers like a chat model at times: `The transcription of the audio is "…".` Here the words are taken out of that.

The phrases are those that transformers' processor for this model removes. Tokens stay with the words that are shown, so that
what the model said can be given back to it as it was.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from model.words import Pieces

PHRASES = (
    "The spoken content of the audio is",
    "The transcription of the audio is",
    "The content of the input audio is",
)
_CLOSING = {'"': '"', "“": "”", "「": "」", "'": "'", "‘": "’"}
_PHRASE = re.compile(rf"\s*(?:{'|'.join(PHRASES)})\s*[:：,，]?\s*([\"“「'‘]?)\s?", re.IGNORECASE)
_QUOTE = re.compile(r"\s*([\"“「])\s?")


class Wrapping(NamedTuple):
    """What stands around the words."""

    length: int  # characters before them
    closing: str  # the mark that ends them, if any


def wrapping(text: str, *, is_final: bool) -> Wrapping | None:
    """What to take away; None: nothing to show yet, since this may become a phrase."""
    found = _PHRASE.match(text)
    if found:
        return Wrapping(found.end(), _CLOSING.get(found[1], ""))
    said = text.strip().lower()
    if said and not is_final and any(phrase.lower().startswith(said) for phrase in PHRASES):
        return None
    quote = _QUOTE.match(text)
    if quote and (not is_final or _is_closed(text, _CLOSING[quote[1]])):
        return Wrapping(quote.end(), _CLOSING[quote[1]])
    return Wrapping(0, "")


def unwrapped(pieces: Pieces, before: str, *, is_final: bool) -> Pieces:
    """The words that are to be shown, each with its tokens; `before` is the text of tokens that came before these."""
    around = wrapping(before + "".join(text for text, _ in pieces), is_final=is_final)
    if around is None:
        return []
    words = _without_start(pieces, around.length - len(before))
    if words and around.closing and _is_closed(words[-1][0], around.closing):
        text, tokens = words[-1]
        words[-1] = (text.rstrip(" .。").removesuffix(around.closing), tokens)
    return words


def _is_closed(text: str, closing: str) -> bool:
    return text.rstrip(" .。").endswith(closing)


def _without_start(pieces: Pieces, length: int) -> Pieces:
    """Without the first characters; their tokens go to the first word that is left."""
    words: Pieces = []
    carried: list[int] = []
    for text, tokens in pieces:
        left = text[max(0, length) :]
        length -= len(text)
        if left or words:
            words.append((left, carried + tokens))
            carried = []
        else:
            carried += tokens
    return words
