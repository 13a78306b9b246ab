from __future__ import annotations

import pytest
import torch

from bench import modules, numerics
from model.registry import resolve


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.inference_mode():
        yield


def test_over_a_whole_window_our_encoder_is_that_of_transformers():
    found = numerics.encoder(resolve("whisper-base"))
    assert found["encoder_30s"] < 1e-5
    assert all(found[f"silent_tail_{stride}"] < 0.25 for stride in numerics.STRIDES)


def test_int8_rows_do_not_depend_on_the_rows_beside_them():
    found = numerics.rows(resolve("whisper-base"))
    assert found["int8_rows"] == found["int8_rows beside_loud"] < 0.03
    assert found["int8_batch beside_loud"] > 0.2, "what the scale for each row is there for"


def test_every_piece_of_work_that_is_compared_runs():
    directory = resolve("whisper-base")
    ours, theirs = modules.ours(directory, "int8"), modules.theirs(directory)
    assert theirs.keys() < ours.keys()
    assert all(modules.milliseconds(work, repeats=1) > 0 for work in (*ours.values(), *theirs.values()))
