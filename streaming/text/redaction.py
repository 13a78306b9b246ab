"""E-mail addresses and numbers that name a person or an account, taken out before they leave the process.

Deliberately greedy: digits are misheard, so no check digit and no numbering plan is asked. Spoken digits count as digits.
A number that is said with long pauses comes in several utterances; "number" takes out every part of it.
"""

from __future__ import annotations

import re

from streaming.text.edits import Edit
from streaming.text.spacing import HAN

KINDS = ("email", "phone", "card", "number")

_ONES = "zero|one|two|three|four|five|six|seven|eight|nine"
_NAME = rf"(?:[^\W{HAN}]|[+-])+"
_BEGIN = rf"(?<![^\W{HAN}])"
_DOT = r"(?:\s*\.\s*|\s+dot\s+|\s*[点點]\s*)"
_MARK = r"(?:dot|underscore|dash|hyphen|plus)"
# letters that are spelled, names and the marks between them, digits
_LOCAL = rf"(?:(?:(?<!\w)[a-z0-9]\s+){{2,20}})?{_NAME}(?:(?:\.|\s+{_MARK}\s+){_NAME})*(?:\s+(?:\d+|{_ONES})(?!\w)){{0,8}}"
_AT = r"(?:\s+[\[(]?at[\])]?(?:[\s-]sign)?\s+|\s*艾特\s*)"
_FILES = "(?:py|js|ts|tsx|txt|md|json|ya?ml|toml|cfg|ini|cpp|cc|rs|go|java|html?|css|csv|log|so|exe|dll|gz|zip|png|jpe?g|pdf)"
_TOP = rf"(?:(?:\s+dot\s+|\.|\s*[点點]\s*)(?!{_FILES}\b)(?=[a-z]){_NAME}|\s*\.\s*(?:com|net|org|edu|gov|io|de|cn|uk)\b)"
_WRITTEN = re.compile(rf"{_LOCAL}\s*@\s*{_NAME}(?:{_DOT}{_NAME})*", re.IGNORECASE)
_SPOKEN = re.compile(rf"{_BEGIN}{_LOCAL}{_AT}{_NAME}{_TOP}+", re.IGNORECASE)
# how an address may have begun when the text ends
_EMAIL_BEGUN = re.compile(
    rf"{_BEGIN}(?:(?<!\w)[a-z0-9]\s+){{0,20}}{_LOCAL}(?:\.|\s+{_MARK}\s*)?"
    rf"(?:(?:\s*@\s*|{_AT}|\s+[\[(]?at[\])]?(?:[\s-]sign)?)(?:{_NAME}(?:{_DOT}{_NAME})*)?(?:\s+dot|\s*[.点點])?)?\s*$",
    re.IGNORECASE,
)
_TENS = "twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"
_TWO_FIGURES = f"ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|{_TENS}".split("|")
_ZEROS = {"hundred": 2, "thousand": 3}
_REPEATS = {"double": 2, "triple": 3, "quadruple": 4}
_HAN_DIGITS = "零〇一二三四五六七八九幺两兩"
_SAID = "|".join(["oh", *_ONES.split("|"), *_TWO_FIGURES, *_REPEATS])
_ITEM = rf"(?:\d+|[{_HAN_DIGITS}]|(?<![a-z])o(?![a-z])|\b(?:{_SAID}|(?:{'|'.join(_ZEROS)})(?:\s+and)?)\b)"
# what is written or said between the digits of one number
_MARKS = r"\s().,;\-–—/·…，、。；"
_WORDS = r"(?:\b(?:uh|um|uhm|er|erm|then|dash|hyphen|minus|dot|comma|space|slash)\b|[嗯呃杠]|横杠|空格)"
_BETWEEN = rf"[{_MARKS}]{{0,5}}(?:{_WORDS}[{_MARKS}]{{0,5}}){{0,2}}"
_RUN = re.compile(rf"(?:\+\s?|\(\s?)?{_ITEM}(?:{_BETWEEN}{_ITEM})*", re.IGNORECASE)
_PIECE = re.compile(rf"\d+|[{_HAN_DIGITS}]|\b(?:{_SAID}|{'|'.join(_ZEROS)})\b|(?<![a-z])o(?![a-z])")
_NO_NUMBER_OF_A_PERSON = re.compile(
    r"\d{1,3}(?:,\d{3})+|(?:19|20)\d\d[-/]\d\d?[-/]\d\d?|(?:19|20)\d\d\s?[-–]\s?(?:19|20)\d\d|\d{1,2}\.\d+|\d+\.\d{1,2}"
)
_TAIL = re.compile(rf"(?:[{_MARKS}+]|{_WORDS})*$", re.IGNORECASE)
_SHORTEST_PHONE, _SHORTEST_CARD, _SHORTEST_NUMBER = 7, 13, 3


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
        if "card" in self._kinds and count >= _SHORTEST_CARD:  # longer: its date and code, or another one, follow
            return "card"
        is_personal = not _NO_NUMBER_OF_A_PERSON.fullmatch(run.strip())
        if "phone" in self._kinds and count >= _SHORTEST_PHONE and is_personal:
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
    count, times, zeros = 0, 1, 0  # `zeros`: that were counted, and that what follows may take the place of
    for piece in _PIECE.findall(run.lower()):
        if piece in _REPEATS:
            times = _REPEATS[piece]
            continue
        size = times * (_ZEROS.get(piece) or (2 if piece in _TWO_FIGURES else len(piece) if piece.isdecimal() else 1))
        taken = min(zeros, size)
        count, times, zeros = count + size - taken, 1, _ZEROS.get(piece, zeros - taken)
    return count
