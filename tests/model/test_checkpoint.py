"""Strict reading of safetensors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from model.checkpoint import BadCheckpoint, check, in_float32, read_tensors

TENSORS = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.ones(4, dtype=torch.float16)}


def test_one_file(tmp_path: Path):
    save_file(TENSORS, tmp_path / "model.safetensors")
    found = read_tensors(tmp_path)
    assert found.keys() == TENSORS.keys() and torch.equal(found["a"], TENSORS["a"]) and found["b"].dtype == torch.float16


def test_several_files_by_their_index(tmp_path: Path):
    for i, name in enumerate(TENSORS, 1):
        save_file({name: TENSORS[name]}, tmp_path / f"model-{i}.safetensors")
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert read_tensors(tmp_path).keys() == TENSORS.keys()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("no json", "not JSON"),
        ("[]", "list, expected a JSON object"),
        ("{}", "weight_map is missing"),
        ('{"weight_map": {"a": "model-9.safetensors"}}', "model-9.safetensors cannot be read"),
        ('{"weight_map": {"a": "../model.safetensors"}}', "outside"),
    ],
)
def test_an_index_that_cannot_be_followed_is_refused(tmp_path: Path, content: str, message: str):
    (tmp_path / "model.safetensors.index.json").write_text(content)
    with pytest.raises(BadCheckpoint, match=message):
        read_tensors(tmp_path)


def test_no_weights_at_all(tmp_path: Path):
    with pytest.raises(BadCheckpoint, match=r"has no model\.safetensors"):
        read_tensors(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not safetensors", b"\xff" * 64])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes):
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(BadCheckpoint, match=r"model\.safetensors cannot be read as safetensors"):
        read_tensors(tmp_path)


def test_every_fault_is_named_at_once():
    with pytest.raises(BadCheckpoint) as caught:
        check(TENSORS, {"a": (3, 2), "c": (1,)}, Path("there"))
    message = str(caught.value)
    assert "there" in message and "missing: c" in message and "surplus: b" in message
    assert "misshaped: a is (2, 3), expected (3, 2)" in message
    check(TENSORS, {"a": (2, 3), "b": (4,)}, Path("there"))


def test_float32_copies():
    copies = in_float32(TENSORS)
    assert {t.dtype for t in copies.values()} == {torch.float32}
