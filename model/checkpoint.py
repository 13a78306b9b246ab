"""Reading safetensors strictly: nothing missing, nothing left over, every shape as expected."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import safe_open

if TYPE_CHECKING:  # importing torch takes seconds, which a wrong argument should not
    from torch import Tensor

_ONE, _INDEX = "model.safetensors", "model.safetensors.index.json"


class BadCheckpoint(ValueError):
    """A checkpoint that cannot be used; says which file or tensor, what was found and what was expected."""


def read_json(path: Path, *, required: bool = True) -> dict[str, Any]:
    """A JSON object; empty if the file may be missing and is. Raises BadCheckpoint."""
    if not path.exists() and not required:
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadCheckpoint(f"{path.parent} has no {path.name}; expected a Hugging Face style model directory") from None
    except ValueError as error:
        raise BadCheckpoint(f"{path} is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise BadCheckpoint(f"{path} holds {type(content).__name__}, expected a JSON object")
    return content


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
        return [directory / name for name in _indexed(directory / _INDEX)]
    if not (directory / _ONE).exists():
        raise BadCheckpoint(f"{directory} has no {_ONE}; expected weights as safetensors")
    return [directory / _ONE]


def _indexed(index: Path) -> list[str]:
    places = read_json(index).get("weight_map")
    if not isinstance(places, dict) or not all(isinstance(name, str) for name in places.values()):
        raise BadCheckpoint(f"{index}: weight_map is missing or odd, expected an object of tensor to file name")
    strange = sorted(name for name in places.values() if Path(name).name != name)
    if strange:
        raise BadCheckpoint(f"{index}: {strange[0]!r} lies outside the directory, expected plain file names")
    return sorted(set(places.values()))


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
    return {name: tensor.float() for name, tensor in tensors.items()}
