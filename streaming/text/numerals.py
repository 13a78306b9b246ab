"""Numbers as figures: `eight thousand and eighty` → 8080, `three point eleven` → 3.11, `fifty percent` → 50%, 百分之五十 → 50%.

Single numbers below ten stay words unless a unit or a mark makes figures of them. text2num reads English, cn2an Chinese.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import cn2an
from text_to_num import text2num

from streaming.text.edits import Edit
from streaming.text.spacing import HAN

_ONES = "zero one two three four five six seven eight nine".split()
_TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_LARGE = "hundred thousand million billion trillion".split()
NUMBER = rf"(?:{'|'.join([*_ONES, *_TEENS, *_TENS, *_LARGE])})"
_RUN = re.compile(
    rf"\b(?:a\s+(?=hundred|thousand))?{NUMBER}(?:(?:[\s-]+|\s+and\s+){NUMBER})*(?:\s+point(?:\s+(?:oh|{NUMBER}))+)*\b",
    re.IGNORECASE,
)
_HUGE = re.compile(r"(?P<count>.+)\s(?P<size>million|billion|trillion)")
_FIGURES = re.compile(r"\b\d+(?:\.\d+)?(?:\s+point\s+\d+)+\b", re.IGNORECASE)
_SYMBOLS = {"percent": "%", "per cent": "%", "degrees": "°"}
_UNITS = {
    "kilobyte": "KB", "megabyte": "MB", "gigabyte": "GB", "terabyte": "TB", "petabyte": "PB",
    "kibibyte": "KiB", "mebibyte": "MiB", "gibibyte": "GiB", "tebibyte": "TiB",
    "megabit": "Mbit", "gigabit": "Gbit", "kilohertz": "kHz", "megahertz": "MHz", "gigahertz": "GHz",
    "millisecond": "ms", "microsecond": "µs", "nanosecond": "ns",
    "millimeter": "mm", "millimetre": "mm", "centimeter": "cm", "centimetre": "cm", "kilometer": "km", "kilometre": "km",
    "kilogram": "kg", "milligram": "mg", "kilowatt": "kW", "megawatt": "MW", "millivolt": "mV", "volt": "V", "watt": "W",
}  # fmt: skip
_UNIT = re.compile(rf"\s+(?P<unit>{'|'.join(_SYMBOLS)}|(?:{'|'.join(_UNITS)})s?)\b", re.IGNORECASE)
_HAN_DIGITS = "零〇一二三四五六七八九幺两兩"
_HAN_RUN = re.compile(rf"(?P<share>百分之)?(?P<whole>[{_HAN_DIGITS}十百千万萬亿億]+)(?:[点點](?P<part>[{_HAN_DIGITS}十]+))?")
_NO_NUMBERS = ("千万", "千萬", "万一", "萬一", "万万", "萬萬", "十分", "一一", "三三两两", "百万", "百萬")
_HAN_OPEN = re.compile(rf"(?:百|百分|百分之)?[{_HAN_DIGITS}十百千万萬亿億点點]*$")
_OPEN = re.compile(rf"(?:(?:\b(?:{NUMBER}|point|and|oh|per)\b|\b\d+(?:[.,]\d+)*\b)[\s-]*)*[^\s{HAN}]*\s*$", re.IGNORECASE)


class Numerals:
    """A rule (see edits.py)."""

    withholds = False

    def edits(self, text: str, before: str) -> list[Edit]:
        """Figures in the place of words."""
        found = [*self._english(text), *self._decimals(text), *self._chinese(text)]
        return sorted(found)

    @staticmethod
    def _english(text: str) -> Iterator[Edit]:
        for run in _RUN.finditer(text):
            figures, unit = figures_of(run.group()), _UNIT.match(text, run.end())
            if unit and figures:
                yield Edit(run.start(), unit.end(), figures + _written_unit(unit["unit"]))
            elif figures and run.group().lower() not in (*_ONES, *_LARGE):
                yield Edit(*run.span(), figures)

    @staticmethod
    def _decimals(text: str) -> Iterator[Edit]:
        for found in _FIGURES.finditer(text):
            yield Edit(*found.span(), re.sub(r"\s+point\s+", ".", found.group(), flags=re.IGNORECASE))

    @staticmethod
    def _chinese(text: str) -> Iterator[Edit]:
        for run in _HAN_RUN.finditer(text):
            figures = _han_figures(run, text)
            if figures:
                yield Edit(*run.span(), figures)

    def settled(self, text: str) -> int:
        """All but the number that the text ends with, and the last word."""
        found, han = _OPEN.search(text), _HAN_OPEN.search(text)
        return min(match.start() for match in (found, han) if match)


def figures_of(words: str) -> str | None:
    """Of a run of English number words; None: it is none."""
    words = re.sub(r"^a\s+", "one ", words.lower())
    if huge := _HUGE.fullmatch(words):  # 2.5 million: 2500000 is hard to read
        count = figures_of(huge["count"])
        return count and f"{count} {huge['size']}"
    whole, *parts = (re.split(r"[\s-]+", part.strip()) for part in re.split(r"\bpoint\b", words.lower()))
    figures = [_whole(whole), *(_digits(part) for part in parts)]
    return ".".join(each for each in figures if each) if all(figures) else None


def _whole(words: list[str]) -> str | None:
    """A cardinal; several of them side by side are read figure by figure, as years and ports are."""
    words = [word for word in words if word]
    if words and (words[0] in _LARGE[1:] or words[0] == "and"):
        return None
    groups, at = list[str](), 0
    while at < len(words):
        size = next((size for size in range(len(words), at, -1) if _number(words[at:size]) is not None), None)
        if size is None:
            return None
        groups.append(str(_number(words[at:size])))
        at = size
    if len(groups) == 2 and len(groups[0]) == len(groups[1]) == 1:
        return None  # "one two", "two three": rather a guess than a number
    return "".join(groups)


def _number(words: list[str]) -> int | None:
    if words[0] == "and" or words[-1] == "and":
        return None
    try:
        return int(text2num(" ".join(words), "en"))
    except ValueError:
        return None


def _digits(words: list[str]) -> str | None:
    """What follows a point: digit by digit, or a number."""
    if all(word in (*_ONES, "oh") for word in words):
        return "".join("0" if word == "oh" else str(_ONES.index(word)) for word in words)
    return _whole(words)


def _written_unit(unit: str) -> str:
    name = " ".join(unit.lower().split())
    return _SYMBOLS.get(name) or " " + _UNITS[name if name in _UNITS else name.removesuffix("s")]


def _han_figures(run: re.Match[str], text: str) -> str | None:
    whole, part, is_share = run["whole"], run["part"], run["share"] is not None
    if not is_share and (whole in _NO_NUMBERS or not (_is_number(whole) or (part and _is_fraction(run, text)))):
        return None
    if part and not is_share and not _is_fraction(run, text):
        return None
    figures = _han(whole)
    if figures is None:
        return None
    return figures + (f".{_han(part)}" if part else "") + ("%" if is_share else "")


def _is_number(whole: str) -> bool:
    """More than one character, and not two or three digits side by side, which mean "some"."""
    is_counted = any(letter in "十百千万萬亿億" for letter in whole)
    return len(whole) > (1 if is_counted else 3) and whole[0] not in "百千万萬亿億"


def _is_fraction(run: re.Match[str], text: str) -> bool:
    """Not the time of the day."""
    is_version = text[: run.start()].rstrip().endswith(("版本", "版", "version", "Version"))
    return is_version or "十" not in run["part"]


def _han(digits: str) -> str | None:
    plain = digits.translate(str.maketrans("幺兩萬億", "一两万亿"))
    if all(letter in _HAN_DIGITS for letter in plain):
        return "".join(str("零一二三四五六七八九".find(letter.translate(str.maketrans("〇两", "零二")))) for letter in plain)
    tail = plain[-1] if plain[-1] in "万亿" else ""  # 三万 stays 3万: 30000 is hard to read
    try:
        return f"{cn2an.cn2an(plain.removesuffix(tail) or plain, 'smart')}{tail}"
    except (ValueError, KeyError):  # the latter for what it does not foresee, such as 零十三
        return None
