"""What there is to compute on."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Device:
    """`name` is what --device takes."""

    name: str
    description: str
    memory_bytes: int


def devices() -> list[Device]:
    """The CPU, and every GPU that torch can use."""
    found = [Device("cpu", f"{os.cpu_count()} cores, {torch.backends.cpu.get_cpu_capability()}", _host_memory())]
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        found.append(Device(f"cuda:{index}", properties.name, properties.total_memory))
    return found


def on(device: torch.device) -> AbstractContextManager[object]:
    """Make it the one that calls without a device mean."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


def put(numbers: NDArray[Any], device: torch.device) -> Tensor:
    """A copy on the device; on the way to a GPU through pinned memory, so that nothing waits for it."""
    tensor = torch.from_numpy(np.ascontiguousarray(numbers))
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.clone()


class UnknownPrecision(ValueError):
    """Says which, and what is expected."""


def dtype_for(device: torch.device, precision: str) -> torch.dtype:
    """What a model computes in; "auto" is bfloat16 on a GPU and float32 on a CPU. Raises UnknownPrecision."""
    found = {"auto": torch.bfloat16 if device.type == "cuda" else torch.float32} | _DTYPES
    if precision not in found:
        raise UnknownPrecision(f"precision is {precision!r}, expected one of {', '.join(found)} for this model")
    return found[precision]


_DTYPES = {"bfloat16": torch.bfloat16, "float32": torch.float32}


def _host_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
