"""From the name or directory of a model to a recogniser."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from model import embedded
from model.checkpoint import BadCheckpoint, read_json
from model.interfaces import Recogniser

if TYPE_CHECKING:  # importing torch takes seconds, which a wrong argument should not
    from model.batch_options import BatchOptions

_EMBEDDED = ("embedded", embedded.NAME)
_HUB = re.compile(r"openai/whisper-[\w.-]+|zai-org/GLM-ASR-[\w.-]+")
_FILES = ["*.json", "*.jinja", "model*.safetensors"]
_EXPECTED = (
    "expected 'embedded' (Whisper base), a model directory, or a hub name such as openai/whisper-small or zai-org/GLM-ASR-Nano-2512"
)


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


def load_recogniser(
    directory: Path, *, device: str = "cpu", precision: str = "auto", policy: str = "exact", threads: int = 0, capacity: int = 0
) -> Recogniser:
    """The recogniser for a directory's model family. Raises UnknownModel, BadCheckpoint.

    `threads` that share each batch on a CPU; 0 takes one for each core, at most 4. `capacity` in streams; 0 takes what fits.
    """
    from model.batch_options import BatchOptions
    from model.devices import UnknownPrecision, devices

    kind = _model_type(directory)
    if not isinstance(kind, str) or kind not in _FAMILIES:
        raise UnknownModel(f"{directory}: model_type is {kind!r}, expected one of {', '.join(_FAMILIES)}")
    if device not in (names := [d.name for d in devices()]):
        raise UnknownModel(f"device {device!r} is not there; expected one of {', '.join(names)}")
    if kind == "whisper" and device == "cpu" and precision in ("auto", "int8", "float32"):
        return _whisper_on_cpu(directory, precision, threads, capacity)
    options = BatchOptions(device=device, precision=precision, policy=policy, capacity=capacity)
    try:
        return _FAMILIES[kind](directory, options)
    except UnknownPrecision as error:
        raise UnknownModel(str(error)) from None


def _whisper_on_cpu(directory: Path, precision: str, threads: int, capacity: int) -> Recogniser:
    from model.whisper.recogniser import WhisperOptions, WhisperRecogniser

    arithmetic = "int8" if precision == "auto" else precision
    lanes = threads or min(4, len(os.sched_getaffinity(0)))
    options = WhisperOptions(arithmetic, arithmetic, arithmetic, lanes=lanes)
    return WhisperRecogniser(directory, replace(options, capacity=capacity) if capacity else options)


def _glm_asr(directory: Path, options: BatchOptions) -> Recogniser:
    from model.glm_asr.recogniser import GlmAsrRecogniser

    return GlmAsrRecogniser(directory, options)


def _whisper(directory: Path, options: BatchOptions) -> Recogniser:
    from model.whisper.batch_recogniser import WhisperBatchRecogniser

    return WhisperBatchRecogniser(directory, options)


_FAMILIES: dict[str, Callable[[Path, BatchOptions], Recogniser]] = {"whisper": _whisper, "glmasr": _glm_asr}


def _model_type(directory: Path) -> object:
    try:
        return read_json(directory / "config.json").get("model_type")
    except BadCheckpoint as error:
        raise UnknownModel(f"{directory} is not a model directory: {error}") from None
