"""Channels that are kept apart: a session for each, behind what one session looks like from outside.

Interleaved audio is dealt to them; all other commands go to each. Their events say which channel they are of.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from model.interfaces import Hypothesis, StepRequest, UtteranceId
from streaming.audio.pcm import sample_bytes
from streaming.commands import Append, Command, Configure
from streaming.errors import TranscriptionError
from streaming.events import Biased, Closed, Configured, ErrorEvent, Event, Warned
from streaming.session import Session

_OF_ALL = (Configured, Biased, Warned)  # told once


def session_of(session_id: str, count: int, make: Callable[[str], Session]) -> Session | Channels:
    """One session, or as many as there are channels to keep apart."""
    return make(session_id) if count == 1 else Channels(session_id, count, make)


class Channels:
    """As many sessions as channels; their names are `id.0`, `id.1` and so on."""

    def __init__(self, session_id: str, count: int, make: Callable[[str], Session]) -> None:
        self.id = session_id
        self.sessions = [make(f"{session_id}.{number}") for number in range(count)]
        self._width = 2  # bytes of a sample
        self._rest = b""  # of samples that are not there for every channel yet
        self._closed: list[Closed | None] = [None] * count

    @property
    def names(self) -> tuple[str, ...]:
        """Of its sessions."""
        return tuple(session.id for session in self.sessions)

    # what comes in

    def receive(self, command: Command, *, now: float) -> None:
        """As Session.receive."""
        for session, part in zip(self.sessions, self._parts(command), strict=True):
            session.receive(part, now=now)

    def receive_hypothesis(self, hypothesis: Hypothesis, *, now: float) -> None:
        """As Session.receive_hypothesis."""
        self._named(hypothesis.utterance).receive_hypothesis(hypothesis, now=now)

    def fail(self, utterance_id: UtteranceId, error: TranscriptionError, *, now: float) -> None:
        """As Session.fail."""
        self._named(utterance_id).fail(utterance_id, error, now=now)

    def receive_eof(self, *, now: float) -> None:
        """As Session.receive_eof."""
        for session in self.sessions:
            session.receive_eof(now=now)

    def shut_down(self, *, now: float) -> None:
        """As Session.shut_down."""
        for session in self.sessions:
            session.shut_down(now=now)

    def abort(self, error: TranscriptionError, *, now: float) -> None:
        """As Session.abort."""
        for session in self.sessions:
            session.abort(error, now=now)

    def tick(self, *, now: float) -> None:
        """As Session.tick."""
        for session in self.sessions:
            session.tick(now=now)

    # what goes out

    def events_to_send(self) -> list[Event]:
        """Of all channels; what concerns them all comes once, and Closed when the last one is."""
        was_closed, told = self.is_closed, list[Event]()
        for number, session in enumerate(self.sessions):
            for event in session.events_to_send():
                if isinstance(event, Closed):
                    self._closed[number] = event
                elif isinstance(event, ErrorEvent):
                    told += [] if event.error.message in _messages(told) else [event]
                elif isinstance(event, _OF_ALL):
                    told += [event] if number == 0 else []
                else:
                    told.append(replace(event, channel=number))
        return told + ([self._total()] if self.is_closed and not was_closed else [])

    def requests_to_submit(self, *, now: float = 0.0, interval_ms: int = 0) -> list[StepRequest]:
        """As Session.requests_to_submit."""
        return [r for session in self.sessions for r in session.requests_to_submit(now=now, interval_ms=interval_ms)]

    def streams_to_close(self) -> list[UtteranceId]:
        """As Session.streams_to_close."""
        return [name for session in self.sessions for name in session.streams_to_close()]

    def next_deadline(self) -> float | None:
        """As Session.next_deadline."""
        return min((at for s in self.sessions if (at := s.next_deadline()) is not None), default=None)

    @property
    def backlog(self) -> float:
        """Of the channel with most."""
        return max(session.backlog for session in self.sessions)

    @property
    def is_closed(self) -> bool:
        """All of them are, and it was told."""
        return all(self._closed)

    # parts

    def _parts(self, command: Command) -> list[Any]:
        match command:
            case Configure(config):
                self._width = sample_bytes(config.audio.encoding)
                return [Configure(replace(config, audio=replace(config.audio, channels=1)))] * len(self.sessions)
            case Append(payload):
                return [Append(part) for part in self._dealt(payload)]
        return [command] * len(self.sessions)

    def _dealt(self, payload: bytes) -> list[bytes]:
        count, data = len(self.sessions), self._rest + payload
        whole = len(data) - len(data) % (count * self._width)
        samples = np.frombuffer(data, np.uint8, whole).reshape(-1, count, self._width)
        self._rest = data[whole:]
        return [samples[:, number].tobytes() for number in range(count)]

    def _named(self, utterance: UtteranceId) -> Session:
        return self.sessions[int(utterance.session.rpartition(".")[2])]

    def _total(self) -> Closed:
        ends = [each for each in self._closed if each]
        first = max(ends, key=lambda end: end.code)
        return replace(first, utterances=sum(e.utterances for e in ends), words=sum(e.words for e in ends))


def _messages(events: list[Event]) -> list[str]:
    return [event.error.message for event in events if isinstance(event, ErrorEvent)]
