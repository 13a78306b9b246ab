"""Where there are no graphs: functions run as they are, and it is said what that means."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bench.checkpoint import write
from model.batch_options import BatchOptions
from model.glm_asr.recogniser import GlmAsrRecogniser
from model.graphs import Graphs


def test_what_is_not_captured_runs_as_it_is():
    graphs = Graphs(torch.device("cpu"))
    assert not graphs.has("double")
    (found,) = graphs("double", lambda x: (2 * x,), torch.arange(3))
    assert found.tolist() == [0, 2, 4]


def test_a_cpu_has_none():
    with pytest.raises(RuntimeError, match="cpu has no graphs"):
        Graphs(torch.device("cpu")).capture("double", lambda x: (2 * x,), [torch.arange(3)])


@pytest.mark.parametrize("policy", ["exact", "windowed", "frozen-kv"])
def test_a_capture_that_fails_is_told_and_the_model_still_works(tmp_path: Path, policy: str):
    recogniser = GlmAsrRecogniser(write(tmp_path / "glm"), BatchOptions(policy=policy, capacity=4))
    told: list[str] = []
    (notice,) = recogniser._capture(told.append)
    assert notice.startswith("0 of ") and "cpu has no graphs" in notice and "kernel by kernel" in notice
    assert told and told[0].startswith("making CUDA graphs on cpu: 1 of ")
    assert list(recogniser.warm_up()) == []


@pytest.mark.parametrize("policy", ["exact", "frozen-kv"])
def test_every_step_that_may_become_a_graph_runs(tmp_path: Path, policy: str):
    """With the examples that it would be captured with."""
    recogniser = GlmAsrRecogniser(write(tmp_path / "glm"), BatchOptions(policy=policy, capacity=4, store_s=12.0))
    steps = [*recogniser._encoder_steps(), *recogniser._decoder_steps()]
    assert len({key for key, *_ in steps}) == len(steps) > 10
    with torch.inference_mode():
        for key, function, *examples in steps:
            assert all(bool(result.isfinite().all()) for result in function(*examples)), key
