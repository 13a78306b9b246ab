"""Voice without words: where it is found."""

from __future__ import annotations

import numpy as np
import pytest

from model.interfaces import Word
from streaming.coverage import Coverage, Gap
from streaming.segmenter import Began, Went


def voiced(*stretches: tuple[float, float]) -> Coverage:
    """Voice in these seconds; it begins with the first."""
    onset = round(stretches[0][0] * 16_000) + 960
    made = Coverage(Began(onset - 960, np.zeros(960, np.float32), onset))
    for end in range(onset + 320, round(stretches[-1][1] * 16_000) + 1, 320):
        is_voiced = any(start * 16_000 < end <= stop * 16_000 for start, stop in stretches)
        made.hear(Went(np.zeros(320, np.float32), 0 if is_voiced else 20, end))
    return made


def word(start_s: float, end_s: float) -> Word:
    return Word(" w", round(start_s * 16_000), round(end_s * 16_000), 0.9)


def test_it_counts_voice():
    made = voiced((0.0, 1.0), (2.0, 3.0))
    assert made.voiced_ms(0, 16_000) == made.voiced_ms(0, 32_000) == 1000
    assert made.voiced_ms(8_000, 40_000) == 1000


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([word(0.0, 0.9), word(1.0, 2.0), word(2.3, 3.9)], None),
        ([word(0.0, 1.0), word(1.0, 2.0)], Gap(2, 32_000, 64_000)),  # after
        ([word(2.5, 3.2), word(3.2, 4.0)], Gap(0, 0, 40_000)),  # before
        ([word(0.0, 1.0), word(3.0, 4.0)], Gap(1, 16_000, 48_000)),  # between
        ([word(0.0, 2.5), word(2.5, 4.0)], Gap(0, 0, 24_000)),  # below a stretched word
        ([word(0.0, 2.2), word(2.2, 4.4), word(4.4, 5.0)], Gap(0, 0, 54_400)),  # below two of them
        ([], Gap(0, 0, 64_000)),
    ],
)
def test_it_finds_the_voice_that_has_no_words(words: list[Word], expected: Gap | None):
    made = voiced((0.0, 5.0))
    assert made.gap(words, 0, 64_000, 1_000, 1_000) == expected


def test_silence_needs_no_words():
    assert voiced((0.0, 1.0), (3.0, 4.0)).gap([word(0.0, 1.0), word(3.0, 4.0)], 0, 64_000, 1_000, 1_000) is None


def test_what_comes_after_the_last_word_has_its_own_limit():
    made, words = voiced((0.0, 2.0)), [word(0.0, 1.5)]
    assert made.gap(words, 0, 32_000, 1_000, 1_000) is None
    assert made.gap(words, 0, 32_000, 1_000, 400) == Gap(1, 24_000, 32_000)
