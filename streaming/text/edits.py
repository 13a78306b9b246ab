"""Changes of a text, carried over to the words that it is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

from model.interfaces import Word
from streaming.spelling import Written


class Edit(NamedTuple):
    """text[start:end] becomes `text`."""

    start: int
    end: int
    text: str


class Rule(Protocol):
    """One way to change a text; looks at nothing but the text."""

    withholds: bool  # what may still change must not be shown

    def edits(self, text: str, before: str) -> list[Edit]:
        """In order, without overlap. `before` is the word before the text; it stays as it is."""

    def settled(self, text: str) -> int:
        """What lies before this position is edited alike whatever follows the text."""


class Rewriting:
    """A rule, for words."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self.withholds = rule.withholds

    def write(self, words: Sequence[Word], before: str, *, is_end: bool) -> list[Written]:
        """All words, in order; those that an edit touches become one."""
        text = "".join(word.text for word in words)
        edits = self._rule.edits(text, before)
        settled = len(text) if is_end else self._rule.settled(text)
        found, at, index = list[Written](), 0, 0
        while index < len(words):
            size, end = _reach(words[index:], at, edits)
            touching = [edit for edit in edits if edit.start < end and edit.end >= at and not (edit.end == at and edit.start < at)]
            written = _edited(words[index : index + size], text[at:end], at, touching)
            found.append(Written(written, size, not is_end and end > settled))
            edits = edits[len(touching) :]
            at, index = end, index + size
        return found


def _reach(words: Sequence[Word], at: int, edits: Sequence[Edit]) -> tuple[int, int]:
    """How many words belong together because edits cross from one to the next, and where they end."""
    end = at
    for size, word in enumerate(words, 1):
        end += len(word.text)
        if not any(edit.start < end < edit.end for edit in edits):
            return size, end
    return len(words), end


def _edited(words: Sequence[Word], text: str, at: int, edits: Sequence[Edit]) -> tuple[Word, ...]:
    """One word, or none if nothing is left of it."""
    if not edits:
        return tuple(words)
    for edit in reversed(edits):
        text = text[: max(0, edit.start - at)] + edit.text + text[edit.end - at :]
    if not text.strip():
        return ()
    first, last = words[0], words[-1]
    if len(words) == 1:
        return (first if text == first.text else replace(first, text=text),)
    tokens = tuple(token for word in words for token in word.tokens)
    return (Word(text, first.start, last.end, min(word.confidence for word in words), tokens),)
