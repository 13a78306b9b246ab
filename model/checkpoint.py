"""Reading safetensors strictly: nothing missing, nothing left over, every shape as expected."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import safe_open

if TYPE_CHECKING:  # importing torch takes seconds, which a wrong argument should not
    import torch
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


class Checkpoint:
    """Tensors of a directory under other names; mapped while they are copied out, so that no second copy stays in memory."""

    def __init__(self, directory: Path, rename: Callable[[str], str] = str, ignored: Iterable[str] = ()) -> None:
        """Reads names and shapes only. Raises BadCheckpoint."""
        self.directory, self.shapes = directory, dict[str, tuple[int, ...]]()
        self._places: dict[str, tuple[Path, str]] = {}
        for path, original, shape in _listed(directory):
            name = rename(original)
            if name in self._places:
                raise BadCheckpoint(f"{path}: {original} and {self._places[name][1]} are the same parameter {name}")
            if name not in ignored:
                self._places[name], self.shapes[name] = (path, original), shape

    def check(self, expected: Mapping[str, tuple[int, ...]]) -> None:
        """Raises one BadCheckpoint that names every missing, surplus and misshaped tensor."""
        check_shapes(self.shapes, expected, self.directory)

    def under(self, name: str) -> list[str]:
        """Names of the tensors of a part, such as a layer."""
        return [n for n in self.shapes if n.startswith(f"{name}.")]

    def read(self, names: Iterable[str], device: torch.device, dtype: torch.dtype) -> dict[str, Tensor]:
        """Copies on a device in a dtype. The file is let go of afterwards, and with it the pages that were read."""
        found: dict[str, Tensor] = {}
        by_file: dict[Path, list[str]] = {}
        for name in names:
            by_file.setdefault(self._places[name][0], []).append(name)
        for path, wanted in by_file.items():
            with safe_open(path, framework="pt") as file:
                found.update((n, file.get_tensor(self._places[n][1]).to(device, dtype, copy=True)) for n in wanted)
        return found


def _listed(directory: Path) -> Iterable[tuple[Path, str, tuple[int, ...]]]:
    for path in _files(directory):
        try:
            with safe_open(path, framework="pt") as file:
                listed = [(path, name, tuple(file.get_slice(name).get_shape())) for name in file.keys()]  # noqa: SIM118
        except Exception as error:
            raise BadCheckpoint(f"{path} cannot be read as safetensors: {error}") from error
        yield from listed


def check(tensors: Mapping[str, Tensor], expected: Mapping[str, tuple[int, ...]], where: Path) -> None:
    """Raises one BadCheckpoint that names every missing, surplus and misshaped tensor."""
    check_shapes({name: tuple(tensor.shape) for name, tensor in tensors.items()}, expected, where)


def check_shapes(found: Mapping[str, tuple[int, ...]], expected: Mapping[str, tuple[int, ...]], where: Path) -> None:
    """The same for shapes."""
    faults = [f"missing: {name}" for name in expected if name not in found]
    faults += [f"surplus: {name}" for name in found if name not in expected]
    faults += [
        f"misshaped: {name} is {found[name]}, expected {shape}"
        for name, shape in expected.items()
        if name in found and found[name] != shape
    ]
    if faults:
        raise BadCheckpoint(f"{where}: " + "; ".join(faults))


def in_float32(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies in float32, out of the mapped file."""
    return {name: tensor.float() for name, tensor in tensors.items()}
