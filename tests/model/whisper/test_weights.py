from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from model.checkpoint import BadCheckpoint
from model.whisper.configuration import WhisperConfig
from model.whisper.weights import expected_shapes, load_weights
from tests.model.tiny import write

FILE = "model.safetensors"


@pytest.fixture
def directory(tmp_path: Path, embedded_directory: Path) -> Path:
    return write(tmp_path / "model", embedded_directory / "tokenizer.json")


def load(directory: Path) -> dict[str, torch.Tensor]:
    return load_weights(directory, WhisperConfig.load(directory))


def rewrite(directory: Path, **changes: torch.Tensor | None) -> None:
    """The file with these tensors changed; None takes one out."""
    tensors = {**load_file(directory / FILE), **{k: v for k, v in changes.items() if v is not None}}
    save_file({k: v.clone() for k, v in tensors.items() if changes.get(k, v) is not None}, directory / FILE)


def test_all_that_transformers_saves_and_no_more(directory: Path, small_reference):
    expected = {k.removeprefix("model."): v for k, v in small_reference.state_dict().items() if k != "proj_out.weight"}
    found = load(directory)
    assert found.keys() == expected.keys() == expected_shapes(WhisperConfig.load(directory)).keys()
    for name, tensor in found.items():
        torch.testing.assert_close(tensor, expected[name], atol=0, rtol=0)


def test_a_tied_output_may_be_there(directory: Path):
    rewrite(directory, **{"proj_out.weight": load(directory)["decoder.embed_tokens.weight"]})
    assert "proj_out.weight" not in load(directory)


def test_an_output_of_its_own_is_refused(directory: Path):
    rewrite(directory, **{"proj_out.weight": torch.ones(51865, 64)})
    with pytest.raises(BadCheckpoint, match=r"proj_out\.weight differs from decoder\.embed_tokens\.weight"):
        load(directory)


@pytest.mark.parametrize("name", ["model.encoder.conv1.bias", "model.decoder.layers.1.fc2.weight"])
def test_a_missing_tensor_is_named(directory: Path, name: str):
    rewrite(directory, **{name: None})
    with pytest.raises(BadCheckpoint, match=f"missing: {name.removeprefix('model.')}"):
        load(directory)


def test_a_surplus_tensor_is_named(directory: Path):
    rewrite(directory, **{"model.decoder.layers.2.fc2.bias": torch.ones(64)})
    with pytest.raises(BadCheckpoint, match=r"surplus: decoder\.layers\.2\.fc2\.bias"):
        load(directory)


def test_a_misshaped_tensor_is_named_with_both_shapes(directory: Path):
    rewrite(directory, **{"model.encoder.layers.0.fc1.weight": torch.ones(64, 128)})
    with pytest.raises(BadCheckpoint, match=r"misshaped: encoder\.layers\.0\.fc1\.weight is \(64, 128\), expected \(128, 64\)"):
        load(directory)


def test_half_precision_is_widened(directory: Path):
    whole = load(directory)
    half = {k: v.half() for k, v in load_file(directory / FILE).items()}
    save_file(half, directory / FILE)
    found = load(directory)
    assert {t.dtype for t in found.values()} == {torch.float32}
    torch.testing.assert_close(found["encoder.conv1.weight"], whole["encoder.conv1.weight"], atol=1e-3, rtol=1e-3)
