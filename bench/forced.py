"""Text of a fixed rate from a model with random weights: all of its work is done, but each token is the one after the last."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from model.decoding import Ask, Choices, Chooser

FIRST, LAST = 1000, 40_000


class Forced:
    """Answers what a chooser answers, with other tokens: so drafts are right, as they nearly always are with real weights."""

    def __init__(self, chooser: Chooser) -> None:
        self.chooser = chooser

    def __call__(self, asks: Sequence[Ask]) -> Iterable[Choices]:
        """In order."""
        for ask, found in zip(asks, self.chooser(asks), strict=True):
            yield replace(found, tokens=[following(token) for token in ask.tokens[-ask.wanted :]])

    def __getattr__(self, name: str) -> object:
        return getattr(self.chooser, name)


def following(token: int) -> int:
    """The next token of the text; after what is no text, its first."""
    return token + 1 if FIRST <= token < LAST else FIRST
