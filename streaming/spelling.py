"""Hotwords written as they are meant to be: `flash attention` as FlashAttention, `engine X` as nginx if that is how it sounds.

What a recogniser writes is compared letter by letter, without case, spaces and marks; the words it writes may only be parted
where the hotword has a seam, or where capitals show that letters were spelled. Times and confidence are those of the words.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from model.interfaces import Hotword, Word

_MOST_WORDS = 16
_SEAM = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")
_LETTERS = re.compile(r"[^\w+#]|_")
_EDGES = re.compile(r"^(\s*[^\w\s+#]*)(.*?)('s)?([^\w+#]*)$", re.DOTALL)
# words that mean something else far too often to be written as a hotword because of their letters alone
_FUNCTION_WORDS = frozenset(
    "a am an and any are as at be but by can could did do does for from get go had has have he her him his how i if in into is it "
    "its may me more my no not now of off on one or our out own say see she so some such than that the their them then there "
    "these they this those to too two up us was we were what when where which who why will with would you your".split()
)


class Written(NamedTuple):
    """Words in the place of `size` others; `is_open`: what follows may still change them."""

    words: tuple[Word, ...]
    size: int
    is_open: bool


@dataclass(frozen=True, slots=True)
class _Form:
    """One way that a hotword may come out."""

    text: str  # how it is to be written
    seams: frozenset[int]  # numbers of letters after which words may be parted


class Spelling:
    """The hotwords of one list."""

    def __init__(self, hotwords: Sequence[Hotword]) -> None:
        self.forms: dict[str, _Form] = {}
        for word in hotwords:
            if not (word.is_marked and letters(word.text).isalnum()):
                self._add(word.text, word.text, is_saying=False)
        for word in hotwords:
            for saying in word.sayings:
                self._add(saying, word.text, is_saying=saying in word.sounds_like)
        self._keys = sorted(self.forms)

    def _add(self, said: str, text: str, *, is_saying: bool) -> None:
        key, seams = _key_and_seams(said)
        if key and (is_saying or key not in _FUNCTION_WORDS):
            known = self.forms.get(key, _Form(text, frozenset()))
            self.forms[key] = _Form(known.text, known.seams | seams)

    def has_prefix(self, key: str) -> bool:
        """A form begins with these letters."""
        at = bisect_left(self._keys, key)
        return at < len(self._keys) and self._keys[at].startswith(key)


_SPELLINGS = OrderedDict[int, tuple[Sequence[Hotword], Spelling]]()  # by identity: lists are long, and shared by sessions
_MOST_SPELLINGS = 64


def spelling_of(hotwords: Sequence[Hotword]) -> Spelling:
    """Of a list that sessions share; kept while it is in use."""
    found = _SPELLINGS.pop(id(hotwords), None) or (hotwords, Spelling(hotwords))
    _SPELLINGS[id(hotwords)] = found
    if len(_SPELLINGS) > _MOST_SPELLINGS:
        _SPELLINGS.popitem(last=False)
    return found[1]


class Speller:
    """Several lists; the first one wins."""

    withholds = False

    def __init__(self, spellings: Sequence[Spelling]) -> None:
        self._spellings = spellings

    def write(self, words: Sequence[Word], before: str = "", *, is_end: bool) -> list[Written]:
        """All words, in order, the longest hotwords first; the word before them does not matter."""
        if not self._spellings:
            return [Written((word,), 1, False) for word in words]
        found, at = list[Written](), 0
        parts = [_parts(word.text) for word in words]
        while at < len(words):
            written = self._at(words[at : at + _MOST_WORDS], parts[at : at + _MOST_WORDS], is_end=is_end)
            found.append(written)
            at += written.size
        return found

    def _at(self, words: Sequence[Word], parts: Sequence[_Parts], *, is_end: bool) -> Written:
        key, best, count = "", None, 0
        sizes, said = list[int](), list[_Parts]()
        for number, part in enumerate(parts, 1):
            if said and not part.letters:  # a mark that is a word of its own
                said[-1] = said[-1]._replace(after=said[-1].after + part.before + part.after)
                continue
            if not part.letters or (said and _is_parted(said[-1], part)):
                break
            owner = letters(said[-1].owner) if said else ""
            if owner and self._is_prefix(key + owner + part.letters):  # "poster's QL" for "posters QL"
                key, sizes[-1] = key + owner, sizes[-1] + len(owner)
            key += part.letters
            sizes.append(len(part.letters))
            said.append(part)
            form = self._form(key, sizes, said)
            if form:
                best, count = form, number
            if not self._is_prefix(key):
                break
        else:
            if not is_end and len(parts) < _MOST_WORDS:
                return self._written(words, parts, best, count, is_open=True)
        return self._written(words, parts, best, count, is_open=False)

    def _is_prefix(self, key: str) -> bool:
        return any(spelling.has_prefix(key) for spelling in self._spellings)

    def _found(self, key: str) -> _Form | None:
        return next((spelling.forms[key] for spelling in self._spellings if key in spelling.forms), None)

    def _form(self, key: str, sizes: Sequence[int], parts: Sequence[_Parts]) -> str | None:
        """How the hotword with these letters is written, if the words may be parted so."""
        form, plural = self._found(key), ""
        if form is None and key.endswith("s") and len(key) > 3:
            form, plural = self._found(key[:-1]), "s"
        if form is None:
            return None
        at = 0
        for size, part, following in zip(sizes, parts, parts[1:], strict=False):
            at += size
            if at not in form.seams and not (part.is_spelled or following.is_spelled):
                return None
        return form.text + plural

    @staticmethod
    def _written(words: Sequence[Word], parts: Sequence[_Parts], text: str | None, count: int, *, is_open: bool) -> Written:
        if text is None:
            return Written((words[0],), 1, is_open)
        first, last = words[0], words[count - 1]
        after = parts[count - 1].after
        if after.startswith(".") and parts[count - 1].is_spelled and count < len(parts) and parts[count].letters.islower():
            after = after[1:]  # of an abbreviation
        written = parts[0].before + text + parts[count - 1].owner + after
        if count == 1 and written == first.text:
            return Written((first,), 1, is_open)
        tokens = tuple(token for word in words[:count] for token in word.tokens)
        confidence = min(word.confidence for word in words[:count])
        return Written((Word(written, first.start, last.end, confidence, tokens),), count, is_open)


NO_HOTWORDS = Speller(())


class _Parts(NamedTuple):
    """Of a word: what stands before its letters, the letters, 's, what stands after."""

    before: str
    letters: str
    owner: str
    after: str
    is_spelled: bool  # in capitals


def _is_parted(left: _Parts, right: _Parts) -> bool:
    """By a mark that is no part of a phrase. Commas come and go where letters are spelled, and between numbers: "Postgres, QL"."""
    marks = " .-" if left.is_spelled else " -"
    if left.is_spelled != right.is_spelled or (left.letters + right.letters).isdigit():
        marks += ","
    return right.before.strip() not in ("", "-") or left.after.strip(marks) != ""


@lru_cache(4096)
def _parts(text: str) -> _Parts:
    found = _EDGES.match(text)
    assert found
    before, inner, owner, after = found.groups("")
    return _Parts(before, letters(inner), owner, after, inner.isupper() and len(inner) <= 5 and inner not in ("I", "A"))


def letters(text: str) -> str:
    """What is compared."""
    return _LETTERS.sub("", unicodedata.normalize("NFKC", text)).lower()


def _key_and_seams(said: str) -> tuple[str, frozenset[int]]:
    pieces = [letters(piece) for part in re.split(r"[\W_]+", said) for piece in _SEAM.split(part)]
    seams, at = set[int](), 0
    for piece in pieces:
        at += len(piece)
        seams.add(at)
    key = letters(said)
    return key, frozenset(seams) if at == len(key) else frozenset()
