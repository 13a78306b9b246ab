"""Against transformers' feature extractor, and against itself however the audio comes."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import WhisperFeatureExtractor

from bench.speech import fan
from model.features import MelWindow, mel_filters, silent_value
from model.interfaces import Samples
from model.lengths import FRAME_SAMPLES, covering_frames
from tests.sounds import clip

FILTERS = mel_filters(80)
TARGET = 1.0


@pytest.fixture(scope="module")
def speech() -> Samples:
    sound, rate = soundfile.read(clip("en", "quick_brown_fox")[0], dtype="float32")
    assert rate == 16_000 and sound.ndim == 1
    return sound


def window(*pieces: Samples) -> MelWindow:
    found = MelWindow(FILTERS)
    for piece in pieces:
        found.append(piece)
    return found


def features(mel: MelWindow, frames: int | None = None) -> torch.Tensor:
    return mel.normalised(frames or covering_frames(mel.samples), mel.loudest(), TARGET)


def levelled(mel: MelWindow, frames: int) -> torch.Tensor:
    """Without our gain: (x + 4) / 4 of the levels as they are."""
    return (features(mel, frames) + (mel.loudest() - TARGET) / 4)[:, : 2 * frames]


@pytest.mark.parametrize("mels", [80, 128])
def test_the_filters_are_the_published_ones(mels):
    theirs = WhisperFeatureExtractor(feature_size=mels).mel_filters
    np.testing.assert_allclose(mel_filters(mels).T, theirs, atol=1e-6)


@pytest.mark.parametrize("gain", [1.0, 0.1])
def test_a_whole_clip_is_as_transformers_hears_it(speech, gain):
    theirs = WhisperFeatureExtractor()(gain * speech, sampling_rate=16_000, return_tensors="pt").input_features[0]
    torch.testing.assert_close(levelled(window(gain * speech), 1500), theirs, atol=2e-4, rtol=0)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 4000), max_size=12))
def test_cuts_do_not_matter(speech_cuts):
    sound, _ = soundfile.read(clip("en", "hello_world")[0], dtype="float32")
    pieces = np.split(sound, np.minimum(np.cumsum(speech_cuts), len(sound)).astype(int))
    torch.testing.assert_close(features(window(*pieces)), features(window(sound)), atol=1e-4, rtol=0)


@pytest.mark.parametrize("samples", [1, 199, 200, 201, 202, 399, 400, 401, 559, 560, 561])
def test_the_shortest_windows(speech, samples):
    head = speech[4000 : 4000 + samples] / np.abs(speech[4000 : 4000 + samples]).max()  # loud enough for eight decades
    theirs = WhisperFeatureExtractor()(head, sampling_rate=16_000, return_tensors="pt").input_features[0]
    torch.testing.assert_close(levelled(window(head), 5), theirs[:, :10], atol=2e-4, rtol=0)
    torch.testing.assert_close(features(window(*head.reshape(-1, 1)), 5), features(window(head), 5), atol=1e-4, rtol=0)


def test_the_level_of_the_speech_does_not_matter(speech):
    torch.testing.assert_close(features(window(0.1 * speech)), features(window(speech)), atol=1e-3, rtol=0)


def test_the_loudest_cell_is_moved_to_the_target_and_silence_lies_eight_decades_below(speech):
    found = features(window(speech, np.zeros(16_000, np.float32)))
    assert float(found.max()) == pytest.approx((TARGET + 4) / 4, abs=1e-5)
    assert float(found.min()) == pytest.approx(silent_value(TARGET), abs=1e-5)
    assert torch.all(found[:, -80:] == silent_value(TARGET))


@pytest.mark.parametrize("frames", [1, 10, 55])
def test_after_a_drop_the_rest_is_as_it_was(speech, frames):
    whole, dropped = window(speech), window(speech)
    dropped.drop(frames * FRAME_SAMPLES)
    level = whole.loudest()
    rest = covering_frames(dropped.samples)
    before = whole.normalised(frames + rest, level, TARGET)[:, 2 * frames :]
    torch.testing.assert_close(dropped.normalised(rest, level, TARGET), before, atol=1e-5, rtol=0)


@pytest.mark.parametrize("heard", [16_000, 16_001, 16_199, 16_200, 16_201, 20_000])
def test_a_window_goes_on_after_a_drop_even_of_all_that_it_heard(speech, heard):
    whole, parts = window(speech), window(speech[:heard])
    parts.drop(16_000)
    parts.append(speech[heard:])
    level, rest = whole.loudest(), covering_frames(parts.samples)
    expected = whole.normalised(50 + rest, level, TARGET)[:, 100:]
    torch.testing.assert_close(parts.normalised(rest, level, TARGET), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("samples", [0, 100, 5000])
def test_zeros_are_as_silent_as_what_is_padded(samples):
    quiet = window(np.zeros(samples, np.float32)).normalised(20, -1.5, TARGET)
    assert torch.all(quiet == silent_value(TARGET))


def test_noise_is_taken_out_of_the_bands_that_hold_it(speech):
    noise = fan(len(speech), 0.3 * float(np.sqrt(np.mean(speech**2))))
    noisy, frames = window(speech + noise), covering_frames(len(speech))
    cleared = noisy.cleared(frames, -1.5, TARGET)
    assert cleared is not None and cleared.shape == features(noisy).shape
    clean, before = features(window(speech)), features(noisy)
    pauses = before[:, : 2 * frames].mean(0) < before[:, : 2 * frames].mean(0).quantile(0.2)

    def difference(found: torch.Tensor) -> float:
        return float((found - clean)[:, : 2 * frames][:, pauses].abs().mean())

    assert difference(cleared) < difference(before)


def test_sound_without_noise_has_none_taken_out(speech):
    quiet = np.concatenate([speech, np.zeros(len(speech), np.float32)])
    assert window(quiet).cleared(covering_frames(len(quiet)), -1.5, TARGET) is None
    assert window(np.zeros(0, np.float32)).cleared(1, -1.5, TARGET) is None


def test_voice_is_told_from_what_is_around_it(speech):
    sound = np.concatenate([np.zeros(16_000, np.float32), speech[:32_000], np.zeros(16_000, np.float32)])
    noisy = sound + fan(len(sound), 0.1 * float(np.sqrt(np.mean(speech**2))))
    for heard in (sound, noisy.astype(np.float32)):
        found = window(heard).voiced()
        assert abs(len(found) - len(heard) // 320) <= 1
        assert not found[5:40].any() and found[55:145].mean() > 0.8 and not found[160:195].any()
    assert not window(np.zeros(0, np.float32)).voiced().any()


def test_a_part_is_heard_as_if_it_were_alone(speech):
    found = window(speech).part(50, 100, 80, -1.5, TARGET)
    alone = window(speech[16_000:32_000]).normalised(50, window(speech[16_000:32_000]).loudest(), TARGET)
    assert found.shape == (80, 161)
    assert torch.all(found[:, :30] == silent_value(TARGET)) and torch.all(found[:, 130:] == silent_value(TARGET))
    torch.testing.assert_close(found[:, 32:126], alone[:, 2:96], atol=0.05, rtol=0)
