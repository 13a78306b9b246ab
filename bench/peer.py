"""faster-whisper on the same weights: whole clips, as its users run it. Needs the extra `bench`."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

from bench.manifest import Clip
from model.embedded import PACKAGES


@contextmanager
def faster_whisper(threads: int = 1) -> Iterator[Any]:
    """Its model, from the packages of the embedded default. Raises SystemExit if it is not installed."""
    try:
        from faster_whisper import WhisperModel
    except ImportError:
        raise SystemExit("--peer needs faster-whisper: pip install --constraint constraints.txt '.[bench]'") from None
    with tempfile.TemporaryDirectory() as folder:
        _assemble(Path(folder))
        yield WhisperModel(folder, device="cpu", compute_type="int8", cpu_threads=threads)


def _assemble(folder: Path) -> None:
    first, second = (resources.files(package) / "data" for package in PACKAGES)
    with (folder / "model.bin").open("wb") as whole:
        for part in (first / "model.bin.part1", second / "model.bin.part2"):
            with part.open("rb") as file:
                shutil.copyfileobj(file, whole)
    for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
        (folder / name).write_bytes((first / name).read_bytes())


def text(model: Any, clip: Clip, phrases: Sequence[str]) -> str:
    """What it writes; the phrases go to its `hotwords`, which takes one text."""
    segments, _ = model.transcribe(str(clip.path), language=clip.code, beam_size=5, hotwords=", ".join(phrases) or None)
    return "".join(segment.text for segment in segments)
