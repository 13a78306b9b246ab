"""How many live streams one device carries: simulated microphones on the real scheduler and recogniser, random weights.

Runs where only torch, torchaudio, transformers, safetensors, tokenizers and numpy are installed. The weights say nothing, so
text is forced at 4 tokens a second of speech; every kernel that real weights would need runs. For comparison the same work
is done by transformers' generate() on windows padded to 30 s, in the same run.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench import checkpoint
from bench.agreement import agreement
from bench.baseline import TOKENS_PER_SECOND, baseline
from bench.forced import Forced
from bench.parts import ceilings, counted, decode_step, parts, utilisation
from bench.report import commit, machine
from bench.simulation import Load, babble, percentiles, simulate
from model.batch_options import POLICIES, BatchOptions
from model.batch_recogniser import BatchRecogniser

FINAL_S = 0.5  # bar of the 95th percentile; a partial's is the interval


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what the command line asks for, print it, write it."""
    given = _parser().parse_args(arguments)
    device = torch.device(given.device)
    with tempfile.TemporaryDirectory() as directory:
        path = given.model or written(Path(directory), given.size)
        figures: dict[str, Any] = {"ceilings": ceilings(device), "agreement": agreement(Path(directory), given.device)}
        for policy in given.policies.split(","):
            figures[policy] = measured(path, policy, given)
        if not given.no_baseline:
            figures["generate"] = baseline(path, device, given.interval)
            best = max((figures[p]["most_streams"] for p in given.policies.split(",")), default=0)
            figures["times_generate"] = round(best / max(figures["generate"]["streams"], 0.01), 1)
    _write(figures, given)


def _parser() -> argparse.ArgumentParser:
    default = "cuda:0" if torch.cuda.is_available() else "cpu"
    options = argparse.ArgumentParser(
        prog="python -m bench.gpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--device", default=default, help=f"device (default: {default})")
    options.add_argument(
        "--size", choices=checkpoint.ALL_SIZES, default="full", help="of the random checkpoint (default: full, GLM-ASR)"
    )
    options.add_argument("--model", type=Path, metavar="DIR", help="a checkpoint instead")
    options.add_argument("--policies", default="exact,frozen-kv", help=f"of {', '.join(POLICIES)} (default: exact,frozen-kv)")
    options.add_argument("--streams", default="1,64,128,250,350,500,700", help="numbers of streams to try, ascending")
    options.add_argument("--seconds", type=float, default=12.0, help="of each try (default: 12)")
    options.add_argument("--interval", type=float, default=0.64, help="between updates, in s (default: 0.64)")
    options.add_argument("--rows", type=int, default=64, help="of a batch (default: 64)")
    options.add_argument("--capacity", type=int, default=0, help="streams that memory is kept for (default: what fits)")
    options.add_argument("--precision", default="auto", choices=("auto", "bfloat16", "float32"), help="arithmetic (default: auto)")
    options.add_argument("--no-baseline", action="store_true", help="without transformers' generate()")
    output = Path("bench/results/gpu.json")
    options.add_argument("--output", type=Path, default=output, metavar="FILE", help=f"where to write (default: {output})")
    return options


def written(directory: Path, size: str) -> Path:
    """A checkpoint of this size."""
    _say(f"writing a random checkpoint ({size})")
    return checkpoint.write_size(directory / size, size)


# one policy


def measured(path: Path, policy: str, given: argparse.Namespace) -> dict[str, Any]:
    """Everything about one policy."""
    began = time.monotonic()
    options = BatchOptions(given.device, given.precision, policy, capacity=given.capacity, max_rows=given.rows)
    recogniser = loaded(path, replace(options, tokens_per_second=TOKENS_PER_SECOND))
    notices = recogniser.warm_up(lambda what: None)
    ready_s = time.monotonic() - began
    _say(f"{policy}: ready after {ready_s:.1f} s, room for {recogniser.capacity} streams{''.join(f'; {n}' for n in notices)}")
    recogniser._choose = Forced(recogniser._choose)  # type: ignore[attr-defined]
    figures: dict[str, Any] = {"load_to_ready_s": round(ready_s, 1), "capacity": recogniser.capacity, "notices": list(notices)}
    figures["decode_step"] = decode_step(recogniser, given.rows)
    figures["parts_ms"] = parts(recogniser, given.rows)
    figures["levels"], figures["most_streams"] = levels(recogniser, given)
    del recogniser
    if given.device.startswith("cuda"):
        torch.cuda.empty_cache()
    return figures


