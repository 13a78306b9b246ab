"""Whisper as one batch: the embedded model's real weights through the engine that GPUs use."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from transformers import WhisperFeatureExtractor, WhisperForConditionalGeneration

from model.batch_options import POLICIES, BatchOptions
from model.interfaces import DecodeContext, Hypothesis, Roll, Samples, StepRequest, UtteranceId, Word
from model.whisper.batch_recogniser import WhisperBatchRecogniser
from tests.sounds import clip

CLIPS = [("en", "quick_brown_fox"), ("en", "counting"), ("zh", "pangrama"), ("es", "pangrama")]
HOP = 10_240


def heard(language: str, name: str) -> Samples:
    sound, _ = soundfile.read(clip(language, name)[0], dtype="float32")
    return np.concatenate([sound, np.zeros(-len(sound) % HOP + HOP, np.float32)])


def text(words: Sequence[Word]) -> str:
    return "".join(word.text for word in words).strip()


def request(name: str, samples: Samples, start: int, stop: int, *, final: bool = False, language: str | None = None) -> StepRequest:
    context = DecodeContext(language=language)
    return StepRequest(UtteranceId(name, 0), start // HOP, start, samples[start:stop], final, final, 0.0, context)


def steps(recogniser: WhisperBatchRecogniser, samples: Samples, name: str = "steps") -> list[Hypothesis]:
    """Partials every 0.64 s, then the final."""
    last = len(samples) - HOP
    found = [recogniser.step([request(name, samples, at, at + HOP)])[0] for at in range(0, last, HOP)]
    return [*found, recogniser.step([request(name, samples, last, len(samples), final=True)])[0]]


@pytest.fixture(scope="module", params=POLICIES)
def batch(request: pytest.FixtureRequest, embedded_directory: Path) -> WhisperBatchRecogniser:
    return WhisperBatchRecogniser(embedded_directory, BatchOptions(policy=request.param, capacity=6))


@pytest.fixture(scope="module")
def alone(batch: WhisperBatchRecogniser) -> list[list[Hypothesis]]:
    """Each clip's partials and its final, heard one after the other."""
    with torch.inference_mode():
        return [steps(batch, heard(*each)) for each in CLIPS]


def test_finals_are_those_of_the_recogniser_for_a_cpu(batch, recogniser):
    clips = [heard(*each) for each in CLIPS]
    found = batch.step([request(f"batch {i}", s, 0, len(s), final=True) for i, s in enumerate(clips)])
    expected = recogniser.step([request(f"cpu {i}", s, 0, len(s), final=True) for i, s in enumerate(clips)])
    same = sum(text(a.words) == text(b.words) for a, b in zip(found, expected, strict=True))
    assert same >= 3 and [h.language for h in found] == ["en", "en", "zh", "es"]  # int8 there, float32 here


def test_step_by_step_ends_where_one_shot_ends(batch, alone):
    for each, (*partials, final) in zip(CLIPS, alone, strict=True):
        samples = heard(*each)
        (whole,) = batch.step([request("whole", samples, 0, len(samples), final=True)])
        assert text(final.words) == text(whole.words) != ""
        assert text(partials[-1].words), "nothing was shown while it was said"


def test_a_batch_says_what_each_says_alone(batch, alone):
    clips = [heard(*each) for each in CLIPS]
    together: list[list[str]] = [[] for _ in clips]
    for at in range(0, max(map(len, clips)), HOP):
        live = [i for i, s in enumerate(clips) if at < len(s)]
        rows = [request(f"together {i}", clips[i], at, at + HOP, final=at + HOP >= len(clips[i])) for i in live]
        for i, hypothesis in zip(live, batch.step(rows), strict=True):
            together[i].append(text(hypothesis.words))
    assert together == [[text(hypothesis.words) for hypothesis in each] for each in alone]


def test_word_times_run_forwards_within_the_audio(alone):
    for hypothesis in alone[CLIPS.index(("en", "counting"))]:
        times = [t for word in hypothesis.words for t in (word.start, word.end)]
        assert times == sorted(times) and (not times or times[-1] <= hypothesis.audio_end)


def test_a_window_that_rolls_goes_on_after_what_is_committed(batch):
    samples = np.concatenate([heard("en", "counting"), heard("en", "quick_brown_fox")])
    first = len(heard("en", "counting"))
    (before,) = batch.step([request("roll", samples, 0, first)])
    rolled = request("roll", samples, first, len(samples), final=True)
    roll = Roll(before.words[-1].end, before.words)
    (after,) = batch.step([StepRequest(rolled.utterance, 9, first, rolled.samples, True, True, 0.0, roll=roll)])
    assert "brown fox" in text(after.words) and after.words[0].start >= roll.keep_from - 320


def test_silence_says_nothing(batch):
    assert batch.step([request("silence", np.zeros(48_000, np.float32), 0, 48_000, final=True)])[0].words == ()
    assert not batch._streams and len(batch._free) == batch.capacity


def states(directory: Path, policy: str, samples: Samples, **changes: float) -> torch.Tensor:
    """Encoder states [frames, D] after partials every 0.64 s."""
    batch = WhisperBatchRecogniser(directory, BatchOptions(policy=policy, capacity=2, level_step=100.0, **changes))
    for at in range(0, len(samples), HOP):
        batch.step([request("states", samples, at, at + HOP, language="en")])
    (stream,) = batch._streams.values()
    return batch._memory[stream.slot, : len(samples) // 320].clone()


@pytest.mark.parametrize(("policy", "least"), [("windowed", 0.97), ("frozen-kv", 0.95)])
def test_how_far_a_policy_is_from_exact(embedded_directory: Path, policy: str, least: float):
    """Cosine of the states of real speech to those of one whole pass; redone for longer, they come closer."""
    samples = heard("en", "quick_brown_fox")
    exact = states(embedded_directory, "exact", samples)
    found = [states(embedded_directory, policy, samples, redone_s=s) for s in (0.32, 0.64, 1.28)]
    near = [float(torch.cosine_similarity(f, exact, dim=1).mean()) for f in found]
    print(f"{policy}: mean cosine with 0.32, 0.64 and 1.28 s redone: {near}")
    assert near == sorted(near) and near[1] >= least


@pytest.mark.parametrize(("language", "name"), [("en", "quick_brown_fox"), ("zh", "pangrama")])
def test_padded_it_says_what_transformers_says(embedded_directory: Path, language: str, name: str):
    samples = np.pad(heard(language, name), (0, 480_000))[:480_000]
    options = BatchOptions(is_padded=True, loudest=None, final_zeros=0, capacity=1)
    batch = WhisperBatchRecogniser(embedded_directory, options)
    (found,) = batch.step([request("padded", samples, 0, len(samples), final=True, language=language)])
    model = WhisperForConditionalGeneration.from_pretrained(embedded_directory, dtype=torch.float32)
    features = WhisperFeatureExtractor()(samples, sampling_rate=16_000, return_tensors="pt").input_features
    ids = model.generate(features, language=language, task="transcribe", return_timestamps=False)[0].tolist()
    expected = [i for i in ids if i < 50257]
    assert len(expected) > 5
    assert [t for word in found.words for t in word.tokens] == expected
