"""Linear layers and norms over packed rows: floating point, or int8 weights with each row of activations quantised by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, TypeAlias

import torch
from torch import Tensor

Linear: TypeAlias = Callable[[Tensor], Tensor]  # [N, in] -> [N, out]
Weights: TypeAlias = Mapping[str, Tensor]

_TINY = 1e-12
_LEVELS = 127  # of a weight's magnitude
_FEWER_LEVELS = 95  # where pairs of products saturate: still fewer are coarser, more saturate more often


class FloatLinear:
    """y = x Wᵀ + b."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self.weight, self.bias = weight.contiguous(), bias

    def __call__(self, x: Tensor) -> Tensor:
        """float32[N, in] -> float32[N, out]."""
        return torch.nn.functional.linear(x, self.weight, self.bias)


class Int8Linear:
    """Int8 weights with a scale per output; activations are quantised inside torch's packed kernel.

    The kernel takes one scale for the whole batch, which would make a row's result depend on the rows beside it. So each row
    is first brought to the range [-1, 1], and a row that holds both ends of that range goes along to pin the scale.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self._packed = _packed(weight, _FEWER_LEVELS if _saturates() else _LEVELS)
        self._pin = torch.zeros(1, weight.shape[1])
        self._pin[0, 0], self._pin[0, 1] = 1.0, -1.0
        self.bias = bias

    def __call__(self, x: Tensor) -> Tensor:
        """float32[N, in] -> float32[N, out]."""
        scale = _downward(x) if _saturates() else x.abs().amax(1, keepdim=True).clamp_min_(_TINY)
        y: Tensor = torch.ops.quantized.linear_dynamic(torch.cat([x / scale, self._pin]), self._packed)[:-1]
        y.mul_(scale)
        return y if self.bias is None else y.add_(self.bias)


def _downward(x: Tensor) -> Tensor:
    """Each row's largest magnitude, negative if that is above zero: divided by it the row reaches -1, which is 0 to the kernel."""
    low, high = torch.aminmax(x, dim=1, keepdim=True)
    return torch.where(high > -low, -high, (-low).clamp_min_(_TINY))


def _packed(weight: Tensor, levels: int) -> Any:
    scale = weight.abs().amax(1).clamp_min(_TINY) / levels
    zeros = torch.zeros(len(scale), dtype=torch.long)
    quantised = torch.quantize_per_channel(weight, scale.double(), zeros, 0, torch.qint8)
    return torch.ops.quantized.linear_prepack(quantised, None)


@cache
def _saturates() -> bool:
    """Without VNNI the kernel adds products in pairs, in 16 bits, which two of the greatest do not fit (docs/decisions/0019)."""
    ones = torch.ones(64, 64)
    return not torch.allclose(torch.ops.quantized.linear_dynamic(ones, _packed(ones, _LEVELS)), ones @ ones, rtol=0.02)


def linear(weight: Tensor, bias: Tensor | None, precision: str) -> Linear:
    """A layer with int8 weights if `precision` is "int8", else as the weights are."""
    return Int8Linear(weight, bias) if precision == "int8" else FloatLinear(weight, bias)


class Norm:
    """Layer normalisation over the last dimension."""

    def __init__(self, weights: Weights, name: str) -> None:
        self.weight, self.bias = weights[f"{name}.weight"], weights[f"{name}.bias"]

    def __call__(self, x: Tensor) -> Tensor:
        """[N, D] -> [N, D]."""
        return torch.nn.functional.layer_norm(x, self.weight.shape, self.weight, self.bias)


def fused(weights: Weights, names: Sequence[str], precision: str = "float32") -> Linear:
    """Projections of the same input as one layer; where only some have a bias (Whisper's keys have none) the others' is zero."""
    stacked = torch.cat([weights[f"{n}.weight"] for n in names])
    if not any(f"{n}.bias" in weights for n in names):
        return linear(stacked, None, precision)
    biases = [weights.get(f"{n}.bias", stacked.new_zeros(weights[f"{n}.weight"].shape[0])) for n in names]
    return linear(stacked, torch.cat(biases), precision)
