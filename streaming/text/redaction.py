"""E-mail addresses and numbers that name a person or an account, taken out before they leave the process.

Deliberately greedy: digits are misheard, so no check digit and no numbering plan is asked. Spoken digits count as digits.
A number that is said with long pauses comes in several utterances; "number" takes out every part of it.
"""

from __future__ import annotations

import re

from streaming.text.edits import Edit

KINDS = ("email", "phone", "card", "number")

_NAME = r"[\w+-]+"
_DOT = r"(?:\s*\.\s*|\s+dot\s+|点|點)"
_JOIN = r"(?:[._+-]|\s+(?:dot|underscore|dash|hyphen|plus)\s+)"
_LOCAL = rf"{_NAME}(?:{_JOIN}{_NAME})*"
_FILES = "(?:py|js|ts|tsx|txt|md|json|ya?ml|toml|cfg|ini|cpp|cc|rs|go|java|html?|css|csv|log|so|exe|dll|gz|zip|png|jpe?g|pdf)"
_WRITTEN = re.compile(rf"{_LOCAL}\s*@\s*[\w-]+(?:{_DOT}[\w-]+)*", re.IGNORECASE)
_SPOKEN = re.compile(rf"\b{_LOCAL}(?:\s+at\s+|艾特)[\w-]+(?:(?:\s+dot\s+|\.|点|點)(?!{_FILES}\b)[a-z][\w-]*)+", re.IGNORECASE)
# how an address may have begun when the text ends
_EMAIL_BEGUN = re.compile(
    rf"\b{_NAME}(?:(?:{_JOIN}){_NAME})*(?:{_JOIN}|\s+(?:dot|underscore|dash|hyphen|plus))?"
    rf"(?:(?:\s*@\s*|\s+at\b\s*|艾特)(?:[\w-]+(?:{_DOT}[\w-]+)*)?(?:\s+dot|\.)?)?\s*$",
    re.IGNORECASE,
)
_WORDS = (
    "zero oh one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen "
    "nineteen twenty thirty forty fifty sixty seventy eighty ninety"
).split()
_SIZES = {word: 1 if number < 11 else 2 for number, word in enumerate(_WORDS)}
_REPEATS = {"double": 2, "triple": 3}
_HAN_DIGITS = "零〇一二三四五六七八九幺两兩"
_ITEM = rf"(?:\d+|[{_HAN_DIGITS}]|\b(?:{'|'.join([*_SIZES, *_REPEATS])})\b)"
_BETWEEN = r"[\s().\-–/]{0,3}"
_RUN = re.compile(rf"(?:\+\s?|\(\s?)?{_ITEM}(?:{_BETWEEN},?{_BETWEEN}{_ITEM})*", re.IGNORECASE)
_PIECE = re.compile(rf"\d+|[{_HAN_DIGITS}]|[a-z]+", re.IGNORECASE)
_NO_NUMBER_OF_A_PERSON = re.compile(
    r"\d{1,3}(?:,\d{3})+|(?:19|20)\d\d[-/]\d\d?[-/]\d\d?|(?:19|20)\d\d\s?[-–]\s?(?:19|20)\d\d|\d+\.\d+"
)
_TAIL = re.compile(r"[\s().+\-–/,]*$")
_LONGEST_PHONE, _SHORTEST_PHONE, _SHORTEST_CARD, _SHORTEST_NUMBER = 15, 7, 13, 3


class Redaction:
    """A rule (see edits.py)."""

    withholds = True

    def __init__(self, kinds: tuple[str, ...]) -> None:
        self._kinds = frozenset(kinds)

    def edits(self, text: str, before: str) -> list[Edit]:
        """A mark such as [email] in the place of each."""
        found = list[Edit]()
        if "email" in self._kinds:
            _add(found, [Edit(*each.span(), "[email]") for each in _WRITTEN.finditer(text)])
            _add(found, [Edit(*each.span(), "[email]") for each in _SPOKEN.finditer(text)])
        kinds = [(run, self._kind(run.group())) for run in _RUN.finditer(text)]
        _add(found, [Edit(*run.span(), f"[{kind}]") for run, kind in kinds if kind])
        return sorted(found)

    def _kind(self, run: str) -> str | None:
        count = digits(run)
        if "card" in self._kinds and _SHORTEST_CARD <= count <= 19:
            return "card"
        is_personal = not _NO_NUMBER_OF_A_PERSON.fullmatch(run.strip())
        if "phone" in self._kinds and _SHORTEST_PHONE <= count <= _LONGEST_PHONE and is_personal:
            return "phone"
        return "number" if "number" in self._kinds and count >= _SHORTEST_NUMBER else None

    def settled(self, text: str) -> int:
        """All but the end of the text, if what is to be taken out may have begun there."""
        begun = [len(text)]
        if "email" in self._kinds and (found := _EMAIL_BEGUN.search(text)):
            begun.append(found.start())
        if self._kinds - {"email"}:
            last = _TAIL.search(text)
            begun += [run.start() for run in _RUN.finditer(text) if last and run.end() >= last.start()]
        return min(begun)


def _add(found: list[Edit], more: list[Edit]) -> None:
    found += [new for new in more if not any(old.start < new.end and new.start < old.end for old in found)]


def digits(run: str) -> int:
    """How many a run stands for, spoken ones included."""
    count, times = 0, 1
    for piece in _PIECE.findall(run.lower()):
        if piece in _REPEATS:
            times = _REPEATS[piece]
        else:
            count += times * (len(piece) if piece.isdigit() and piece.isascii() else _SIZES.get(piece, 1))
            times = 1
    return count
