from __future__ import annotations

from model.decoding import Row
from model.whisper.text import _undoubted


def test_a_hotword_that_the_model_doubts_says_nothing_against_the_speech():
    row = Row(None, [], [], [], 10, frozenset())
    row.log_probabilities = [-0.1, -5.0, -0.2]
    assert _undoubted(row) == [-0.1, -5.0, -0.2]
    row.near = [[(7, -0.1)], [(8, -0.5), (9, -5.0)], []]
    assert _undoubted(row) == [-0.1, -0.5, -0.2]
