"""Features of many windows at once are those of each window by itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from model.features import MelWindow, mel_filters
from model.mel_store import Heard, MelStore

CPU = torch.device("cpu")
MELS = 80


def compare(store: MelStore, heard: Heard, window: MelWindow) -> None:
    level, frames = max(-1.5, window.loudest()), -(-window.samples // 320) + 5
    expected = window.normalised(frames, level, 1.0).T
    found = store.features([heard], [(level, 1.0)], [-2], 2 * frames + 3)[0]
    assert heard.samples == window.samples and heard.loudest == pytest.approx(window.loudest(), abs=1e-4)
    assert bool((found[:2] == 0).all())
    torch.testing.assert_close(found[2:], expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("seed", range(4))
def test_at_any_cuts_and_after_rolls(seed: int):
    rng = np.random.default_rng(seed)
    store, heard = MelStore(4, 3000, MELS, CPU), [Heard(slot) for slot in (2, 0, 3)]
    windows = [MelWindow(mel_filters(MELS)) for _ in heard]
    for step in range(14):
        sizes = [50, 3000, 0] if step == 0 else rng.integers(0, 9000, 3)
        new = [(rng.standard_normal(size) * rng.choice([0.001, 0.1])).astype(np.float32) for size in sizes]
        store.extend(heard, new)
        for window, samples in zip(windows, new, strict=True):
            window.append(samples)
        if step in (7, 11):
            for each, window in zip(heard, windows, strict=True):
                store.drop(each, 40)
                window.drop(6400)
        for each, window in zip(heard, windows, strict=True):
            compare(store, each, window)


def test_a_slot_remembers_nothing_of_who_had_it():
    store, rng = MelStore(1, 3000, MELS, CPU), np.random.default_rng(5)
    store.extend([Heard(0)], [rng.standard_normal(40_000).astype(np.float32)])
    heard, window, samples = Heard(0), MelWindow(mel_filters(MELS)), rng.standard_normal(9_000).astype(np.float32)
    store.extend([heard], [samples])
    window.append(samples)
    compare(store, heard, window)


def test_levels_are_each_window_s_own():
    store, heard = MelStore(2, 3000, MELS, CPU), [Heard(0), Heard(1)]
    samples = np.random.default_rng(1).standard_normal(16_000).astype(np.float32)
    store.extend(heard, [samples, samples * 0.01])
    found = store.features(heard, [(each.loudest, 1.0) for each in heard], [0, 0], 90)
    torch.testing.assert_close(found[0], found[1], atol=1e-3, rtol=0)
    assert heard[0].loudest - heard[1].loudest == pytest.approx(4.0, abs=1e-3)


def test_more_than_a_window_is_left_out():
    store, heard = MelStore(1, 100, MELS, CPU), Heard(0)
    store.extend([heard], [np.ones(32_000, np.float32)])
    assert heard.frames > 100 and store.features([heard], [(0.0, 0.0)], [0], 100).shape == (1, 100, MELS)
