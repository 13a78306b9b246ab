"""CUDA graphs: a fixed sequence of kernels that is launched as one, for steps too small to hide the launches."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

Function: TypeAlias = Callable[..., tuple[Tensor, ...]]

_REHEARSALS = 2


@dataclass(frozen=True, slots=True)
class _Captured:
    graph: torch.cuda.CUDAGraph
    staging: list[Tensor | None]  # pinned, on the host; none for what is on the device
    arguments: list[Tensor]
    results: tuple[Tensor, ...]


class Graphs:
    """Functions of tensors of fixed shapes; one that is not captured runs as it is."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._captured: dict[Hashable, _Captured] = {}
        self._pool = torch.cuda.graph_pool_handle() if device.type == "cuda" else None

    def has(self, key: Hashable) -> bool:
        """It was captured."""
        return key in self._captured

    def __call__(self, key: Hashable, function: Function, *arguments: Tensor) -> tuple[Tensor, ...]:
        """What the function gives for these arguments, wherever they are; the tensors of a graph hold until its next run."""
        captured = self._captured.get(key)
        if captured is None:
            return function(*(a.to(self._device, non_blocking=True) for a in arguments))
        for staging, target, given in zip(captured.staging, captured.arguments, arguments, strict=True):
            target.copy_(given if staging is None else staging.copy_(given), non_blocking=True)
        captured.graph.replay()
        return captured.results

    def capture(self, key: Hashable, function: Function, examples: Sequence[Tensor]) -> None:
        """Record a function for arguments of these shapes. Raises RuntimeError where it cannot be recorded."""
        if self._pool is None:
            raise RuntimeError(f"{self._device} has no graphs")
        with torch.cuda.device(self._device):
            self._captured[key] = self._recorded(function, examples)

    def _recorded(self, function: Function, examples: Sequence[Tensor]) -> _Captured:
        arguments = [e.to(self._device) for e in examples]
        staging = [None if e.is_cuda else e.pin_memory() for e in examples]
        side = torch.cuda.Stream(self._device)
        side.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(side):
            for _ in range(_REHEARSALS):
                function(*arguments)
        torch.cuda.current_stream(self._device).wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            results = function(*arguments)
        return _Captured(graph, staging, arguments, results)
