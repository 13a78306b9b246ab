"""Frames and decisions → utterances; the decisions are given."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streaming.audio.framer import FRAME_SAMPLES, AudioFrame
from streaming.commands import EndpointingConfig
from streaming.segmenter import Began, Ended, Segment, Segmenter, Went
from streaming.vad import SpeechDecision

CONFIG = EndpointingConfig(silence_ms=500, max_utterance_ms=5_000)
PRE_ROLL_MS = CONFIG.pre_roll_ms


class Dictated:
    """Decisions written as text: '#' voiced, '.' not; onset at the third voiced frame in a row."""

    def __init__(self, marks: str) -> None:
        self._marks = marks
        self.threshold = 0.5

    def process(self, frame: AudioFrame) -> SpeechDecision:
        i = frame.start // FRAME_SAMPLES
        return SpeechDecision(frame.start, self._marks[i] == "#", self._marks[max(0, i - 2) : i + 1] == "###")


def frames(count: int) -> list[AudioFrame]:
    return [AudioFrame(i * FRAME_SAMPLES, np.full(FRAME_SAMPLES, i, np.float32)) for i in range(count)]


def segments(marks: str, config: EndpointingConfig = CONFIG) -> list[Segment]:
    segmenter = Segmenter(config, Dictated(marks))
    return [segment for frame in frames(len(marks)) for segment in segmenter.process(frame)]


def bounds(found: list[Segment]) -> list[tuple[str, int]]:
    """Where utterances begin and end, in frames."""
    return [
        ("began", s.start // FRAME_SAMPLES) if isinstance(s, Began) else (s.reason, s.at // FRAME_SAMPLES)
        for s in found
        if not isinstance(s, Went)
    ]


def test_an_utterance_has_its_pre_roll_and_ends_after_the_silence():
    found = segments("." * 30 + "#" * 20 + "." * 40)
    assert bounds(found) == [("began", 33 - PRE_ROLL_MS // 20), ("endpoint", 50 + 25)]
    assert found[0].voiced_end == 33 * FRAME_SAMPLES


def test_the_pre_roll_is_a_matter_of_configuration_but_never_less_than_the_onset():
    for wanted_ms, got in ((300, 15), (0, 6), (600, 30)):
        config = EndpointingConfig(silence_ms=500, pre_roll_ms=wanted_ms)
        assert bounds(segments("." * 40 + "#" * 20, config)) == [("began", 43 - got)]


def test_the_detector_is_told_its_threshold():
    detector = Dictated("")
    segmenter = Segmenter(EndpointingConfig(threshold=0.8), detector)
    assert detector.threshold == 0.8
    segmenter.configure(EndpointingConfig())
    assert detector.threshold == 0.5


def test_a_short_pause_does_not_end_it():
    found = segments("#" * 20 + "." * 24 + "#" * 5 + "." * 25)
    assert bounds(found) == [("began", 0), ("endpoint", 74)]
    silences = [s.silence_ms for s in found if isinstance(s, Went)]
    assert max(silences[:-6]) == 480 and silences[-1] == 500


def test_pre_roll_does_not_reach_into_the_utterance_before():
    found = segments("#" * 20 + "." * 25 + "###" + "." * 30)
    assert bounds(found)[1:3] == [("endpoint", 45), ("began", 45)]


def test_speech_that_is_too_long_goes_on_in_the_next_utterance():
    found = segments("#" * 300)
    assert bounds(found) == [("began", 0), ("too_long", 250), ("began", 250)]


def test_near_the_greatest_length_an_unvoiced_frame_is_enough():
    found = segments("#" * 180 + "." + "#" * 50)
    assert bounds(found)[:3] == [("began", 0), ("too_long", 181), ("began", 181)]


@given(st.text("#.", min_size=1, max_size=700), st.sets(st.integers(0, 700)))
def test_every_frame_is_in_one_utterance_or_in_silence(marks, ends):
    segmenter = Segmenter(CONFIG, Dictated(marks))
    at, begun, heard = 0, None, []
    for frame in frames(len(marks)):
        found = segmenter.process(frame)
        if frame.start // FRAME_SAMPLES in ends:
            found += segmenter.end("finalize")
        for segment in found:
            match segment:
                case Began(start, samples):
                    assert begun is None and start >= at
                    begun, heard = start, [samples]
                case Went(samples):
                    assert begun is not None
                    heard.append(samples)
                case Ended(end):
                    audio = np.concatenate(heard)
                    assert begun + len(audio) == end == frame.end
                    assert np.array_equal(audio, np.arange(begun, end) // FRAME_SAMPLES)
                    at, begun = end, None


def test_there_is_nothing_to_end_in_silence():
    segmenter = Segmenter(CONFIG, Dictated("." * 10))
    for frame in frames(10):
        assert segmenter.process(frame) == []
    assert segmenter.end("close") == []
    assert segmenter.position == 10 * FRAME_SAMPLES


def test_rules_can_change():
    segmenter = Segmenter(CONFIG, Dictated("#" * 10 + "." * 50))
    segmenter.configure(EndpointingConfig(silence_ms=100))
    found = [segment for frame in frames(60) for segment in segmenter.process(frame)]
    assert bounds(found) == [("began", 0), ("endpoint", 15)]
