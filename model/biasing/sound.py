"""How a text sounds, coarsely: a string in which what is often misheard for one another is the same letter.

In the spirit of Metaphone (Philips 1990), but vowels stay as one letter `a`, since where they stand tells words apart; voiced and
unvoiced consonants are one. Capitals are also spelled letter by letter, numbers are said, Chinese goes by its pinyin.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from pypinyin import lazy_pinyin

from model.spoken import DIGITS

_NAMES = dict(
    zip(
        "abcdefghijklmnopqrstuvwxyz",
        "ay bee see dee ee eff jee aitch eye jay kay ell em en oh pee cue are ess tee you vee doubleyou ex why zee".split(),
        strict=True,
    )
)
_SMALL = [*DIGITS, *"ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()]
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_GROUPS = (
    ("tion", "xn"), ("sch", "sk"), ("tch", "x"), ("dge", "j"), ("ck", "k"), ("ph", "f"), ("wh", "w"), ("wr", "r"), ("kn", "n"),
    ("gh", ""), ("qu", "kw"), ("x", "ks"), ("ch", "x"), ("sh", "x"), ("th", "t"),
)  # fmt: skip
_ALIKE = str.maketrans("bdgzvjq", "ptksfxk")
SEAM = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")
_LONGEST_SPELLED = 5


def sounds(text: str) -> set[str]:
    """Of a phrase: capitals read as letters, and as a word."""
    return {sound(text), sound(text, is_spelled=False)} - {""}


@lru_cache(16_384)  # partials ask for the same again and again
def sound(text: str, *, is_spelled: bool = True) -> str:
    """Of any text."""
    return "".join(_piece(piece, is_spelled) for piece in _pieces(unicodedata.normalize("NFKC", text)))


def _pieces(text: str) -> Iterator[str]:
    """Words, parted where capitals or digits begin."""
    for part in re.split(r"[\W_]+", text):
        yield from (piece for piece in SEAM.split(part) if piece)


@lru_cache(16_384)
def _piece(piece: str, is_spelled: bool) -> str:
    if not piece.isascii():
        return "".join(_word(syllable) for syllable in lazy_pinyin(piece))
    if piece.isdigit():
        return "".join(map(_word, _number(piece)))
    if is_spelled and piece.isupper() and len(piece) <= _LONGEST_SPELLED:
        return "".join(_word(_NAMES[letter]) for letter in piece.lower())
    return _word(piece)


def _number(digits: str) -> list[str]:
    """As it is said, if it is a small one; else digit by digit."""
    value = int(digits)
    if value < 20:
        return [_SMALL[value]]
    if value < 100:
        return [_TENS[value // 10 - 2], *([_SMALL[value % 10]] if value % 10 else [])]
    return [_SMALL[int(digit)] for digit in digits]


def _word(word: str) -> str:
    word = word.lower()
    for group, one in _GROUPS:
        word = word.replace(group, one)
    word = re.sub("c(?=[eiy])", "s", word).replace("c", "k")
    word = re.sub("g(?=[ei])", "j", word)
    word = re.sub("e$", "", word) if len(word) > 3 else word
    word = re.sub("^y", "Y", word.translate(_ALIKE))
    return re.sub(r"(.)\1+", r"\1", re.sub("[aeiouyh]+", "a", word))
