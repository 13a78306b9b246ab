"""All caption rooms: who may come into them, and how long they live; docs/protocols/captions.md.

A room belongs to the key that first published in it. It lives as long as somebody is there, and a while longer if something
was said; one in which nothing was said is gone with the last who leaves.
"""

from __future__ import annotations

import asyncio
import hmac
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from server.auth import Refused
from server.captions import Room, RoomLimits, Seat
from server.protocols.fields import invalid
from streaming.errors import ClientFault, Overloaded

SECRET_LENGTH = 16  # characters: names that are shorter can be guessed
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TICK_S = 1.0


def checked(name: str) -> str:
    """The name of a room. Raises ProtocolViolation."""
    if not _NAME.fullmatch(name):
        raise invalid("room", name, "1 to 64 of A-Z, a-z, 0-9, _ and -")
    return name


class Rooms:
    """All of them."""

    def __init__(self, limits: RoomLimits, clock: Callable[[], float] = time.time) -> None:
        self._limits, self._clock = limits, clock
        self._rooms: dict[str, Room] = {}

    def __len__(self) -> int:
        return len(self._rooms)

    @property
    def viewers(self) -> int:
        """In all rooms."""
        return sum(len(room.seats) for room in self._rooms.values())

    @asynccontextmanager
    async def turn(self, name: str, owner: bytes) -> AsyncIterator[Room]:
        """To publish. Who spoke before has finished by then: most often a connection that died unnoticed.

        Raises Refused, and Overloaded if there are too many rooms or the speaker before does not come to an end.
        """
        with self._used(self._owned(name, owner)) as room:
            if room.claimants >= self._limits.max_claimants:
                raise Overloaded(f"{room.claimants} connections speak in this room or wait to; try again later")
            room.claims += 1
            room.claimants += 1
            claim = room.claims
            try:
                await self._take_over(room)
                with room.turn_taken(claim):
                    yield room
            finally:
                room.claimants -= 1
                if not (room.claimants or room.has_spoken):
                    room.owner = None

    async def _take_over(self, room: Room) -> None:
        if room.speaker:
            room.speaker.end(ClientFault("another speaker has taken over the room", code="taken_over"))
        try:
            async with asyncio.timeout(self._limits.take_over_s):
                await room.turn.acquire()
        except TimeoutError:
            raise Overloaded("the speaker before is still being finished; try again") from None

    def _owned(self, name: str, owner: bytes) -> Room:
        room = self._room(name)
        if room.owner is None:
            if sum(other.owner is not None for other in self._rooms.values()) >= self._limits.max_rooms:
                raise Overloaded(f"all {self._limits.max_rooms} rooms are taken; try again later")
            room.owner = owner
        elif not hmac.compare_digest(room.owner, owner):
            raise Refused(403, "not_your_room", "the room belongs to another key; take another name, or the key that opened it")
        return room

    @contextmanager
    def seat(self, name: str) -> Iterator[Seat]:
        """To follow. Raises Overloaded."""
        room, limits = self._room(name), self._limits
        for count, most, where in (
            (len(room.seats), limits.max_room_viewers, "this room"),
            (self.viewers, limits.max_viewers, "this server"),
        ):
            if count >= most:
                raise Overloaded(f"all {most} seats of {where} are taken; try again later")
        with self._used(room):
            seat = room.enter()
            try:
                yield seat
            finally:
                room.seats.discard(seat)

    def _room(self, name: str) -> Room:
        return self._rooms.get(name) or Room(name, self._limits, self._clock)

    @contextmanager
    def _used(self, room: Room) -> Iterator[Room]:
        self._rooms[room.name] = room
        room.users += 1
        try:
            yield room
        finally:
            room.users -= 1
            room.empty_since = self._clock()
            if not room.users and not room.has_past:
                del self._rooms[room.name]

    def tick(self) -> None:
        """Tell the numbers that have changed, and forget rooms that are long empty."""
        oldest = self._clock() - self._limits.empty_s
        for room in list(self._rooms.values()):
            room.tell_viewers()
            if not room.users and room.empty_since <= oldest:
                del self._rooms[room.name]

    async def watch(self) -> None:
        """Do so for ever."""
        while True:
            await asyncio.sleep(_TICK_S)
            self.tick()

    def end(self) -> None:
        """The server goes."""
        for room in self._rooms.values():
            room.end()
