"""Strong language, masked: the first letter stays."""

from __future__ import annotations

import re

from streaming.text.edits import Edit

# the words that broadcasters mask, with their usual endings; mild ones, and those that are words otherwise, are not among them
_STEMS = (
    r"(?:mother)?fuck(?:s|ed|er|ers|ing|in|face|wit|wits|up)?",
    r"(?:bull|horse|dip|bat)?shit(?:s|ty|ting|ted|head|heads|hole|holes|show)?",
    r"cunt(?:s|ish)?",
    r"bitch(?:es|y|ing|ed)?",
    r"(?:ass|arse)holes?",
    r"bastards?",
    r"(?:cock|dick)(?:suckers?|heads?)",
    r"wank(?:s|er|ers|ing)?",
    r"twats?",
    r"bollocks",
    r"whores?",
    r"sluts?",
    r"pricks?",
    r"nigg(?:er|ers|a|as)",
    r"fagg?ots?",
    r"retard(?:s|ed)?",
)
_LATIN = re.compile(rf"(?<![A-Za-z])(?:{'|'.join(_STEMS)})(?![A-Za-z])", re.IGNORECASE)
_CHINESE_WORDS = "他妈的 他媽的 你妈的 你媽的 操你妈 操你媽 傻逼 傻屄 妈逼 媽逼 狗娘养的 狗娘養的 王八蛋 婊子".split()
_CHINESE = re.compile("|".join(_CHINESE_WORDS))
_BEGINNINGS = tuple(word[:size] for word in _CHINESE_WORDS for size in range(len(word) - 1, 0, -1))


class Profanity:
    """A rule (see edits.py)."""

    withholds = True

    def edits(self, text: str, before: str) -> list[Edit]:
        """Letters behind the first become stars."""
        found = [*_LATIN.finditer(text), *_CHINESE.finditer(text)]
        return sorted(Edit(each.start() + 1, each.end(), "*" * (len(each.group()) - 1)) for each in found)

    def settled(self, text: str) -> int:
        """All but what may yet become such a word."""
        return len(text) - max((len(each) for each in _BEGINNINGS if text.endswith(each)), default=0)