def loaded(path: Path, options: BatchOptions) -> BatchRecogniser:
    """The recogniser of a checkpoint, on the batch engine also where a CPU has another."""
    if json.loads((path / "config.json").read_text())["model_type"] == "whisper":
        from model.whisper.batch_recogniser import WhisperBatchRecogniser
        from model.whisper.text import TextOptions

        text = TextOptions(tokens_per_second=TOKENS_PER_SECOND, has_quick_partials=True, silent_probability=2.0)
        return WhisperBatchRecogniser(path, options, text)
    from model.glm_asr.recogniser import GlmAsrRecogniser

    return GlmAsrRecogniser(path, options)


def levels(recogniser: BatchRecogniser, given: argparse.Namespace) -> tuple[list[dict[str, Any]], int]:
    """More and more streams, until the bars are not held; and the most with which they were."""
    sound, found, most = babble(120.0), list[dict[str, Any]](), 0
    language = recogniser.languages[0] if recogniser.languages else None
    for streams in map(int, given.streams.split(",")):
        load = Load(streams, given.seconds, given.interval, language=language)
        level, holds = one_level(recogniser, load, sound)
        found.append(level)
        _say("  " + json.dumps(level))
        if not holds:
            break
        most = streams
    return found, most


def one_level(recogniser: BatchRecogniser, load: Load, sound: np.ndarray[Any, Any]) -> tuple[dict[str, Any], bool]:
    """The figures of one number of streams, and whether the bars are held."""
    with counted(recogniser) as work:
        latencies = simulate(recogniser, load, sound)
    partial, final = percentiles(latencies.partial), percentiles(latencies.final)
    holds = not latencies.failed and (partial["p95_ms"] or 0) < 1000 * load.interval_s and (final["p95_ms"] or 0) < 1000 * FINAL_S
    total = load.seconds + 3.0
    level = {
        "streams": load.streams,
        "partial": partial,
        "final": final,
        "partials": len(latencies.partial),
        "finals": len(latencies.final),
        "failed": latencies.failed,
        "step_ms": percentiles(latencies.steps),
        "rows_mean": round(float(np.mean(latencies.rows)), 1) if latencies.rows else None,
        "busy": round(sum(latencies.steps) / load.seconds, 3),
        "gpu_utilisation": utilisation(recogniser.device),
        "encoded_s_per_s": round(work["frames"] / 50 / total, 1),
        "tflops": round(work["flop"] / total / 1e12, 2),
        "holds": holds,
    }
    return level, holds


# output


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _write(figures: dict[str, Any], given: argparse.Namespace) -> None:
    device = torch.device(given.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    content = {"bench": "gpu", "at": datetime.now(UTC).isoformat(timespec="seconds"), "machine": {**machine(), "device": name}}
    content |= {"commit": commit(), "settings": {k: str(v) for k, v in vars(given).items()}, "figures": figures}
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(json.dumps(content, indent=1) + "\n")
    print(f"\n{name}; ceilings {figures['ceilings']}; random weights, text forced")
    print(f"hypotheses of a tiny model that are those of a CPU, token by token: {figures['agreement']}")
    heads = ("policy", 12), ("streams", 8), ("partial p50/95/99 ms", 24), ("final p50/95/99 ms", 24), ("step ms", 9), ("busy", 6)
    print(" ".join(f"{name:>{width}}" for name, width in (*heads, ("TFLOP/s", 8))), " holds")
    for policy in given.policies.split(","):
        for level in figures[policy]["levels"]:
            partial, final = ("/".join(f"{v:.0f}" if v else "–" for v in level[k].values()) for k in ("partial", "final"))
            print(
                f"{policy:>12} {level['streams']:>8} {partial:>24} {final:>24} {level['step_ms']['p50_ms'] or 0:>9.1f}"
                f" {level['busy']:>6.2f} {level['tflops']:>8.2f}  {'yes' if level['holds'] else 'no'}"
            )
        print(f"{'':>12} parts of one update: {figures[policy]['parts_ms']}")
        print(f"{'':>12} decode step: {figures[policy]['decode_step']}")
    if "generate" in figures:
        print(f"transformers' generate(): {figures['generate']['streams']} streams; ours {figures['times_generate']} times as many")


if __name__ == "__main__":
    main()
