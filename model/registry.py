"""From the name or directory of a model to a recogniser."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from model import embedded
from model.checkpoint import BadCheckpoint, read_json
from model.interfaces import Recogniser

_EMBEDDED = ("embedded", embedded.NAME)
_HUB = re.compile(r"openai/whisper-[\w.-]+")
_FILES = ["*.json", "model*.safetensors"]
_EXPECTED = "expected 'embedded' (Whisper base), a model directory, or a hub name such as openai/whisper-small"


class UnknownModel(ValueError):
    """No such model; the message names the value and what is expected."""


def resolve(name: str, *, cache: Path | None = None, progress: embedded.Progress | None = None) -> Path:
    """The directory of a model. Raises UnknownModel, EmbeddedModelError."""
    if name in _EMBEDDED:
        return embedded.prepare(cache, progress)
    if name and Path(name).expanduser().is_dir():
        return Path(name).expanduser()
    if _HUB.fullmatch(name):
        return _from_hub(name)
    raise UnknownModel(f"model {name!r} is not known: {_EXPECTED}")


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=_FILES))
    except Exception as error:
        raise UnknownModel(f"model {name!r} could not be fetched from its hub ({type(error).__name__}); {_EXPECTED}") from error


def load_recogniser(directory: Path, *, device: str = "cpu", threads: int = 0, **options: Any) -> Recogniser:
    """The recogniser for a directory's model family. Raises UnknownModel, BadCheckpoint.

    `threads` that share each batch; 0 takes one for each core, at most 4.
    """
    kind = _model_type(directory)
    if kind != "whisper":
        raise UnknownModel(f"{directory}: model_type is {kind!r}, expected 'whisper'")
    if device != "cpu":
        raise UnknownModel(f"device {device!r}: this model runs on 'cpu' so far")
    from model.whisper.recogniser import WhisperOptions, WhisperRecogniser

    lanes = threads or min(4, len(os.sched_getaffinity(0)))
    return WhisperRecogniser(directory, WhisperOptions(lanes=lanes, **options))


def _model_type(directory: Path) -> object:
    try:
        return read_json(directory / "config.json").get("model_type")
    except BadCheckpoint as error:
        raise UnknownModel(f"{directory} is not a model directory: {error}") from None
