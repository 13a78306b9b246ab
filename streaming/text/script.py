"""Chinese in one script, whichever the recogniser writes; Latin is left alone. The tables are those of OpenCC."""

from __future__ import annotations

import re
from functools import lru_cache

from opencc import OpenCC

from streaming.text.edits import Edit
from streaming.text.spacing import HAN

SCRIPTS = {"simplified": "t2s", "traditional": "s2t"}
_LONGEST = 4  # characters that may decide together how one of them is written
_OPEN = re.compile(rf"[{HAN}]{{0,{_LONGEST - 1}}}$")
_RUN = re.compile(rf"[{HAN}]+")


@lru_cache(2)
def _converter(script: str) -> OpenCC:
    return OpenCC(SCRIPTS[script])


class Script:
    """A rule (see edits.py)."""

    withholds = False

    def __init__(self, script: str) -> None:
        self._converter = _converter(script)

    def edits(self, text: str, before: str) -> list[Edit]:
        """Character by character where lengths allow, so that words stay apart."""
        return [edit for run in _RUN.finditer(text) for edit in self._in_run(run.group(), run.start())]

    def _in_run(self, run: str, at: int) -> list[Edit]:
        written: str = self._converter.convert(run)
        if len(written) != len(run):
            return [Edit(at, at + len(run), written)]
        pairs = enumerate(zip(run, written, strict=True), at)
        return [Edit(place, place + 1, new) for place, (old, new) in pairs if old != new]

    def settled(self, text: str) -> int:
        """All but the last characters of Chinese that goes on."""
        found = _OPEN.search(text)
        return found.start() if found else len(text)
