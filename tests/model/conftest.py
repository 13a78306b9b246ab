from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from model.registry import resolve
from model.whisper.recogniser import WhisperRecogniser
from tests.model import tiny


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


@pytest.fixture(scope="session")
def embedded_directory() -> Path:
    return resolve("whisper-base")


@pytest.fixture(scope="session")
def recogniser(embedded_directory: Path) -> WhisperRecogniser:
    """The embedded model as it is served."""
    return WhisperRecogniser(embedded_directory)


@pytest.fixture(scope="session")
def tiny_directory(tmp_path_factory: pytest.TempPathFactory, embedded_directory: Path) -> Path:
    return tiny.write(tmp_path_factory.mktemp("tiny"), embedded_directory / "tokenizer.json")


@pytest.fixture(scope="session")
def small(tiny_directory: Path) -> tiny.Tiny:
    with torch.inference_mode():
        return tiny.Tiny(tiny_directory)


@pytest.fixture(scope="session")
def small_reference(tiny_directory: Path):
    return tiny.reference(tiny_directory)
