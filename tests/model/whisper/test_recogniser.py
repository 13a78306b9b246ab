"""The embedded model on recorded speech, fed as a session feeds it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from transformers import WhisperFeatureExtractor, WhisperForConditionalGeneration

from bench.score import errors, tokens
from model.features import MelWindow, mel_filters
from model.interfaces import DecodeContext, Hypothesis, Roll, Samples, StepRequest, UtteranceId, Word
from model.whisper.recogniser import WhisperOptions, WhisperRecogniser
from tests.helpers import silence, voice
from tests.sounds import clip

CLIPS = [("en", "quick_brown_fox"), ("en", "counting"), ("zh", "pangrama"), ("es", "pangrama")]
HOP = 6_400  # 0.4 s


def heard(language: str, name: str) -> Samples:
    sound, rate = soundfile.read(clip(language, name)[0], dtype="float32")
    assert rate == 16_000
    return np.concatenate([sound, np.zeros(-len(sound) % HOP + HOP, np.float32)])


def text(words: Sequence[Word]) -> str:
    return "".join(word.text for word in words).strip()


class Fed:
    """One utterance, its requests numbered and its audio cut into them."""

    def __init__(self, name: str, samples: Samples, language: str | None = None, start: int = 0) -> None:
        self.utterance, self.samples, self.start = UtteranceId(name, 0), samples, start
        self.context = DecodeContext(language=language)
        self.revision = self.at = 0

    def request(self, upto: int, *, final: bool = False, stable: tuple[Word, ...] = (), roll: Roll | None = None) -> StepRequest:
        piece, position = self.samples[self.at : upto], self.start + self.at
        self.at, self.revision = min(upto, len(self.samples)), self.revision + 1
        return StepRequest(
            self.utterance, self.revision, position, piece, final, final, 0.0, stable=stable, context=self.context, roll=roll
        )


def one_shot(recogniser: WhisperRecogniser, samples: Samples, language: str | None = None, name: str = "whole") -> Hypothesis:
    return recogniser.step([Fed(name, samples, language).request(len(samples), final=True)])[0]


def step_by_step(recogniser: WhisperRecogniser, fed: Fed) -> Iterator[Hypothesis]:
    for upto in range(HOP, len(fed.samples), HOP):
        yield recogniser.step([fed.request(upto)])[0]
    yield recogniser.step([fed.request(len(fed.samples), final=True)])[0]


def error_rate(reference: str, said: str, language: str) -> float:
    expected = tokens(reference, language)
    return errors(expected, tokens(said, language)) / len(expected)


@pytest.mark.parametrize(("language", "name"), CLIPS)
def test_what_was_said(recogniser, language, name):
    hypothesis = one_shot(recogniser, heard(language, name))
    assert hypothesis.language == language and hypothesis.language_confidence > 0.5
    said = text(hypothesis.words).replace("1, 2, 3, 4, 5, 6, 7, 8, 9, 10", "one two three four five six seven eight nine ten")
    assert error_rate(clip(language, name)[1], said, language) <= 0.45  # of few words, by the smallest model


@pytest.mark.parametrize(("language", "name"), CLIPS[:3])
def test_in_float32_it_says_what_transformers_says(embedded_directory: Path, language: str, name: str):
    """With the silence up to 30 s in the window, as the reference has it, and the gain left as it is."""
    samples = np.pad(heard(language, name), (0, 480_000))[:480_000]
    mel = MelWindow(mel_filters(80))
    mel.append(samples)
    exact = WhisperOptions("float32", "float32", "float32", loudest=mel.loudest(), final_zeros=0)
    found = one_shot(WhisperRecogniser(embedded_directory, exact), samples, language)
    model = WhisperForConditionalGeneration.from_pretrained(embedded_directory, dtype=torch.float32)
    features = WhisperFeatureExtractor()(samples, sampling_rate=16_000, return_tensors="pt").input_features
    ids = model.generate(features, language=language, task="transcribe", return_timestamps=False)[0].tolist()
    expected = [i for i in ids if i < 50257]
    assert len(expected) > 5
    assert [t for word in found.words for t in word.tokens] == expected


@pytest.mark.parametrize(("language", "name"), CLIPS)
def test_step_by_step_ends_where_one_shot_ends(recogniser, language, name):
    samples = heard(language, name)
    *partials, final = step_by_step(recogniser, Fed("steps", samples, language))
    assert text(final.words) == text(one_shot(recogniser, samples, language).words)
    assert final.is_final and not any(p.is_final for p in partials)
    assert [p.revision for p in partials] == list(range(1, len(partials) + 1))
    assert text(partials[len(partials) * 3 // 4].words), "nothing was shown while it was said"


def test_a_batch_says_what_each_says_alone(recogniser):
    samples = {f"{language}-{name}": heard(language, name) for language, name in CLIPS}
    alone = {name: list(step_by_step(recogniser, Fed(f"alone {name}", s))) for name, s in samples.items()}
    fed = [Fed(name, s) for name, s in samples.items()]
    together: dict[str, list[Hypothesis]] = {name: [] for name in samples}
    while waiting := [f for f in fed if f.at < len(f.samples)]:
        batch = [f.request(f.at + HOP, final=f.at + HOP >= len(f.samples)) for f in waiting]
        for f, hypothesis in zip(waiting, recogniser.step(batch), strict=True):
            together[f.utterance.session].append(hypothesis)
    for name in samples:
        assert [text(h.words) for h in together[name]] == [text(h.words) for h in alone[name]]


def test_lanes_change_nothing(embedded_directory):
    samples = [heard(language, name) for language, name in CLIPS]
    requests = [[Fed(str(i), s).request(len(s), final=True) for i, s in enumerate(samples)] for _ in range(2)]
    one, two = (WhisperRecogniser(embedded_directory, WhisperOptions(lanes=lanes)) for lanes in (1, 3))
    assert [text(h.words) for h in one.step(requests[0])] == [text(h.words) for h in two.step(requests[1])]


@pytest.mark.parametrize("start", [0, 123 * 16_000])
def test_word_times_run_forwards_within_the_audio(recogniser, start):
    samples = heard("en", "counting")
    fed = Fed("times", samples, "en", start)
    (final,) = recogniser.step([fed.request(len(samples), final=True)])
    times = [t for word in final.words for t in (word.start, word.end)]
    assert times == sorted(times) and start <= times[0] and times[-1] <= final.audio_end == start + len(samples)
    assert all(word.end > word.start for word in final.words)
    loud = np.flatnonzero(np.abs(samples) > 0.02)
    assert abs(times[0] - start - loud[0]) < 8_000 and abs(times[-1] - start - loud[-1]) < 8_000


def test_silence_and_noise_say_nothing(recogniser):
    rng = np.random.default_rng(0)
    hum = (0.2 * np.sin(2 * np.pi * 100 * np.arange(80_000) / 16_000)).astype(np.float32)
    noise = (0.1 * rng.standard_normal(80_000)).astype(np.float32)
    for sound in (np.zeros(80_000, np.float32), silence(5.0), hum, noise, np.zeros(1, np.float32), np.zeros(0, np.float32)):
        assert one_shot(recogniser, sound).words == ()


@pytest.mark.parametrize("language", [None, "en", "zh"])
@pytest.mark.parametrize("opening", [320, 640, 1600])
def test_noise_that_sets_in_says_nothing(recogniser, opening, language):
    """As when a microphone opens; the model is far less sure then that nobody speaks."""
    noise = (0.05 * np.random.default_rng(0).standard_normal(128_000)).astype(np.float32)
    assert one_shot(recogniser, np.concatenate([np.zeros(opening, np.float32), noise]), language).words == ()


def test_a_buzz_of_formants_does_not_run_on(recogniser):
    """What webrtcvad takes for speech, but nobody said."""
    assert len(one_shot(recogniser, voice(5.0)).words) <= 12


def test_a_language_that_is_given_is_kept(recogniser):
    hypothesis = one_shot(recogniser, heard("es", "pangrama"), "en")
    assert hypothesis.language == "en" and hypothesis.language_confidence == 1.0


def test_stable_words_are_kept_as_they_are(recogniser):
    samples = heard("en", "quick_brown_fox")
    fed = Fed("stable", samples, "en")
    (partial,) = recogniser.step([fed.request(len(samples) // 2)])
    stable = partial.words[:2]
    assert len(stable) == 2
    for upto, final in ((len(samples) * 3 // 4, False), (len(samples), True)):
        (hypothesis,) = recogniser.step([fed.request(upto, final=final, stable=stable)])
        assert hypothesis.words[:2] == stable
    assert text(hypothesis.words) == text(one_shot(recogniser, samples, "en").words)


def test_settled_words_stay_as_they_were_heard_first(recogniser):
    samples, changed = heard("en", "quick_brown_fox"), 0
    for cut in range(HOP, len(samples), HOP):
        fed = Fed(f"settled {cut}", samples, "en")
        (partial,) = recogniser.step([fed.request(cut)])
        (hypothesis,) = recogniser.step([replace(fed.request(len(samples), final=True), settled=partial.words)])
        assert text(hypothesis.words).startswith(text(partial.words))
        changed += not text(one_shot(recogniser, samples, "en").words).startswith(text(partial.words))
    assert changed >= 2


def test_a_window_that_rolls_goes_on_after_what_is_committed(recogniser):
    samples = np.concatenate([heard("en", "counting"), heard("en", "quick_brown_fox")])
    fed, first = Fed("roll", samples, "en"), len(heard("en", "counting"))
    (before,) = recogniser.step([fed.request(first)])
    roll = Roll(keep_from=before.words[-1].end, committed=before.words)
    (after,) = recogniser.step([fed.request(len(samples), final=True, roll=roll)])
    assert error_rate(clip("en", "quick_brown_fox")[1], text(after.words), "en") <= 0.35
    assert after.words[0].start >= roll.keep_from - 320 and after.audio_end == len(samples)


def test_slots_go_back_to_the_pool(recogniser):
    for i in range(4):
        one_shot(recogniser, heard("en", "hello_world"), name=f"again {i}")
    assert not recogniser._streams
    free = len(recogniser._free)
    fed = Fed("left", heard("en", "hello_world"))
    recogniser.step([fed.request(HOP)])
    assert len(recogniser._free) == free - 1
    recogniser.close(fed.utterance)
    recogniser.close(fed.utterance)  # and once more does no harm
    assert len(recogniser._free) == free and not recogniser._streams


def test_a_slot_remembers_nothing_of_who_had_it(embedded_directory):
    alone = WhisperRecogniser(embedded_directory, WhisperOptions(lanes=1))
    expected = text(one_shot(alone, heard("en", "hello_world")).words)
    for language, name in CLIPS:
        one_shot(alone, heard(language, name))
        assert text(one_shot(alone, heard("en", "hello_world")).words) == expected
    assert len(alone._free) == 1


def test_confidence_is_a_probability_and_lower_where_it_is_wrong(recogniser):
    right = one_shot(recogniser, heard("en", "quick_brown_fox"), "en")
    wrong = one_shot(recogniser, heard("zh", "pangrama"), "es")
    mean = [np.mean([word.confidence for word in h.words]) for h in (right, wrong) if h.words]
    assert all(0 <= word.confidence <= 1 for h in (right, wrong) for word in h.words)
    assert len(mean) == 1 or mean[0] > mean[1]


def test_warming_up_leaves_nothing_open(recogniser):
    recogniser.warm_up()
    assert not recogniser._streams


def test_it_says_where_a_guard_has_stopped_it(recogniser: WhisperRecogniser, monkeypatch: pytest.MonkeyPatch):
    sound = heard("en", "quick_brown_fox")
    whole = one_shot(recogniser, sound, "en")
    monkeypatch.setattr(recogniser._text, "options", replace(recogniser._text.options, tokens_per_second=0.0))
    cut = one_shot(recogniser, sound, "en")
    assert cut.is_cut and not whole.is_cut and cut.compute_s == whole.compute_s == 0.0
    assert [w.text for w in cut.words] == [w.text for w in whole.words][: len(cut.words)] and cut.words
