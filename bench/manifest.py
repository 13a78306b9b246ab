"""Clips to measure on: JSON lines with file, text, language and, where known, words [[word, start_s, end_s], ...]."""

from __future__ import annotations

import json
from dataclasses import dataclass
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


def clips(manifest: Path | None, *, language: str = "", max_seconds: float = 1e9, limit: int = 10**9) -> list[Clip]:
    """The clips of a manifest, or the bundled talk."""
    found = _read(manifest) if manifest else [_talk()]
    return [c for c in found if c.seconds <= max_seconds and (not language or c.language == language)][:limit]


def _talk() -> Clip:
    from server.audiofile import duration_s

    path = DATA / "talk.flac"
    return Clip("talk", path, (DATA / "talk.txt").read_text().strip(), "en", "synthetic", duration_s(path))


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
        )
        for row in rows
    ]
