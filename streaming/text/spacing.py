"""A space between Chinese and Latin, as typographic convention has it; none beside marks that bring their own room."""

from __future__ import annotations

import re

from streaming.text.edits import Edit

HAN = "\u3400-\u4dbf\u4e00-\u9fff"
KANA = "\u3040-\u30ff"  # Japanese sets no spaces there
_LATIN = r"A-Za-z\u00c0-\u024f"
# letters, digits and marks within them, with a letter among them
_RUN = re.compile(rf"(?=[\d.+#/_:=-]*[{_LATIN}])[{_LATIN}\d](?:[{_LATIN}\d.,+#/_:=@-]*[{_LATIN}\d+#%])?")
_IS_HAN = re.compile(rf"[{HAN}]")


class Spacing:
    """A rule (see edits.py)."""

    withholds = False

    def edits(self, text: str, before: str) -> list[Edit]:
        """Insertions."""
        joined = before + text
        if re.search(rf"[{KANA}]", joined):
            return []
        places = [place - len(before) for run in _RUN.finditer(joined) for place in self._places(joined, *run.span())]
        return [Edit(place, place, " ") for place in places if place >= 0]

    @staticmethod
    def _places(text: str, start: int, end: int) -> list[int]:
        return [
            *([start] if start and _IS_HAN.match(text, start - 1) else []),
            *([end] if _IS_HAN.match(text, end) else []),
        ]

    def settled(self, text: str) -> int:
        """All of it: what follows brings its own space."""
        return len(text)
