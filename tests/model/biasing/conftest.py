"""Both engines of Whisper with real weights, and something said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from model.batch_options import BatchOptions
from model.interfaces import Recogniser, Samples
from model.whisper.batch_recogniser import WhisperBatchRecogniser
from tests.sounds import clip


@pytest.fixture(scope="module", params=["cpu", "batch"])
def engine(request: pytest.FixtureRequest, recogniser: Recogniser, embedded_directory: Path) -> Recogniser:
    return recogniser if request.param == "cpu" else WhisperBatchRecogniser(embedded_directory, BatchOptions(capacity=4))


@pytest.fixture(scope="module")
def fox() -> Samples:
    sound, _ = soundfile.read(clip("en", "quick_brown_fox")[0], dtype="float32")
    return np.concatenate([sound, np.zeros(8_000, np.float32)])
