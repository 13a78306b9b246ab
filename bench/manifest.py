"""Clips to measure on: JSON lines with file, text, language and, where known, words [[word, start_s, end_s], ...].

Technical ones have `terms`, which are to be written exactly so, and may have `sounds_like` and `condition` (clean, snr12, ...).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

DATA = Path(__file__).parent.parent / "data"


@dataclass(frozen=True, slots=True)
class Clip:
    """One recording; `text` is empty where nothing is said."""

    name: str
    path: Path
    text: str
    language: str
    style: str
    seconds: float
    words: tuple[tuple[str, float, float], ...] = ()
    terms: tuple[str, ...] = ()
    sounds_like: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    condition: str = "clean"

    @property
    def code(self) -> str:
        """The language that a recogniser is told; of mixed speech the one that frames it."""
        return self.language.split("-")[0]


def clips(manifest: Path | None, *, language: str = "", max_seconds: float = 1e9, limit: int = 10**9) -> list[Clip]:
    """The clips of a manifest, or the bundled talk."""
    found = _read(manifest) if manifest else [_talk()]
    return [c for c in found if c.seconds <= max_seconds and (not language or c.language == language)][:limit]


def _talk() -> Clip:
    from server.media import duration_s

    path = DATA / "talk.flac"
    return Clip("talk", path, (DATA / "talk.txt").read_text().strip(), "en", "synthetic", duration_s(path) or 0.0)


def _read(manifest: Path) -> list[Clip]:
    rows = (json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines() if line.strip())
    return [
        Clip(
            row.get("id") or row["file"],
            manifest.parent / row["file"],
            row.get("text") or "",
            row.get("language") or "en",
            row.get("style", ""),
            row["seconds"],
            tuple((w, s, e) for w, s, e in row.get("words") or ()),
            tuple(row.get("terms") or ()),
            {term: tuple(said) for term, said in (row.get("sounds_like") or {}).items()},
            row.get("condition") or "clean",
        )
        for row in rows
    ]
