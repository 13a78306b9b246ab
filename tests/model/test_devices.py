from __future__ import annotations

import numpy as np
import pytest
import torch

from model.devices import UnknownPrecision, devices, dtype_for, on, put

CPU = torch.device("cpu")


def test_the_cpu_comes_first_and_every_gpu_after_it():
    found = devices()
    assert [device.name for device in found] == ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    assert all(device.memory_bytes > 2**20 and device.description for device in found)
    assert "cores" in found[0].description


def test_what_is_put_is_a_copy():
    numbers = np.arange(12).reshape(3, 4).T  # not contiguous
    copy = put(numbers, CPU)
    numbers[0, 0] = 99
    assert copy.tolist() == np.arange(12).reshape(3, 4).T.tolist()


def test_precision_by_device_or_by_name():
    assert dtype_for(CPU, "auto") is torch.float32
    assert dtype_for(torch.device("cuda:1"), "auto") is torch.bfloat16
    assert dtype_for(torch.device("cuda:1"), "float32") is torch.float32
    with pytest.raises(UnknownPrecision, match="'int3', expected one of auto, bfloat16, float32"):
        dtype_for(CPU, "int3")


def test_on_a_cpu_nothing_is_switched():
    with on(CPU):
        assert torch.zeros(1).device == CPU
