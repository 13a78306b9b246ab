"""Channels: each is a session of its own, whatever the bytes are cut into."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.scripted import ScriptedRecogniser
from streaming.channels import Channels
from streaming.commands import Append, AudioFormat, Close, Configure, Encoding, SessionConfig
from streaming.errors import UnsupportedAudio
from streaming.events import Closed, Configured, ErrorEvent, Event, FinalTranscript
from streaming.session import Session, SessionLimits
from tests.helpers import random_cuts, s16, talk

LEFT, RIGHT = talk(0.3, 1.2, 1.5), talk(1.0, 0.9, 1.1)


def run(session: Session | Channels, pieces: list[bytes], channels: int) -> list[Event]:
    """All events; the recogniser answers at once."""
    recogniser, events = ScriptedRecogniser(), list[Event]()
    commands = [Configure(SessionConfig(AudioFormat(Encoding.S16LE, channels=channels), partials=False))]
    for command in [*commands, *map(Append, pieces), Close()]:
        session.receive(command, now=0.0)
        while requests := session.requests_to_submit():
            for utterance in session.streams_to_close():
                recogniser.close(utterance)
            for answer in recogniser.step(requests):
                session.receive_hypothesis(answer, now=0.0)
        events += session.events_to_send()
    return events


def finals(events: list[Event], channel: int = 0) -> list[tuple[str, int, int]]:
    found = [e for e in events if isinstance(e, FinalTranscript) and e.channel == channel]
    return [("".join(w.text for w in f.words), f.start, f.end) for f in found]


def made(name: str) -> Session:
    return Session(name, SessionLimits())


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1_000))
def test_each_channel_is_heard_as_if_it_were_alone(seed: int):
    size = min(len(LEFT), len(RIGHT))
    both = s16(np.stack([LEFT[:size], RIGHT[:size]], 1))
    events = run(Channels("s", 2, made), random_cuts(both, seed, 3_001), 2)
    for number, sound in enumerate((LEFT, RIGHT)):
        alone = run(made(f"s.{number}"), [s16(sound[:size])], 1)
        assert finals(events, number) == finals(alone) and finals(alone)
    assert sum(isinstance(e, Configured) for e in events) == 1
    (closed,) = (e for e in events if isinstance(e, Closed))
    assert events[-1] is closed and closed.audio == size and closed.utterances == 2


def test_what_is_wrong_with_all_is_told_once():
    channels = Channels("s", 3, made)
    channels.abort(UnsupportedAudio("no sound"), now=0.0)
    events = channels.events_to_send()
    assert [type(e) for e in events] == [ErrorEvent, Closed] and channels.is_closed
    assert channels.events_to_send() == []


def test_names_and_deadlines():
    channels = Channels("s", 2, made)
    assert channels.names == ("s.0", "s.1") and channels.next_deadline() is None and channels.backlog == 0
    channels.receive(Configure(SessionConfig()), now=5.0)
    assert channels.next_deadline() == pytest.approx(65.0)
