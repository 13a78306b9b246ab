"""The dial between soon and right: what it does to a session."""

from __future__ import annotations

from itertools import pairwise

import pytest

from streaming.commands import Close, SessionConfig
from streaming.events import Event, FinalTranscript, PartialTranscript
from streaming.pace import PACES, Pace
from streaming.planner import PlannerConfig
from tests.helpers import paced, random_cuts, s16, talk, transcribe

SPEECH = s16(talk(0.4, 9.0, 0.9))


def told(pace: Pace) -> list[Event]:
    script = paced(random_cuts(SPEECH, 1, 3_200), 32_000)
    return transcribe([*script, (script[-1][0], Close())], SessionConfig(pace=pace), step_s=(0.01, 0.02))


def waited_ms(events: list[Event]) -> list[int]:
    """How much audio followed each word before it was stable, for those that were before the final."""
    counted, waited = 0, []
    for event in events:
        if isinstance(event, PartialTranscript):
            waited += [(event.end - word.end) // 16 for word in event.stable[counted:]]
            counted = max(counted, len(event.stable))
    return waited


def finals(events: list[Event]) -> list[str]:
    return ["".join(w.text for w in e.words) for e in events if isinstance(e, FinalTranscript)]


def test_each_step_of_the_dial_waits_longer():
    heard = {name: waited_ms(told(pace)) for name, pace in PACES.items()}
    assert list(heard) == ["minimal", "low", "medium", "high", "xhigh"]
    means = [sum(waited) / len(waited) for waited in heard.values()]
    assert all(slower > 1.1 * faster for faster, slower in pairwise(means)), means
    assert all(min(waited) >= PACES[name].margin_ms for name, waited in heard.items())


def test_what_is_not_waited_for_is_paid_for_in_mistakes():
    said = {name: finals(told(pace))[0].split() for name, pace in PACES.items()}
    right = {name: sum(map(str.__eq__, words, said["xhigh"])) for name, words in said.items()}
    assert right["minimal"] < right["medium"] == right["xhigh"] == len(said["xhigh"]) > 20


def test_the_ordinary_pace_is_the_one_of_a_session_that_asks_for_none():
    assert SessionConfig().pace == PACES["medium"]


@pytest.mark.parametrize(("name", "interval_ms"), [("minimal", 200), ("low", 300), ("medium", 400), ("xhigh", 400)])
def test_partials_come_as_often_as_the_pace_has_them(name: str, interval_ms: int):
    config = PlannerConfig(partial_interval_ms=400)
    assert config.at(PACES[name]).partial_interval_ms == interval_ms
    assert config.at(PACES[name]).most_ms == config.most_ms


def test_with_hotwords_doubtful_words_wait_at_every_pace():
    paces = {name: pace.with_hotwords() for name, pace in PACES.items()}
    assert {pace.least_confidence + pace.more_confidence for pace in paces.values()} == {0.8}
    assert [pace.least_confidence for pace in paces.values()] == [pace.least_confidence for pace in PACES.values()]
    assert [pace.margin_ms for pace in paces.values()] == [pace.margin_ms for pace in PACES.values()]
