"""Without um and uh."""

from __future__ import annotations

import re

from streaming.text.edits import Edit
from streaming.text.spacing import HAN

# sounds of hesitation only: "mhm" and "uh-huh" are answers, "like" and 那个 are words
_ENGLISH = r"(?:u+h*m+|u+h+|e+r+m*|h+m+|m{2,}|a+h+m+)"
_SPOKEN = re.compile(
    rf"(?P<gap>^|\s+)(?P<said>{_ENGLISH})(?![\w'’-])(?P<mark>[,.…]*)(?:(?P<next>\s+\w)|(?=\s|$|[^\w\s]))", re.IGNORECASE
)
_MARKS = ",，、.。…"
_CHINESE = re.compile(rf"(?<![{HAN}])(?:[嗯呃唔]+|额+(?=[{_MARKS}]))[{_MARKS}]*")
_END = re.compile(rf"(?:[嗯呃唔额]|[^\s{HAN}])*\s*$")


class Fillers:
    """A rule (see edits.py)."""

    withholds = False

    def edits(self, text: str, before: str) -> list[Edit]:
        """Deletions; a word that now begins the sentence gets its capital."""
        at = len(before)
        found = [self._english(match, at) for match in _SPOKEN.finditer(before + text, at)]
        found += [Edit(match.start() - at, match.end() - at, "") for match in _CHINESE.finditer(before + text, at)]
        return sorted(found)

    @staticmethod
    def _english(match: re.Match[str], at: int) -> Edit:
        following = match["next"] or ""
        following = following.upper() if match["said"][0].isupper() else following
        return Edit(match.start("gap") - at, match.end() - at, following)

    def settled(self, text: str) -> int:
        """All but the last word: it may go on, or lend its capital to the next one."""
        found = _END.search(text)
        return found.start() if found else len(text)
