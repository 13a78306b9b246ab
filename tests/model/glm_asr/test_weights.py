from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from bench.checkpoint import write
from model.checkpoint import BadCheckpoint
from model.glm_asr.configuration import GlmAsrConfig
from model.glm_asr.model import GlmAsr
from model.glm_asr.offline import Offline
from model.glm_asr.weights import canonical, open_weights
from tests.model.glm_asr.conftest import CPU, sound

Tensors = dict[str, torch.Tensor]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return write(tmp_path / "glm")


def rewrite(directory: Path, change: Callable[[Tensors], Tensors]) -> Path:
    path = directory / "model.safetensors"
    save_file(change(load_file(path)), path, {"format": "pt"})
    return directory


def published(name: str) -> str:
    """As on disk before transformers 5."""
    name = name.removeprefix("model.")
    if name.startswith("language_model."):
        return name.replace("language_model.", "language_model.model.", 1)
    return name.replace("lm_head.", "language_model.lm_head.", 1)


def test_both_layouts_are_the_same_model(directory: Path, glm: GlmAsr):
    rewrite(directory, lambda tensors: {published(name): t for name, t in tensors.items()})
    names = set(load_file(directory / "model.safetensors"))
    assert "language_model.lm_head.weight" in names and "language_model.model.norm.weight" in names
    clip = sound(1.0)
    assert Offline(GlmAsr(directory, CPU, torch.float32)).generate([clip], 8) == Offline(glm).generate([clip], 8)


def test_several_files(directory: Path, glm: GlmAsr):
    tensors, places = load_file(directory / "model.safetensors"), {}
    for i, name in enumerate(sorted(tensors)):
        places[name] = f"model-{i % 3}.safetensors"
    for file in sorted(set(places.values())):
        save_file({n: t for n, t in tensors.items() if places[n] == file}, directory / file, {"format": "pt"})
    (directory / "model.safetensors").unlink()
    (directory / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    clip = sound(1.0)
    assert Offline(GlmAsr(directory, CPU, torch.float32)).generate([clip], 8) == Offline(glm).generate([clip], 8)


def test_what_is_left_over_from_whisper_is_ignored(directory: Path):
    rewrite(directory, lambda t: t | {"model.audio_tower.embed_positions.weight": torch.zeros(1500, 64)})
    open_weights(directory, GlmAsrConfig.load(directory))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: {n: x for n, x in t.items() if "fc1.bias" not in n or "layers.1" not in n}, r"missing: audio_tower\.layers\.1"),
        (lambda t: t | {"model.audio_tower.extra": torch.zeros(1)}, r"surplus: audio_tower\.extra"),
        (
            lambda t: t | {"model.language_model.norm.weight": torch.zeros(3)},
            r"misshaped: .*\(3,\), expected \(64,\)",
        ),
        (lambda t: t | {"language_model.model.norm.weight": torch.zeros(64)}, "are the same parameter"),
        (lambda t: {n: x for n, x in t.items() if n != "lm_head.weight"}, r"missing: lm_head\.weight"),
        (lambda t: t | {"audio_encoder.whisper.conv1.weight": torch.zeros(1)}, "interleaved"),
        (lambda t: t | {"audio_tower.layers.0.self_attn.out_proj.weight": torch.zeros(1)}, "interleaved"),
        (lambda t: t | {"audio_tower.layer_norm.weight": torch.zeros(1)}, "interleaved"),
    ],
)
def test_what_does_not_fit_is_named(directory: Path, change, message: str):
    rewrite(directory, change)
    with pytest.raises(BadCheckpoint, match=message):
        open_weights(directory, GlmAsrConfig.load(directory))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("model.audio_tower.conv1.weight", "audio_tower.conv1.weight"),
        ("language_model.model.layers.3.mlp.up_proj.weight", "language_model.layers.3.mlp.up_proj.weight"),
        ("model.language_model.norm.weight", "language_model.norm.weight"),
        ("language_model.lm_head.weight", "lm_head.weight"),
        ("lm_head.weight", "lm_head.weight"),
        ("multi_modal_projector.linear_1.bias", "multi_modal_projector.linear_1.bias"),
    ],
)
def test_names(name: str, expected: str):
    assert canonical(name) == expected


_LOAD = """
import resource, sys, torch
from pathlib import Path
from model.glm_asr.model import GlmAsr
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
model = GlmAsr(Path(sys.argv[1]), torch.device("cpu"), torch.bfloat16)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


def test_loading_takes_little_more_memory_than_the_checkpoint(tmp_path: Path):
    """In its own dtype, 300 MB: the peak of a fresh process stays under 1.2 times that."""
    from dataclasses import replace

    from bench.checkpoint import TINY

    audio = replace(TINY.audio, hidden_size=512, intermediate_size=2048, num_hidden_layers=12)
    text = replace(TINY.text, hidden_size=512, intermediate_size=1536, num_hidden_layers=12, head_dim=128)
    directory = write(tmp_path / "larger", replace(TINY, audio=audio, text=text), dtype=torch.bfloat16)
    size = (directory / "model.safetensors").stat().st_size
    run = subprocess.run([sys.executable, "-c", _LOAD, str(directory)], capture_output=True, text=True, check=True)
    assert size > 200_000_000 and int(run.stdout) < 1.2 * size
