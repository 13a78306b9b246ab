"""What the batch engine's shortcuts change, on the bundled talk in windows of 12 s, updated every 0.64 s.

tail          the silent tail against the padding to 30 s that it stands for: encoder states of a whole window
policies      states after the last update against one whole pass, and the words then shown against the words of the final

Whisper base has real weights. GLM-ASR has random ones, which exaggerate: attention that was never trained spreads over
everything, and the least difference changes the text. So for GLM-ASR only the states are compared.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bench import checkpoint
from bench.report import parser, report
from bench.score import errors, tokens
from model.batch_options import POLICIES, BatchOptions
from model.batch_recogniser import BatchRecogniser
from model.glm_asr.recogniser import GlmAsrRecogniser
from model.interfaces import DecodeContext, Hypothesis, Samples, StepRequest, UtteranceId
from model.registry import resolve
from model.whisper.batch_recogniser import WhisperBatchRecogniser
from server.media import blocks

TALK = Path(__file__).parent.parent / "data" / "talk.flac"
WINDOW, HOP = 12 * 16_000, 10_240


def main() -> None:
    """Run it."""
    options = parser(__doc__ or "").parse_args()
    talk = np.concatenate(list(blocks(TALK)))
    windows = [talk[start : start + WINDOW // HOP * HOP] for start in range(0, len(talk) - WINDOW, WINDOW)]
    with torch.inference_mode(), tempfile.TemporaryDirectory() as directory:
        whisper = {p: WhisperBatchRecogniser(resolve("whisper-base"), BatchOptions(policy=p, capacity=2)) for p in POLICIES}
        padded = WhisperBatchRecogniser(resolve("whisper-base"), BatchOptions(is_padded=True, capacity=2))
        figures = compared("whisper", whisper, padded, windows, has_text=True)
        path = checkpoint.write(Path(directory) / "glm")
        glm = {p: GlmAsrRecogniser(path, BatchOptions(policy=p, capacity=2)) for p in POLICIES}
        figures |= compared("glm-asr, random", glm, GlmAsrRecogniser(path, BatchOptions(is_padded=True, capacity=2)), windows)
    report("policies", figures, vars(options))


def compared(
    name: str, by_policy: dict[str, BatchRecogniser], padded: BatchRecogniser, windows: list[Samples], *, has_text: bool = False
) -> dict[str, float]:
    """Cosines of states, and word errors of what was shown last, over all windows."""
    exact = by_policy["exact"]
    finals = [whole(exact, window) for window in windows]
    figures = {
        f"{name}: tail, cosine": mean(cosine(final[1], whole(padded, w)[1]) for final, w in zip(finals, windows, strict=True))
    }
    for policy, recogniser in by_policy.items():
        shown = [stepped(recogniser, window) for window in windows]
        near = mean(cosine(after[1], final[1]) for after, final in zip(shown, finals, strict=True))
        figures[f"{name}: {policy}, cosine"] = near
        if has_text:
            words = [(tokens(f[0], "en"), tokens(s[0], "en")) for f, s in zip(finals, shown, strict=True)]
            wrong = sum(errors(reference, said) for reference, said in words)
            figures[f"{name}: {policy}, words unlike the final"] = wrong / sum(len(reference) for reference, _ in words)
    return figures


def whole(recogniser: BatchRecogniser, window: Samples) -> tuple[str, Tensor]:
    """Text and states of a window encoded at once."""
    return _told(recogniser, [(0, len(window), True)], window)


def stepped(recogniser: BatchRecogniser, window: Samples) -> tuple[str, Tensor]:
    """Those after updates."""
    return _told(recogniser, [(start, start + HOP, False) for start in range(0, len(window), HOP)], window)


def _told(recogniser: BatchRecogniser, parts: list[tuple[int, int, bool]], window: Samples) -> tuple[str, Tensor]:
    utterance, context = UtteranceId("bench", 0), DecodeContext(language="en")
    for number, (start, stop, is_whole) in enumerate(parts):
        request = StepRequest(utterance, number, start, window[start:stop], is_whole, False, 0.0, context)
        (answer,) = recogniser.step([request])
    memory: Tensor = recogniser._memory if hasattr(recogniser, "_memory") else recogniser._audio  # type: ignore[attr-defined]
    slot, unit = recogniser._streams[utterance].slot, 320 * recogniser.unit_frames
    states = memory[slot, : len(window) // unit].clone()
    recogniser.close(utterance)
    assert isinstance(answer, Hypothesis)
    return "".join(word.text for word in answer.words), states


def cosine(one: Tensor, other: Tensor) -> float:
    """Mean over the frames."""
    return float(torch.cosine_similarity(one, other, dim=1).mean())


def mean(values: Iterator[float]) -> float:
    """Of some numbers."""
    return float(np.mean(list(values)))


if __name__ == "__main__":
    main()
