"""Voice activity, on synthetic voice and noise."""

from __future__ import annotations

import numpy as np
import pytest

from streaming.audio.framer import Framer
from streaming.vad import SpeechDecision, VadConfig, WebRtcDetector, decibels
from tests.helpers import silence, voice


def decisions(*parts: np.ndarray) -> list[SpeechDecision]:
    detector = WebRtcDetector()
    return [detector.process(frame) for frame in Framer().process(np.concatenate(parts))]


@pytest.mark.parametrize("level", [0.005, 0.05, 0.5])
@pytest.mark.parametrize("pitch_hz", [90, 140, 260])
def test_voice_is_voiced_and_what_surrounds_it_is_not(level, pitch_hz):
    found = decisions(silence(1.0, level=1e-5), voice(2.0, level=level, pitch_hz=pitch_hz), silence(1.0, level=1e-5))
    assert not any(d.is_voiced for d in found[:50])
    assert all(d.is_voiced for d in found[52:148])
    assert not any(d.is_voiced for d in found[151:])


def test_onset_needs_several_voiced_frames_and_comes_within_the_pre_roll():
    config = VadConfig()
    found = decisions(silence(1.0), voice(1.0))
    onset = next(i for i, d in enumerate(found) if d.is_onset)
    assert sum(d.is_voiced for d in found[: onset + 1]) >= config.onset_voiced
    assert onset - 50 < 15
    click = decisions(silence(1.0), voice(0.04), silence(1.0))
    assert not any(d.is_onset for d in click)


def test_speech_from_the_first_sample_is_heard():
    assert next(i for i, d in enumerate(decisions(voice(1.0))) if d.is_onset) < 8


@pytest.mark.parametrize("level", [1e-5, 1e-3])
def test_steady_noise_is_background_after_a_moment(level):
    found = decisions(silence(12.0, level=level, seed=3))
    assert not any(d.is_onset for d in found[250:])


def test_digital_silence_is_silence():
    assert not any(d.is_voiced for d in decisions(np.zeros(32_000, np.float32)))


def test_the_floor_adapts_to_louder_surroundings_and_voice_above_it_is_still_heard():
    hum = silence(20.0, level=0.01, seed=1)
    speaking = hum.copy()
    speaking[240_000:272_000] += voice(2.0, level=0.4)
    found = decisions(speaking)
    assert sum(d.is_voiced for d in found[750:850]) > 90
    assert not any(d.is_onset for d in found[500:750])


def test_decibels_are_relative_to_full_scale():
    assert decibels(np.ones(320, np.float32)) == pytest.approx(0.0, abs=1e-6)
    assert decibels(np.full(320, 0.1, np.float32)) == pytest.approx(-20.0, abs=1e-3)
    assert decibels(np.zeros(320, np.float32)) <= -119


def test_a_higher_threshold_wants_a_voice_that_stands_out_more():
    background, speech = silence(3.0, level=0.01), voice(2.0, level=0.04) + silence(2.0, level=0.01, seed=1)

    def voiced(threshold: float) -> int:
        detector = WebRtcDetector()
        detector.threshold = threshold
        return sum(detector.process(frame).is_voiced for frame in Framer().process(np.concatenate([background, speech])))

    low, ordinary, high = voiced(0.2), voiced(0.5), voiced(1.0)
    assert low > ordinary > high
