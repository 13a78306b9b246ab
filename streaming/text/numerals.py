"""Numbers as figures: `eight thousand and eighty` → 8080, `three point eleven` → 3.11, `fifty percent` → 50%, 百分之五十 → 50%;
`March third` → March 3rd, `twenty five dollars` → $25, `five thirty pm` → 5:30 pm, 三月十五日 → 3月15日.

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
    rf"\b(?:a\s+(?=hundred|thousand))?{NUMBER}(?:(?:[\s-]+(?:oh\s+)?|\s+and\s+){NUMBER})*(?:\s+(?:point|dot)(?:\s+(?:oh|{NUMBER}))+)*\b",
    re.IGNORECASE,
)
_ORDINALS = dict(zip("first second third fourth fifth sixth seventh eighth ninth".split(), _ONES[1:], strict=True))
_LONG_ORDINALS = {word + "th": word for word in _TEENS} | {word[:-1] + "ieth": word for word in _TENS} | {"twelfth": "twelve"}
_ORDINAL = rf"(?:(?:(?:{'|'.join(_TENS)})[\s-])?(?:{'|'.join(_ORDINALS)})|{'|'.join(_LONG_ORDINALS)})"
_MONTHS = "January February March April May June July August September October November December".split()
_MONTH = rf"(?-i:{'|'.join(_MONTHS)})"
_DAY = re.compile(rf"\b{_MONTH}\s+(?P<day>{_ORDINAL})\b|\b(?P<named>{_ORDINAL})(?=\s+of\s+{_MONTH}\b)", re.IGNORECASE)
# "twenty second" may be a time
_LONG_ORDINAL = re.compile(rf"(?!tenth)(?!\w+[\s-]second)\b(?!(?:{'|'.join(_ORDINALS)})\b){_ORDINAL}\b", re.IGNORECASE)
_HOUR = rf"(?:{'|'.join([*_ONES[1:], *_TEENS[:3]])})"
_MINUTE = rf"(?:oh\s+(?:{'|'.join(_ONES[1:])})|{'|'.join(_TEENS)}|(?:{'|'.join(_TENS[:4])})(?:[\s-](?:{'|'.join(_ONES[1:])}))?)"
_TIME = re.compile(rf"\b(?P<hour>{_HOUR})(?:\s+(?P<minute>{_MINUTE}))?(?=\s+[ap]\.?m\b)", re.IGNORECASE)
_HUGE = re.compile(r"(?P<count>.+)\s(?P<size>million|billion|trillion)")
_FIGURES = re.compile(r"\b\d+(?:\.\d+)?(?:\s+(?:point|dot)\s+\d+)+\b", re.IGNORECASE)
_ROUND_THE_CLOCK = "twenty four seven"
_MONEY = re.compile(r"\s+(?P<name>dollars|euros)\b", re.IGNORECASE)
_COINS = {"dollars": "$", "euros": "€"}
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
_HAN_RUN = re.compile(
    rf"(?P<share>百分之)?(?P<whole>[{_HAN_DIGITS}十百千万萬亿億]+)(?P<parts>(?:[点點][{_HAN_DIGITS}十]+)*)(?=(?P<after>.?))",
    re.DOTALL,
)
_TO_NINE = "一二三四五六七八九"
_HAN_DAY = re.compile(
    rf"(?<![{_TO_NINE}十])(?P<month>十[一二]|[{_TO_NINE}十])月(?P<day>[二三]?十[{_TO_NINE}]?|[{_TO_NINE}])(?=[日号號])"
)
_NO_NUMBERS = ("千万", "千萬", "万一", "萬一", "万万", "萬萬", "十分", "一一", "三三两两", "百万", "百萬", "二百五")
_SAYINGS = ("五十步笑百步", "三十而立", "四十不惑", "十万八千里", "十萬八千里", "一千零一夜", "三百六十行")
_SAYING = re.compile("|".join(_SAYINGS))
_SAYINGS_BEGUN = "|".join(sorted({each[:size] for each in _SAYINGS for size in range(1, len(each))}, key=len, reverse=True))
_HAN_OPEN = re.compile(rf"(?:(?:百|百分|百分之)?(?:[{_TO_NINE}十]+月)?[{_HAN_DIGITS}十百千万萬亿億点點]*|{_SAYINGS_BEGUN})$")
_GOES_ON = "|".join([NUMBER, _ORDINAL, _MONTH, "point", "dot", "and", "oh", "per", "of", "dollars", "euros"])
_OPEN = re.compile(rf"(?:(?:\b(?:{_GOES_ON})\b|\b\d+(?:[.,]\d+)*\b)[\s-]*)*[^\s{HAN}]*\s*$", re.IGNORECASE)


class Numerals:
    """A rule (see edits.py)."""

    withholds = False

    def edits(self, text: str, before: str) -> list[Edit]:
        """Figures in the place of words; the first kind that fits."""
        found = [Edit(*saying.span(), saying.group()) for saying in _SAYING.finditer(text)]
        for kind in (self._days, self._times, self._ordinals, self._english, self._decimals, self._chinese_days, self._chinese):
            apart = [new for new in kind(text) if not any(old.start < new.end and new.start < old.end for old in found)]
            found += apart
        return sorted(found)

    @staticmethod
    def _days(text: str) -> Iterator[Edit]:
        for day in _DAY.finditer(text):
            group = "day" if day["day"] else "named"
            yield Edit(*day.span(group), _ordinal(day[group]))

    @staticmethod
    def _times(text: str) -> Iterator[Edit]:
        for time in _TIME.finditer(text):
            hour, minute = (figures_of((time[part] or "").lower().removeprefix("oh")) for part in ("hour", "minute"))
            yield Edit(*time.span(), f"{hour}:{minute:0>2}" if minute else str(hour))

    @staticmethod
    def _ordinals(text: str) -> Iterator[Edit]:
        for ordinal in _LONG_ORDINAL.finditer(text):
            yield Edit(*ordinal.span(), _ordinal(ordinal.group()))

    @staticmethod
    def _english(text: str) -> Iterator[Edit]:
        for run in _RUN.finditer(text):
            figures, unit, money = figures_of(run.group()), _UNIT.match(text, run.end()), _MONEY.match(text, run.end())
            if unit and figures:
                yield Edit(run.start(), unit.end(), figures + _written_unit(unit["unit"]))
            elif money and figures:
                yield Edit(run.start(), money.end(), _COINS[money["name"].lower()] + figures)
            elif figures and run.group().lower() not in (*_ONES, *_LARGE):
                yield Edit(*run.span(), figures)

    @staticmethod
    def _decimals(text: str) -> Iterator[Edit]:
        for found in _FIGURES.finditer(text):
            yield Edit(*found.span(), re.sub(r"\s+(?:point|dot)\s+", ".", found.group(), flags=re.IGNORECASE))

    @staticmethod
    def _chinese_days(text: str) -> Iterator[Edit]:
        for day in _HAN_DAY.finditer(text):
            yield Edit(*day.span(), f"{_han(day['month'])}月{_han(day['day'])}")

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
    words = " ".join(re.sub(r"^a\s+", "one ", words.lower()).replace("-", " ").split())
    if words == _ROUND_THE_CLOCK:
        return "24/7"
    if huge := _HUGE.fullmatch(words):  # 2.5 million: 2500000 is hard to read
        count = figures_of(huge["count"])
        return count and f"{count} {huge['size']}"
    whole, *parts = (part.split() for part in re.split(r"\b(?:point|dot)\b", words))
    figures = [_whole(whole), *(_digits(part) for part in parts)]
    return ".".join(each for each in figures if each) if all(figures) else None


def _whole(words: list[str]) -> str | None:
    """A cardinal; several of them side by side are read figure by figure, as years and ports are."""
    words = ["zero" if word == "oh" else word for word in words]
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
    if words[0] == "and" or words[-1] == "and" or (words[0] == "zero" and len(words) > 1):
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


def _ordinal(said: str) -> str:
    *tens, last = re.split(r"[\s-]+", said.lower())
    figures = _whole([*tens, _ORDINALS.get(last) or _LONG_ORDINALS[last]]) or ""
    return figures + ("th" if last in _LONG_ORDINALS else {"1": "st", "2": "nd", "3": "rd"}.get(figures[-1:], "th"))


def _written_unit(unit: str) -> str:
    name = " ".join(unit.lower().split())
    return _SYMBOLS.get(name) or " " + _UNITS[name if name in _UNITS else name.removesuffix("s")]


def _han_figures(run: re.Match[str], text: str) -> str | None:
    whole, parts, is_share = run["whole"], re.split("[点點]", run["parts"])[1:], run["share"] is not None
    is_number = whole not in _NO_NUMBERS and (_is_fraction(run, text) if parts else _is_number(whole))
    figures = [_han(each) for each in (whole, *parts)] if is_share or is_number else [None]
    return ".".join(each for each in figures if each) + ("%" if is_share else "") if all(figures) else None


def _is_number(whole: str) -> bool:
    """More than one character, and not two or three digits side by side, which mean "some", unless a zero is among them."""
    is_counted = any(letter in "十百千万萬亿億" for letter in whole)
    least = 2 if is_counted else 3 if any(letter in "零〇幺" for letter in whole) else 4
    return len(whole) >= least and whole[0] not in "百千万萬亿億"


def _is_fraction(run: re.Match[str], text: str) -> bool:
    """Not the time of the day, nor 一点一点."""
    is_version = text[: run.start()].rstrip().endswith(("版本", "版", "version", "Version"))
    is_time = "十" in run["parts"] or run["after"] == "刻" or (run["after"] == "分" and run["parts"][1] in "零〇")
    return (is_version or not is_time) and run["after"] not in ("点", "點")


def _han(digits: str) -> str | None:
    plain = digits.translate(str.maketrans("幺兩萬億", "一两万亿"))
    if all(letter in _HAN_DIGITS for letter in plain):
        return "".join(str("零一二三四五六七八九".find(letter.translate(str.maketrans("〇两", "零二")))) for letter in plain)
    tail = plain[-1] if plain[-1] in "万亿" else ""  # 三万 stays 3万: 30000 is hard to read
    try:
        return f"{cn2an.cn2an(plain.removesuffix(tail) or plain, 'smart')}{tail}"
    except (ValueError, KeyError):  # the latter for what it does not foresee, such as 零十三
        return None
