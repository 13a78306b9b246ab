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
_CHINESE = re.compile(rf"(?P<before>^|[^{HAN}])(?P<said>[嗯呃唔]+|额+(?=[,，、.。…]))[,，、.。…]*")
_END = re.compile(r"\S*\s*$")


class Fillers:
    """A rule (see edits.py)."""

    withholds = False

    def edits(self, text: str, before: str) -> list[Edit]:
        """Deletions; a word that now begins the sentence gets its capital."""
        found = [self._english(match) for match in _SPOKEN.finditer(text)]
        found += [Edit(match.start("said"), match.end(), "") for match in _CHINESE.finditer(text)]
        return sorted(found)

    @staticmethod
    def _english(match: re.Match[str]) -> Edit:
        following = match["next"] or ""
        following = following.upper() if match["said"][0].isupper() else following
        return Edit(match.start("gap"), match.end(), following)

    def settled(self, text: str) -> int:
        """All but the last word: it may go on, or lend its capital to the next one."""
        found = _END.search(text)
        return found.start() if found else len(text)
