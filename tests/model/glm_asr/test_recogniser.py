"""GLM-ASR as a session uses it: steps, policies, batches, rolls, failures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.checkpoint import TINY, write
from model.batch_options import POLICIES, BatchOptions
from model.biasing.readings import Readings
from model.glm_asr.offline import Offline
from model.glm_asr.recogniser import GlmAsrRecogniser
from model.interfaces import DecodeContext, Hotword, Hypothesis, ModelFailure, Roll, Samples, StepRequest, UtteranceId, Word
from tests.model.glm_asr.conftest import sound

HOP = 10_240
EXACT = BatchOptions(is_padded=True, loudest=None, partial_zeros=0, final_zeros=0, capacity=8)


def options(policy: str = "exact", **changes) -> BatchOptions:
    return replace(BatchOptions(capacity=12, policy=policy), **changes)


class Fed:
    """One utterance, its audio cut into requests."""

    def __init__(self, name: str, samples: Samples) -> None:
        self.utterance, self.samples, self.at, self.revision = UtteranceId(name, 0), samples, 0, 0

    def request(self, upto: int, *, final: bool = False, stable: tuple[Word, ...] = (), roll: Roll | None = None) -> StepRequest:
        piece, start = self.samples[self.at : upto], self.at
        self.at, self.revision = min(upto, len(self.samples)), self.revision + 1
        return StepRequest(self.utterance, self.revision, start, piece, final, final, 0.0, stable=stable, roll=roll)


def tokens(hypothesis: Hypothesis | ModelFailure) -> list[int]:
    assert isinstance(hypothesis, Hypothesis)
    return [t for word in hypothesis.words for t in word.tokens]


def steps(recogniser: GlmAsrRecogniser, samples: Samples, name: str = "steps") -> list[Hypothesis]:
    """Partials every 0.64 s, then the final."""
    fed = Fed(name, samples)
    found = [recogniser.step([fed.request(upto)])[0] for upto in range(HOP, len(samples), HOP)]
    return [*found, recogniser.step([fed.request(len(samples), final=True)])[0]]


def one_shot(recogniser: GlmAsrRecogniser, samples: Samples, *, final: bool = True) -> Hypothesis:
    fed = Fed("whole", samples)
    (found,) = recogniser.step([fed.request(len(samples), final=final)])
    recogniser.close(fed.utterance)
    return found


@pytest.mark.parametrize("units", [7, 40, 95, 310])
def test_a_padded_final_is_what_the_reference_generates(glm_directory: Path, units: int):
    """Step by step, to the same tokens as all at once; transformers' are Offline's (test_offline.py)."""
    recogniser, samples = GlmAsrRecogniser(glm_directory, EXACT), sound(units * 0.08, units)
    found = tokens(steps(recogniser, samples)[-1])
    (expected,) = Offline(recogniser.model).generate([samples], len(found) or 8)
    assert found == expected[: len(found)] and len(found) > 3


@pytest.mark.parametrize("policy", POLICIES)
def test_step_by_step_ends_where_one_shot_ends(glm_directory: Path, policy: str):
    recogniser, samples = GlmAsrRecogniser(glm_directory, options(policy)), sound(9.3)
    *partials, final = steps(recogniser, samples)
    assert tokens(final) == tokens(one_shot(recogniser, samples)) != []
    assert final.is_final and final.audio_end == len(samples) and not any(p.is_final for p in partials)


def test_a_draft_changes_nothing(glm_directory: Path):
    """Each partial, verified against the one before, is what a fresh stream says."""
    recogniser, samples = GlmAsrRecogniser(glm_directory, options()), sound(5.0)
    for count, partial in enumerate(steps(recogniser, samples)[:-1], 1):
        assert tokens(partial) == tokens(one_shot(recogniser, samples[: count * HOP], final=False))


@pytest.mark.parametrize(
    ("policy", "changes"), [("windowed", {"left_s": 30.0, "redone_s": 30.0}), ("frozen-kv", {"redone_s": 30.0})]
)
def test_with_everything_redone_the_policies_are_exact(glm_directory: Path, policy: str, changes: dict[str, float]):
    samples = loud_first(sound(6.0, 3))
    found = steps(GlmAsrRecogniser(glm_directory, options(policy, **changes)), samples)
    expected = steps(GlmAsrRecogniser(glm_directory, options()), samples)
    assert [tokens(h) for h in found] == [tokens(h) for h in expected]


def loud_first(samples: Samples) -> Samples:
    """Its loudest cell is heard at once, so that it is encoded at the same level throughout."""
    return np.concatenate([np.sin(np.arange(1600) / 8).astype(np.float32), samples[1600:]])


def audio_tokens(directory: Path, policy: str, samples: Samples, **changes: float) -> torch.Tensor:
    """The audio's embeddings [units, D] after partials every 0.64 s."""
    recogniser, fed = GlmAsrRecogniser(directory, options(policy, level_step=100.0, **changes)), Fed("audio", samples)
    for upto in range(HOP, len(samples) + 1, HOP):
        recogniser.step([fed.request(upto)])
    return recogniser._audio[recogniser._streams[fed.utterance].slot, : len(samples) // 1280].clone()


@pytest.mark.parametrize("policy", ["windowed", "frozen-kv"])
def test_how_far_a_policy_is_from_exact(glm_directory: Path, policy: str):
    """On random weights, which exaggerate: closer the more is redone, and closer than to other audio.

    On real weights: tests/model/whisper/test_batch_recogniser.py.
    """
    samples = loud_first(sound(10.24, 4))
    exact, other = (audio_tokens(glm_directory, "exact", s) for s in (samples, loud_first(sound(10.24, 5))))
    far = float((exact - other).abs().mean())
    errors = [float((audio_tokens(glm_directory, policy, samples, redone_s=s) - exact).abs().mean()) for s in (0.32, 0.64, 8.0)]
    assert errors[2] < errors[0] < far and errors[1] < far
    print(f"{policy}: mean difference {errors}, to other audio {far:.3f}")


def test_the_window_of_windowed_is_bounded(glm_directory: Path):
    recogniser, fed, sizes = GlmAsrRecogniser(glm_directory, options("windowed", left_s=2.0)), Fed("long", sound(9.6)), []
    encode = recogniser._encode
    recogniser._encode = lambda jobs: (sizes.extend(job.size for job in jobs), encode(jobs))[1]  # type: ignore[method-assign]
    for upto in range(HOP, len(fed.samples), HOP):
        recogniser.step([fed.request(upto)])
    assert max(sizes) <= 100 + 2 * 32 + 16 and sizes[-1] > 100


@pytest.mark.parametrize("policy", ["windowed", "frozen-kv"])
def test_keeping_the_prompt_s_keys_and_values_changes_nothing(glm_directory: Path, policy: str):
    samples = sound(6.4, 2)
    kept, fresh = (GlmAsrRecogniser(glm_directory, options(policy)) for _ in range(2))
    found, fed, spared = steps(kept, samples), Fed("fresh", samples), 0
    for expected in found[:-1]:
        for stream in fresh._streams.values():
            spared += stream.kept
            stream.kept = 0
        (again,) = fresh.step([fed.request(fed.at + HOP)])
        assert tokens(again) == tokens(expected)
    assert spared > 100


@pytest.mark.parametrize("policy", POLICIES)
def test_a_batch_says_what_each_says_alone(glm_directory: Path, policy: str):
    recogniser = GlmAsrRecogniser(glm_directory, options(policy, max_rows=4))
    samples = [sound(seconds, seed) for seed, seconds in enumerate((0.3, 2.0, 7.0, 4.1, 1.0, 3.3))]
    alone = [[tokens(h) for h in steps(recogniser, s, f"alone {i}")] for i, s in enumerate(samples)]
    fed, together = [Fed(f"together {i}", s) for i, s in enumerate(samples)], [[] for _ in samples]
    while waiting := [i for i, f in enumerate(fed) if f.at < len(f.samples)]:
        batch = [fed[i].request(fed[i].at + HOP, final=fed[i].at + HOP >= len(fed[i].samples)) for i in waiting]
        for i, hypothesis in zip(waiting, recogniser.step(batch), strict=True):
            together[i].append(tokens(hypothesis))
    assert together == alone


def test_stable_words_are_kept_as_they_are(glm_directory: Path):
    recogniser, fed = GlmAsrRecogniser(glm_directory, options()), Fed("stable", sound(4.0))
    (partial,) = recogniser.step([fed.request(30_000)])
    stable = partial.words[:2]
    (final,) = recogniser.step([fed.request(64_000, final=True, stable=stable)])
    assert len(stable) == 2 and final.words[:2] == stable and len(final.words) > 2


@pytest.mark.parametrize("policy", POLICIES)
def test_a_window_that_rolls(glm_directory: Path, policy: str):
    """What is left is heard as a stream that began there, but for the first frames, which know what came before."""
    recogniser, samples = GlmAsrRecogniser(glm_directory, options(policy)), sound(12.0, 6)
    fed, cut = Fed("roll", samples), 64_000
    for upto in range(HOP, 92_161, HOP):
        (partial,) = recogniser.step([fed.request(upto)])
    committed = tuple(w for w in partial.words if w.end <= cut)
    (after,) = recogniser.step([fed.request(102_400, roll=Roll(cut, committed))])
    stream = recogniser._streams[fed.utterance]
    assert (stream.start, stream.heard.samples) == (cut, 102_400 - cut) and stream.frames == 120 + 8
    assert after.audio_end == 102_400 and all(word.start >= cut for word in after.words)
    (final,) = recogniser.step([fed.request(len(samples), final=True)])
    assert isinstance(final, Hypothesis) and final.audio_end == len(samples)


def test_frozen_audio_moves_with_the_window(glm_directory: Path):
    recogniser, fed = GlmAsrRecogniser(glm_directory, options("frozen-kv")), Fed("move", sound(8.0, 7))
    for upto in range(HOP, 92_161, HOP):
        recogniser.step([fed.request(upto)])
    stream = recogniser._streams[fed.utterance]
    before, frozen = recogniser._audio[stream.slot, 25:50].clone(), stream.frozen
    recogniser._roll(stream, fed.request(fed.at, roll=Roll(25 * 1280, ())))
    assert stream.frozen == frozen - 100 and torch.equal(recogniser._audio[stream.slot, :25], before)


def test_word_times_run_forwards_within_the_audio(glm_directory: Path, tmp_path: Path):
    blind = write(tmp_path / "blind", replace(TINY, alignment_heads=()))
    for directory in (glm_directory, blind):
        for hypothesis in steps(GlmAsrRecogniser(directory, options()), sound(5.0)):
            times = [t for word in hypothesis.words for t in (word.start, word.end)]
            assert times == sorted(times) and 0 <= times[0] and times[-1] <= hypothesis.audio_end
            assert all(0 <= word.confidence <= 1 for word in hypothesis.words)


def test_without_alignment_heads_words_that_stay_keep_their_times(tmp_path: Path):
    recogniser = GlmAsrRecogniser(write(tmp_path / "blind", replace(TINY, alignment_heads=())), options())
    fed = Fed("times", sound(2.0))
    (before,) = recogniser.step([fed.request(32_000)])
    stream = recogniser._streams[fed.utterance]
    (row,) = recogniser._decode([(fed.request(32_000), stream)])
    again = recogniser._words(fed.request(32_000), stream, row)
    assert [(w.start, w.end) for w in again] == [(w.start, w.end) for w in before.words]
    assert before.words[-1].end == before.audio_end and before.words[0].end > 0


def test_silence_says_nothing(glm_directory: Path):
    recogniser = GlmAsrRecogniser(glm_directory, options())
    for samples in (np.zeros(30_000, np.float32), np.zeros(1, np.float32), np.zeros(0, np.float32)):
        assert one_shot(recogniser, samples).words == ()


def test_where_memory_does_not_suffice_the_batch_is_split(glm_directory: Path, monkeypatch: pytest.MonkeyPatch):
    """Memory is made scarce, by the number of rows, on a machine that has plenty."""
    recogniser, samples = GlmAsrRecogniser(glm_directory, options()), [sound(1.0 + i, i) for i in range(5)]
    expected = [tokens(one_shot(recogniser, s)) for s in samples]
    computed, parts = recogniser._computed, list[int]()

    def scarce(work: Sequence[object]) -> list[Hypothesis]:
        parts.append(len(work))
        if len(work) > 2 or any(len(request.samples) > 70_000 for request, _ in work):
            raise torch.OutOfMemoryError("CUDA out of memory")
        return computed(work)

    monkeypatch.setattr(recogniser, "_computed", scarce)
    answers = recogniser.step([Fed(str(i), s).request(len(s), final=True) for i, s in enumerate(samples)])
    assert [tokens(a) for a in answers[:4]] == expected[:4] and parts[0] == 5
    assert isinstance(answers[4], ModelFailure) and "memory" in str(answers[4])
    assert not recogniser._streams and len(recogniser._free) == recogniser.capacity


def test_a_stream_too_many_is_refused_and_the_others_are_served(glm_directory: Path):
    recogniser = GlmAsrRecogniser(glm_directory, options(capacity=2))
    answers = recogniser.step([Fed(str(i), sound(1.0)).request(16_000) for i in range(3)])
    assert [isinstance(a, ModelFailure) for a in answers] == [False, False, True] and "all 2 streams" in str(answers[2])
    recogniser.close(UtteranceId("0", 0))
    (again,) = recogniser.step([Fed("2", sound(1.0)).request(16_000, final=True)])
    assert tokens(again)


def test_a_slot_remembers_nothing_of_who_had_it(glm_directory: Path):
    recogniser = GlmAsrRecogniser(glm_directory, options("frozen-kv", capacity=1))
    expected = [tokens(h) for h in steps(recogniser, sound(3.0))]
    steps(recogniser, sound(8.0, 1))
    assert [tokens(h) for h in steps(recogniser, sound(3.0))] == expected


def test_warming_up_leaves_nothing_open(glm_directory: Path):
    recogniser = GlmAsrRecogniser(glm_directory, options("frozen-kv"))
    recogniser.warm_up()
    assert not recogniser._streams and len(recogniser._free) == recogniser.capacity


def test_an_unknown_policy_is_refused():
    with pytest.raises(ValueError, match=r"policy is 'causal', expected one of exact, windowed, frozen-kv"):
        BatchOptions(policy="causal")


@pytest.mark.parametrize("policy", POLICIES)
def test_hotwords_are_a_matter_of_the_stream_that_has_them(glm_directory: Path, policy: str, monkeypatch: pytest.MonkeyPatch):
    """Random weights doubt everything, so each whole window is read again; what others hear, and what is kept, stays as it is."""
    read_again = list[int]()
    hints = Readings._hints
    monkeypatch.setattr(Readings, "_hints", lambda *given: (read_again.append(1), hints(*given))[1])
    samples, context = sound(4.0, 2), DecodeContext(hotwords=((Hotword("LoRA", 3.0), Hotword("learning rate", 3.0)),))

    def heard(*contexts: DecodeContext) -> list[list[list[int]]]:
        recogniser = GlmAsrRecogniser(glm_directory, options(policy))
        streams = [Fed(f"{n}", samples) for n in range(len(contexts))]
        found = []
        for upto in (HOP, 3 * HOP, len(samples)):
            batch = [fed.request(upto, final=upto == len(samples)) for fed in streams]
            answers = recogniser.step(
                [replace(r, context=c, whole_window=upto > HOP) for r, c in zip(batch, contexts, strict=True)]
            )
            found.append([tokens(answer) for answer in answers])
        return [list(each) for each in zip(*found, strict=True)]

    plain, biased = heard(DecodeContext())[0], heard(context)[0]
    assert read_again and plain[-1] and biased[-1]
    assert heard(DecodeContext(), context, DecodeContext()) == [plain, biased, plain]
