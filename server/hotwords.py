"""Lists of hotwords that the server has for its sessions: ready-made ones by name, and a file of its own for all of them.

A list is text, one phrase a line: `NCCL | nickel | N C C L` is a phrase and what recognisers write when it is said;
`weight=2` among these sets its weight; lines that begin with # are comments.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

from model.interfaces import Hotword
from server import logs
from server.config import BadSetting
from streaming.biasing import HotwordList, checked, normalised
from streaming.errors import LimitExceeded
from streaming.spelling import spelling_of

READY_MADE = Path(__file__).parent / "hotword_lists"
MOST_SHARED = 20_000  # phrases of one list
_WATCH_S = 2.0


class HotwordLists:
    """What sessions get; the file is read again when it changes, and stays as it was if it then has a fault."""

    def __init__(
        self, file: Path | None = None, names: Sequence[str] = (), prepare: Callable[[HotwordList], object] = lambda hotwords: None
    ) -> None:
        """`prepare` is called with each list before a session gets it. Raises BadSetting."""
        self._file, self._names, self._prepare = file, tuple(names), prepare
        for name in names:
            if name not in ready_made():
                raise BadSetting(f"hotword_lists has {name!r}, expected some of {', '.join(ready_made())}")
        self._stamp = _stamp(file)
        self._own: HotwordList = read(file) if file else ()
        for hotwords in self(()):
            self._ready(hotwords)

    def __call__(self, names: Sequence[str]) -> tuple[HotwordList, ...]:
        """The lists of a session that names these, as they are now. Raises LimitExceeded."""
        for name in names:
            if name not in ready_made():
                expected = f"some of {', '.join(ready_made())}"
                raise LimitExceeded(f"hotword_lists has {name!r}, expected {expected}", field="hotword_lists", code="invalid_value")
        own = (self._own,) if self._own else ()
        return own + tuple(ready_made_list(name) for name in dict.fromkeys((*self._names, *names)))

    async def watch(self) -> None:
        """See to changes of the file, for ever."""
        while self._file:
            await asyncio.sleep(_WATCH_S)
            await asyncio.to_thread(self._refresh, self._file)

    def _refresh(self, file: Path) -> None:
        stamp = _stamp(file)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._own = self._ready(read(file))
            logs.info("hotwords read again", file=file.name, phrases=len(self._own))
        except BadSetting as error:
            logs.warning("hotwords kept as they were", reason=str(error))

    def _ready(self, hotwords: HotwordList) -> HotwordList:
        """What takes long is made of it here, and not when somebody speaks."""
        spelling_of(hotwords)
        self._prepare(hotwords)
        return hotwords


def _stamp(file: Path | None) -> tuple[int, int] | None:
    try:
        return (file.stat().st_mtime_ns, file.stat().st_size) if file else None
    except OSError:
        return None


@lru_cache(1)
def ready_made() -> tuple[str, ...]:
    """Their names."""
    return tuple(sorted(path.stem for path in READY_MADE.glob("*.txt")))


@lru_cache(64)
def ready_made_list(name: str) -> HotwordList:
    """Always the same object, as what is made of it is kept."""
    return read(READY_MADE / f"{name}.txt")


def read(file: Path) -> HotwordList:
    """A list. Raises BadSetting, which names the line."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadSetting(f"hotwords file {file} cannot be read: {error}") from None
    words = list[Hotword]()
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.startswith("#"):
            try:
                words.append(checked(_parsed(line)))
            except (LimitExceeded, ValueError) as error:
                raise BadSetting(f"hotwords file {file}, line {number}: {error}") from None
    try:
        return normalised(words, MOST_SHARED)
    except LimitExceeded as error:
        raise BadSetting(f"hotwords file {file}: {error}") from None


def _parsed(line: str) -> Hotword:
    text, *rest = (field.strip() for field in line.split(" | "))
    weights = [field.removeprefix("weight=") for field in rest if field.startswith("weight=")]
    try:
        weight = float(weights[-1]) if weights else 1.0
    except ValueError:
        raise ValueError(f"weight is {weights[-1]!r}, expected a number") from None
    return Hotword(text, weight, tuple(field for field in rest if not field.startswith("weight=")))
