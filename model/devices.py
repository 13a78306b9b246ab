"""What there is to compute on."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch


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


def _host_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
