from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoProcessor, GlmAsrForConditionalGeneration

from bench.checkpoint import write
from model.glm_asr.model import GlmAsr
from model.interfaces import Samples

CPU = torch.device("cpu")


@pytest.fixture(scope="session")
def glm_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete checkpoint, tiny, with random weights."""
    return write(tmp_path_factory.mktemp("glm") / "tiny-glm-asr")


@pytest.fixture(scope="session")
def glm(glm_directory: Path) -> GlmAsr:
    return GlmAsr(glm_directory, CPU, torch.float32)


@pytest.fixture(scope="session")
def glm_reference(glm_directory: Path) -> GlmAsrForConditionalGeneration:
    return GlmAsrForConditionalGeneration.from_pretrained(glm_directory, dtype=torch.float32).eval()


@pytest.fixture(scope="session")
def glm_processor(glm_directory: Path):
    return AutoProcessor.from_pretrained(glm_directory)


def sound(seconds: float, seed: int = 0) -> Samples:
    """Something that changes all the time: a gliding tone that comes and goes, and noise."""
    t = np.arange(round(seconds * 16_000)) / 16_000
    tone = 0.3 * np.sin(2 * np.pi * (200 + 30 * seed + 50 * np.sin(3 * t)) * t) * (np.sin(2 * np.pi * 1.3 * t) > 0)
    return (tone + np.random.default_rng(seed).standard_normal(len(t)) * 0.02).astype(np.float32)
