"""Does a device say what a CPU says? A tiny model in float32, step by step, in a batch, with the graphs of the device."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench import checkpoint
from bench.simulation import RATE, babble
from model.batch_options import POLICIES, BatchOptions
from model.glm_asr.recogniser import GlmAsrRecogniser
from model.interfaces import Hypothesis, ModelFailure, StepRequest, UtteranceId

_SECONDS = (1.9, 6.4, 3.3, 0.7, 5.1)
_HOP = 10_240


def agreement(directory: Path, device: str) -> dict[str, float]:
    """The share of hypotheses that are the same tokens, policy by policy."""
    path = checkpoint.write(directory / "agreement")
    found = {}
    for policy in POLICIES:
        reference, tried = (_said(path, BatchOptions(name, "float32", policy, capacity=8)) for name in ("cpu", device))
        found[policy] = round(sum(a == b for a, b in zip(reference, tried, strict=True)) / len(reference), 3)
    return found


def _said(path: Path, options: BatchOptions) -> list[list[int]]:
    recogniser = GlmAsrRecogniser(path, options)
    recogniser.warm_up()
    sounds = [babble(seconds, seed) for seed, seconds in enumerate(_SECONDS)]
    said = []
    for start in range(0, round(max(_SECONDS) * RATE), _HOP):
        batch = []
        for i, sound in enumerate(sounds):
            if start < len(sound):
                last = start + _HOP >= len(sound)
                piece = sound[start : start + _HOP]
                batch.append(StepRequest(UtteranceId(f"agreement-{i}", 0), start // _HOP, start, piece, last, last, 0.0))
        said += [_tokens(answer) for answer in _answers(recogniser, batch)]
    return said


def _answers(recogniser: GlmAsrRecogniser, batch: Sequence[StepRequest]) -> Sequence[Hypothesis | ModelFailure]:
    """All at once, then the first by itself: small steps take another way."""
    return [*recogniser.step(batch[1:]), *recogniser.step(batch[:1])] if len(batch) > 1 else recogniser.step(batch)


def _tokens(answer: Hypothesis | ModelFailure) -> list[int]:
    return [-1] if isinstance(answer, ModelFailure) else [t for word in answer.words for t in word.tokens]
