"""The same work by transformers' generate() on windows padded to 30 s."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch

from bench.parts import timed
from bench.simulation import babble

TOKENS_PER_SECOND = 4.0
_SAID_S = 4.0  # half an utterance: the mean over its updates
_SPEECH_SHARE = 0.6


def baseline(path: Path, device: torch.device, interval_s: float) -> dict[str, Any]:
    """Streams that it would carry: at each update it transcribes what was said so far. The best of several batch sizes."""
    model, processor = _loaded(path, device)
    tokens = round(TOKENS_PER_SECOND * _SAID_S)
    found = []
    for rows in (1, 4, 16, 64) if device.type == "cuda" else (1,):
        inputs = _padded(processor, model, rows)

        def generate(inputs: dict[str, Any] = inputs) -> None:
            model.generate(**inputs, do_sample=False, min_new_tokens=tokens, max_new_tokens=tokens)

        with torch.inference_mode():
            seconds = timed(generate, device, 2)
        streams = round(rows * interval_s / seconds / _SPEECH_SHARE, 2) if seconds < interval_s else 0.0
        found.append({"rows": rows, "ms": round(1000 * seconds, 1), "streams": streams})
        print("  generate: " + json.dumps(found[-1]), file=sys.stderr, flush=True)
    return {"rows": found, "streams": max(each["streams"] for each in found)}


def _loaded(path: Path, device: torch.device) -> tuple[Any, Any]:
    from transformers import AutoProcessor, GlmAsrForConditionalGeneration, WhisperForConditionalGeneration

    is_glm = json.loads((path / "config.json").read_text())["model_type"] == "glmasr"
    kind: Any = GlmAsrForConditionalGeneration if is_glm else WhisperForConditionalGeneration
    model = kind.from_pretrained(path, dtype=torch.bfloat16 if device.type == "cuda" else torch.float32)
    return model.to(device).eval(), AutoProcessor.from_pretrained(path) if is_glm else None


def _padded(processor: Any, model: Any, rows: int) -> dict[str, Any]:
    if processor is None:
        features = torch.randn(rows, model.config.num_mel_bins, 3000, device=model.device, dtype=model.dtype)
        return {"input_features": features, "language": "en", "task": "transcribe"}
    inputs = processor.apply_transcription_request([babble(_SAID_S, seed) for seed in range(rows)])
    inputs["input_features"] = inputs["input_features"].to(model.dtype)
    return {name: value.to(model.device) for name, value in inputs.items()}
