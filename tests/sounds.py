"""Recorded speech for the tests: the bundled talk by sentences, and the clips that come with pytest-audioeval."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import soundfile

DATA = Path(__file__).parent.parent / "data"
_PAUSE_S = 0.3  # the talk's sentences are parted by longer stretches of exact zeros


def opening(path: Path, *, sentences: int) -> tuple[Path, str]:
    """Write so many sentences of the talk, with the pause after the last; gives the file and the text."""
    sound, rate = soundfile.read(DATA / "talk.flac", dtype="int16")
    edges = np.flatnonzero(np.diff(np.concatenate([[0], sound == 0, [0]]).astype(np.int8)))
    ends = [end for start, end in zip(edges[::2], edges[1::2], strict=True) if end - start > _PAUSE_S * rate]
    soundfile.write(path, sound[: ends[sentences - 1]], rate)
    return path, " ".join((DATA / "talk.txt").read_text().replace(". ", ".\n").splitlines()[:sentences])


def clip(language: str, name: str) -> tuple[Path, str]:
    """A clip of pytest-audioeval and its reference text."""
    spec = find_spec("pytest_audioeval")
    assert spec is not None and spec.submodule_search_locations, "pytest-audioeval is missing: make setup installs it"
    folder = Path(spec.submodule_search_locations[0]) / "samples" / "audio" / language
    return folder / f"{name}.wav", (folder / f"{name}.txt").read_text(encoding="utf-8")
