"""Reading safetensors strictly: nothing missing, nothing left over, every shape as expected."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from model.whisper.configuration import BadCheckpoint

_ONE, _INDEX = "model.safetensors", "model.safetensors.index.json"


def read_tensors(directory: Path) -> dict[str, Tensor]:
    """Every tensor of a directory, memory-mapped, from one file or several. Raises BadCheckpoint."""
    tensors: dict[str, Tensor] = {}
    for path in _files(directory):
        try:
            with safe_open(path, framework="pt") as file:
                tensors.update((name, file.get_tensor(name)) for name in file.keys())  # noqa: SIM118 (not a dict)
        except Exception as error:
            raise BadCheckpoint(f"{path} cannot be read as safetensors: {error}") from error
    return tensors


def _files(directory: Path) -> list[Path]:
    if (directory / _INDEX).exists():
        names = set(json.loads((directory / _INDEX).read_text())["weight_map"].values())
        return [directory / name for name in sorted(names)]
    if not (directory / _ONE).exists():
        raise BadCheckpoint(f"{directory} has no {_ONE}; expected weights as safetensors")
    return [directory / _ONE]


def check(tensors: Mapping[str, Tensor], expected: Mapping[str, tuple[int, ...]], where: Path) -> None:
    """Raises one BadCheckpoint that names every missing, surplus and misshaped tensor."""
    faults = [f"missing: {name}" for name in expected if name not in tensors]
    faults += [f"surplus: {name}" for name in tensors if name not in expected]
    faults += [
        f"misshaped: {name} is {tuple(tensors[name].shape)}, expected {shape}"
        for name, shape in expected.items()
        if name in tensors and tuple(tensors[name].shape) != shape
    ]
    if faults:
        raise BadCheckpoint(f"{where}: " + "; ".join(faults))


def in_float32(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies in float32, out of the mapped file."""
    return {name: tensor.to(torch.float32) for name, tensor in tensors.items()}
