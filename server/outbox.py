"""What waits to be sent to one peer."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from streaming.errors import Overloaded

T = TypeVar("T")


class Outbox(Generic[T]):
    """For a peer that may be slow: everything is kept but what is replaced by what comes right after it."""

    def __init__(self, bound: int, replaces: Callable[[T, T], bool]) -> None:
        """`replaces`: whether the newer (first) makes the older one needless."""
        self._waiting: deque[T] = deque()
        self._bound, self._replaces = bound, replaces
        self._filled = asyncio.Event()
        self._is_ended = False

    def put(self, new: Sequence[T]) -> None:
        """Queue them. Raises Overloaded if the peer leaves too many."""
        if self._is_ended:
            return
        for each in new:
            if self._waiting and self._replaces(each, self._waiting[-1]):
                self._waiting.pop()
            self._waiting.append(each)
        if self._waiting:
            self._filled.set()
        if len(self._waiting) > self._bound:
            raise Overloaded(f"{len(self._waiting)} events wait to be taken by the client, expected at most {self._bound}")

    def end(self, last: T) -> None:
        """Queue it instead of all that waits, and nothing after it."""
        if not self._is_ended:
            self._waiting.clear()
            self.put([last])
            self._is_ended = True

    async def get(self) -> T:
        """The next one."""
        await self._filled.wait()
        first = self._waiting.popleft()
        if not self._waiting:
            self._filled.clear()
        return first
