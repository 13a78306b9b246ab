from __future__ import annotations

import torch

from model.devices import devices


def test_the_cpu_comes_first_and_every_gpu_after_it():
    found = devices()
    assert [device.name for device in found] == ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    assert all(device.memory_bytes > 2**20 and device.description for device in found)
    assert "cores" in found[0].description
