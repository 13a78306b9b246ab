"""A caption room: one speaks, any number follow; docs/protocols/captions.md. No sockets here, and the clock is passed in."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from server.auth import Refused
from server.outbox import Outbox
from server.protocols.native import final, partial
from streaming.errors import ClientFault, Overloaded
from streaming.events import FinalTranscript, PartialTranscript

MOST_BYTES = 4_096  # of a message of a viewer, who has nothing to say


@dataclass(frozen=True, slots=True)
class RoomLimits:
    """Of all rooms, and of each."""

    max_rooms: int = 100  # that belong to somebody; those who only wait are bounded as viewers
    max_viewers: int = 500
    max_room_viewers: int = 250
    max_waiting: int = 100  # messages that a viewer has not taken yet
    history: int = 200  # finals
    history_s: float = 1_800.0
    history_bytes: int = 1 << 18
    empty_s: float = 600.0
    take_over_s: float = 8.0  # that a speaker gets to finish when another one takes over
    max_claimants: int = 4  # who publish in a room, or wait to


@dataclass(frozen=True, slots=True)
class Caption:
    """A message to viewers, written once for all of them."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Ending:
    """The last thing a viewer gets: a close code and a reason."""

    code: int
    reason: str


Seat: TypeAlias = Outbox[Caption | Ending]  # of one viewer
TOO_SLOW = Ending(1013, "viewer too slow; come back for the recent past")
_RESTARTING = Ending(1012, "server shutting down")
_REPLACED = ("partial", "viewers", "error")  # kinds of which only the newest counts


class Speaker(Protocol):
    """The connection that publishes."""

    def tell(self, message: str) -> None:
        """A message for it."""

    def end(self, error: ClientFault) -> None:
        """Finish what was heard, then close."""


def caption(content: Mapping[str, Any], **more: Any) -> Caption:
    """In JSON; `type` is its kind."""
    return Caption(content["type"], json.dumps({**content, **more}, ensure_ascii=False))


def _replaces(new: Caption | Ending, old: Caption | Ending) -> bool:
    return isinstance(new, Caption) and isinstance(old, Caption) and new.kind == old.kind and new.kind in _REPLACED


class Room:
    """Who is in it, and what was said lately."""

    def __init__(self, name: str, limits: RoomLimits, clock: Callable[[], float]) -> None:
        self.name = name
        self.owner: bytes | None = None  # digest of a key
        self.seats: set[Seat] = set()
        self.users = 0  # connections that hold on to it
        self.empty_since = 0.0
        self.has_spoken = False
        self.claims = 0  # how often somebody wanted to publish
        self.claimants = 0  # who publish, or wait to
        self.turn = asyncio.Lock()
        self.speaker: Speaker | None = None
        self._session = ""
        self._partial: PartialTranscript | None = None
        self._past: deque[tuple[float, str]] = deque()  # (Unix time, final)
        self._past_bytes = 0
        self._limits, self._clock = limits, clock
        self._told: int | None = None  # viewers that were last told of

    # the speaker

    @contextmanager
    def turn_taken(self, claim: int) -> Iterator[None]:
        """Gives it back. Raises Refused if somebody came later and waits for it."""
        try:
            if claim != self.claims:
                raise Refused(409, "taken_over", "another speaker came after this one and takes the room")
            yield
        finally:
            self.turn.release()

    @contextmanager
    def spoken_in(self, session: str, speaker: Speaker) -> Iterator[None]:
        """While it lasts, this one speaks."""
        self._session, self.speaker, self.has_spoken, self._told = session, speaker, True, None
        self._tell(caption({"type": "speaker", "live": True}))
        try:
            yield
        finally:
            self.speaker = self._partial = None
            self._tell(caption({"type": "speaker", "live": False}))

    def publish(self, events: Sequence[object]) -> None:
        """Of the session, all events; some of them are for viewers."""
        for event in events:
            match event:
                case PartialTranscript():
                    self._show(event)
                case FinalTranscript(words=()):
                    if self._partial:
                        self._show(PartialTranscript(event.utterance, 0, (), (), event.start, event.end))
                        self._partial = None
                case FinalTranscript():
                    self._keep(event)

    def _show(self, event: PartialTranscript) -> None:
        self._partial = event
        if self.seats:
            self._tell(self._caption(event))

    def _caption(self, event: PartialTranscript) -> Caption:
        return caption(partial(event), session=self._session)

    def _keep(self, event: FinalTranscript) -> None:
        now = self._clock()
        told = caption(final(event), session=self._session, at=round(now, 3))
        self._partial = None
        self._past.append((now, told.text))
        self._past_bytes += len(told.text.encode())
        self._forget(now)
        self._tell(told)

    def _forget(self, now: float) -> None:
        limits = self._limits
        while self._past and (
            len(self._past) > limits.history or self._past_bytes > limits.history_bytes or self._past[0][0] < now - limits.history_s
        ):
            self._past_bytes -= len(self._past.popleft()[1].encode())

    @property
    def has_past(self) -> bool:
        """Whether there is something to come back for."""
        return bool(self._past)

    # viewers

    def enter(self) -> Seat:
        """A seat in which what there is waits already."""
        seat: Seat = Outbox(self._limits.max_waiting, _replaces)
        self.seats.add(seat)
        self._forget(self._clock())
        about = json.dumps({"type": "room", "room": self.name, "live": self.speaker is not None, "viewers": len(self.seats)})
        present = self._caption(self._partial).text if self._partial else "null"
        past = ", ".join(text for _, text in self._past)
        seat.put([Caption("room", f'{about[:-1]}, "history": [{past}], "partial": {present}}}')])
        return seat

    def tell_viewers(self) -> None:
        """How many there are, if that has changed."""
        if self._told == len(self.seats):
            return
        self._told = len(self.seats)
        told = caption({"type": "viewers", "viewers": self._told})
        self._tell(told)
        if self.speaker:
            self.speaker.tell(told.text)

    def end(self) -> None:
        """The server goes: viewers get what waits, then the end."""
        for seat in self.seats:
            give(seat, _RESTARTING)

    def _tell(self, told: Caption) -> None:
        for seat in self.seats:
            give(seat, told)


def give(seat: Seat, item: Caption | Ending) -> None:
    """Put it there; a seat that is too full comes to its end."""
    try:
        seat.put([item])
    except Overloaded:
        seat.end(TOO_SLOW)
