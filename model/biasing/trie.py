"""Phrases as token sequences: each way that a model may write one, with and without its space, in small letters or capitals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from model.biasing.sound import SEAM
from model.interfaces import Hotword

LETTERS = 6  # of a phrase that says enough by itself
_WIDE = 3  # letters that a character of another script stands for

Encode = Callable[[str], Sequence[int]]


@dataclass(slots=True)
class Node:
    """After some tokens of a phrase."""

    children: dict[int, Node] = field(default_factory=dict)
    weight: float = 0.0  # the greatest of the phrases that go through here
    is_end: bool = False  # of a phrase


@dataclass(frozen=True, slots=True)
class Trie:
    """Of one list: phrases that follow a space or a script without spaces, and those that stand at the start of a word."""

    spaced: Node
    bare: Node
    weight: float  # the greatest

    @classmethod
    def of(cls, hotwords: Iterable[Hotword], encode: Encode, letters: int = LETTERS) -> Trie:
        """Weights of 0 leave a phrase out; one of fewer letters weighs less."""
        spaced, bare, favoured = Node(), Node(), [word for word in hotwords if word.weight > 0]
        for word in favoured:
            for form in forms(word):
                _add(spaced, encode(" " + form), worth(word, letters))
                _add(bare, encode(form), worth(word, letters))
        return cls(spaced, bare, max((word.weight for word in favoured), default=0.0))


def forms(word: Hotword) -> Iterator[str]:
    """What is favoured: as given, in small letters, with a capital. What it sounds like is found in the text, not put there."""
    yield from dict.fromkeys((word.text, word.text.lower(), _capitalised(word.text)))


def parted(word: Hotword) -> Iterator[str]:
    """One that is put together from others, as somebody writes it who does not know it: Fast API, fast api."""
    parts = SEAM.split(word.text)
    if len(parts) > 1 and min(map(len, parts)) > 1:
        yield from (" ".join(parts), " ".join(parts).lower())


def worth(word: Hotword, letters: int = LETTERS) -> float:
    """Its weight; less in proportion if it is so short that it must be nearer to be taken."""
    size = sum(1 if letter.isascii() else _WIDE for letter in word.text)
    return word.weight * min(1.0, size / letters)


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


def _add(node: Node, tokens: Sequence[int], weight: float) -> None:
    for token in tokens:
        node = node.children.setdefault(token, Node())
        node.weight = max(node.weight, weight)
    node.is_end = True
