"""One room, without sockets: what viewers are told, and what is kept for those who come later."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from model.interfaces import Word
from server.captions import TOO_SLOW, Caption, Ending, Room, RoomLimits, Seat
from streaming.errors import ClientFault
from streaming.events import FinalTranscript, PartialTranscript, SpeechStarted

WORD = Word(" word", 0, 16_000, 0.9)


class Voice:
    """A speaker that notes what it is told."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []

    def tell(self, message: str) -> None:
        self.told.append(json.loads(message))

    def end(self, error: ClientFault) -> None:
        raise AssertionError(error)


def final(number: int, *words: Word) -> FinalTranscript:
    return FinalTranscript(number, words, 0, 16_000, "en", 0.9, "endpoint", ("en",))


def partial(number: int, *words: Word) -> PartialTranscript:
    return PartialTranscript(number, 1, (), words, 0, 16_000, "en")


def room(now: float = 0.0, **limits: Any) -> Room:
    return Room("stage", replace(RoomLimits(), **limits), lambda: now)


def messages(seat: Seat) -> list[Any]:
    """All that waits in it."""

    async def all_of_it() -> list[Caption | Ending]:
        count = len(seat._waiting)
        return [await seat.get() for _ in range(count)]

    items = asyncio.run(all_of_it())
    return [json.loads(item.text) if isinstance(item, Caption) else item for item in items]


def texts(history: list[dict[str, Any]]) -> list[int]:
    return [each["utterance"] for each in history]


def test_what_viewers_are_told_is_what_the_native_protocol_says():
    one = room(now=1_767_225_600.1234)
    seat = one.enter()
    with one.spoken_in("s1", Voice()):
        one.publish([SpeechStarted(0, 0), partial(0, WORD), final(0, WORD), final(1)])
    first, begins, present, said, ends = messages(seat)
    assert first == {"type": "room", "room": "stage", "live": False, "viewers": 1, "history": [], "partial": None}
    assert (begins, ends) == ({"type": "speaker", "live": True}, {"type": "speaker", "live": False})
    assert present["type"] == "partial" and present["session"] == "s1" and present["unstable"][0]["text"] == " word"
    assert said["type"] == "final" and said["text"] == "word" and said["at"] == 1_767_225_600.123 and "seq" not in said


def test_who_comes_late_gets_the_past_and_the_present():
    one = room()
    with one.spoken_in("s1", Voice()):
        one.publish([partial(0, WORD), final(0, WORD), partial(1, WORD, WORD)])
        (about,) = messages(one.enter())
        assert about["live"] and texts(about["history"]) == [0] and about["partial"]["text"] == "word word"
    (about,) = messages(one.enter())
    assert not about["live"] and about["partial"] is None and about["viewers"] == 2


def test_a_partial_that_came_to_nothing_is_taken_back():
    one = room()
    with one.spoken_in("s1", Voice()):
        seat = one.enter()
        one.publish([partial(4, WORD)])
        assert [m["type"] for m in messages(seat)] == ["room", "partial"]
        one.publish([final(4)])
        (back,) = messages(seat)
        assert (back["type"], back["utterance"], back["text"], back["stable"] + back["unstable"]) == ("partial", 4, "", [])
        assert messages(one.enter())[0]["partial"] is None


@pytest.mark.parametrize(
    ("limits", "kept"), [({"history": 3}, [7, 8, 9]), ({"history_bytes": 600}, [8, 9]), ({"history_s": 4.0}, [5, 6, 7, 8, 9])]
)
def test_the_past_has_bounds(limits: dict[str, Any], kept: list[int]):
    now = 0.0
    one = Room("stage", replace(RoomLimits(), **limits), lambda: now)
    with one.spoken_in("s1", Voice()):
        for number in range(10):
            now = float(number)
            one.publish([final(number, WORD)])
    assert texts(messages(one.enter())[0]["history"]) == kept
    if "history_s" in limits:
        now = 60.0
        assert messages(one.enter())[0]["history"] == []


def test_who_takes_nothing_loses_partials_then_its_seat():
    one = room(max_waiting=4)
    slow, quick = one.enter(), one.enter()
    messages(quick)
    with one.spoken_in("s1", Voice()):
        for number in range(100):
            one.publish([partial(0, *([WORD] * number))])
        assert [m["type"] for m in messages(slow)] == ["room", "speaker", "partial"]
        for number in range(5):
            one.publish([final(number, WORD)])
            messages(quick)
        one.publish([final(5, WORD)])
        assert messages(slow) == [TOO_SLOW]
        assert texts(messages(quick)) == [5]


def test_the_number_of_viewers_is_told_when_it_has_changed():
    one, voice = room(), Voice()
    seats = [one.enter(), one.enter()]
    with one.spoken_in("s1", voice):
        one.tell_viewers()
        one.tell_viewers()
        one.seats.discard(seats.pop())
        one.tell_viewers()
    assert voice.told == [{"type": "viewers", "viewers": 2}, {"type": "viewers", "viewers": 1}]
    assert [m for m in messages(seats[0]) if m["type"] == "viewers"] == [{"type": "viewers", "viewers": 1}]


def test_an_end_comes_after_what_waits():
    one = room()
    with one.spoken_in("s1", Voice()):
        seat = one.enter()
        one.publish([final(0, WORD)])
        one.end()
    about, said, ending, _ = messages(seat)
    assert (about["type"], said["type"], ending.code) == ("room", "final", 1012)
