"""What was heard just before an utterance."""

from __future__ import annotations

import numpy as np

from model.interfaces import Word
from streaming.audio.framer import FRAME_SAMPLES, AudioFrame
from streaming.context import RecentPast


def past(seconds: float, *, length_ms: int = 2_000, gap_ms: int = 1_000) -> RecentPast:
    """Every sample has its own position as its value."""
    made = RecentPast(length_ms, gap_ms)
    for start in range(0, round(seconds * 16_000), FRAME_SAMPLES):
        made.hear(AudioFrame(start, np.arange(start, start + FRAME_SAMPLES, dtype=np.float32)))
    return made


def word(start_s: float, end_s: float) -> Word:
    return Word(" w", round(start_s * 16_000), round(end_s * 16_000), 1.0)


def test_only_the_last_seconds_are_kept():
    heard = past(10.0).audio_before(160_000)
    assert (heard.start, len(heard.samples)) == (128_000, 32_000)
    assert heard.samples[0] == 128_000


def test_audio_from_the_start_of_the_utterance_on_is_not_context():
    heard = past(3.0).audio_before(40_000)
    assert heard.start + len(heard.samples) == 40_000


def test_it_starts_between_two_words_and_has_all_words_after_that():
    made = past(4.0)
    made.note((word(1.0, 2.4), word(2.6, 3.0), word(3.0, 3.5)))
    context = made.with_words(made.audio_before(64_000))
    assert [w.start for w in context.words] == [41_600, 48_000]
    assert context.start == (38_400 + 41_600) // 2 == context.samples[0]
    assert context.start + len(context.samples) == 64_000


def test_words_that_came_after_the_audio_was_taken_count():
    made = past(4.0)
    heard = made.audio_before(64_000)
    made.note((word(3.0, 3.5),))
    assert len(made.with_words(heard).words) == 1


def test_a_long_pause_ends_the_context():
    made = past(4.0)
    made.note((word(2.5, 2.9),))
    context = made.with_words(made.audio_before(64_000))
    assert (context.start, len(context.samples), context.words) == (64_000, 0, ())


def test_nothing_said_is_no_context():
    made = past(4.0)
    assert len(made.with_words(made.audio_before(64_000)).samples) == 0


def test_it_can_be_switched_off():
    made = past(4.0, length_ms=0)
    made.note((word(3.0, 3.9),))
    assert len(made.with_words(made.audio_before(64_000)).samples) == 0
