"""The bench of devices, run in small: every part of it, on a CPU."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.gpu import main

SMALL = ("--device", "cpu", "--streams", "1,3", "--seconds", "2", "--rows", "4", "--capacity", "8")


@pytest.mark.parametrize(("size", "policies"), [("tiny", "exact,windowed,frozen-kv"), ("whisper-tiny-2", "exact,frozen-kv")])
def test_a_run(tmp_path: Path, size: str, policies: str):
    output = tmp_path / "gpu.json"
    main([*SMALL, "--size", size, "--policies", policies, "--output", str(output)])
    figures = json.loads(output.read_text())["figures"]
    assert figures["agreement"] == {"exact": 1.0, "windowed": 1.0, "frozen-kv": 1.0}
    assert figures["ceilings"]["tflops"] > 0 and figures["generate"]["rows"][0]["ms"] > 0
    for policy in policies.split(","):
        found = figures[policy]
        assert [level["streams"] for level in found["levels"]] == [1, 3][: len(found["levels"])]
        for level in found["levels"]:
            assert level["failed"] == 0 and level["partials"] > 0 and level["partial"]["p99_ms"] >= level["partial"]["p50_ms"] > 0
            assert level["encoded_s_per_s"] > 0 and 0 < level["busy"] < 2
        assert found["decode_step"]["ms"] > 0 and found["parts_ms"]["encoder"] > 0 and found["load_to_ready_s"] > 0


_FORBIDDEN = ("webrtcvad", "soxr", "starlette", "uvicorn", "websockets", "rich", "soundfile", "prometheus_client")


def test_it_needs_no_more_than_it_says():
    """Imported with every package blocked that a GPU machine may lack."""
    code = f"import sys\nfor name in {_FORBIDDEN}: sys.modules[name] = None\n"
    code += "import bench.gpu, bench.checkpoint, model.glm_asr.recogniser, model.whisper.batch_recogniser\n"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
