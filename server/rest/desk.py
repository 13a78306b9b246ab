"""Where recordings are handed in: from an upload to its finals."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from anyio import CancelScope
from starlette.requests import ClientDisconnect, Request

from server.engine import Engine
from server.files import FileSession, Progress, Turns
from server.hotwords import HotwordLists
from server.media import MediaLimits
from server.metrics import Metrics
from server.outbox import Outbox
from server.protocols.base import ServerDefaults
from streaming.commands import SessionConfig
from streaming.errors import ProtocolViolation, ShuttingDown
from streaming.events import FinalTranscript
from streaming.session import SessionLimits
from streaming.text.growing import joined, text_of
from streaming.timeline import seconds

_MOST_UNREAD = 20_000  # utterances; more than the longest recording has
LONGEST_NAME = 80  # of a model that there is not, in what is said about it

T = TypeVar("T")


@dataclass(slots=True)
class Transcript:
    """Of one recording."""

    finals: list[FinalTranscript] = field(default_factory=list)
    duration_s: float = 0.0

    @property
    def text(self) -> str:
        """All of it."""
        return joined(final.words for final in self.finals)

    @property
    def languages(self) -> list[str]:
        """Those spoken, the one with most words first."""
        counts: dict[str, int] = {}
        for final in self.finals:
            for code in final.languages or ([final.language] if final.language else []):
                counts[code] = counts.get(code, 0) + (len(final.words) if code == final.language else 0)
        return sorted(counts, key=lambda code: -counts[code])

    @property
    def confidence(self) -> float:
        """Mean over its words; 0 if there are none."""
        found = [word.confidence for final in self.finals for word in final.words]
        return sum(found) / len(found) if found else 0.0


@dataclass(frozen=True, slots=True)
class Desk:
    """What handlers need of the service."""

    defaults: ServerDefaults
    hotwords: HotwordLists
    metrics: Metrics
    limits: SessionLimits
    media: MediaLimits
    turns: Turns
    most_bytes: int
    engine: Callable[[], Engine]  # the least loaded one
    check_open: Callable[[], None]  # raises ServerFault while the server goes
    working: set[asyncio.Task[Any]] = field(default_factory=set)

    def end(self) -> None:
        """The server goes: who still waits for an answer is told so."""
        for task in self.working:
            task.cancel()

    def _begin(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        working = asyncio.create_task(work)
        self.working.add(working)
        working.add_done_callback(self.working.discard)
        return working

    async def events(
        self, source: Path | BinaryIO, config: SessionConfig, channels: int = 1
    ) -> AsyncIterator[FinalTranscript | Progress]:
        """Finals and progress."""
        async with self.turns.take():
            running = FileSession(self.engine(), self.hotwords, self.metrics, self.limits, channels).run(source, config, self.media)
            async with aclosing(running) as events:  # type: ignore[type-var]
                async for event in events:
                    yield event

    async def flowing(self, source: Path | BinaryIO, config: SessionConfig) -> AsyncIterator[FinalTranscript | Progress]:
        """The same, for a caller who may read slowly: the recording does not keep its turn for that long."""
        box: Outbox[FinalTranscript | Progress | None] = Outbox(_MOST_UNREAD, _supersedes)
        working = self._begin(self._pour(source, config, box))
        try:
            while event := await box.get():
                yield event
            await asyncio.wait([working])
            _outcome(working)
        finally:
            working.cancel()
            with CancelScope(shield=True):  # Starlette cancels each await of a stream whose caller has gone
                await asyncio.gather(working, return_exceptions=True)

    async def _pour(self, source: Path | BinaryIO, config: SessionConfig, box: Outbox[FinalTranscript | Progress | None]) -> None:
        try:
            async with aclosing(self.events(source, config)) as events:  # type: ignore[type-var]
                async for event in events:
                    box.put([event])
        finally:
            box.put([None])

    def check_turn(self) -> None:
        """Raises ServerFault while the server goes, or too many files wait."""
        self.check_open()
        self.turns.check()

    async def transcript(self, request: Request, source: Path | BinaryIO, config: SessionConfig, channels: int = 1) -> Transcript:
        """All of it at once. Raises ClientDisconnect when the caller goes."""
        return await self.attended(request, self.whole(source, config, channels))

    async def attended(self, request: Request, work: Coroutine[Any, Any, T]) -> T:
        """What the work gives; it ends, wherever it is, when the caller or the server goes.

        Raises ClientDisconnect and ShuttingDown.
        """
        working, leaving = self._begin(work), asyncio.create_task(_left(request))
        try:
            await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise ClientDisconnect
            return _outcome(working)
        finally:
            working.cancel()
            leaving.cancel()
            await asyncio.gather(working, leaving, return_exceptions=True)

    async def whole(self, source: Path | BinaryIO, config: SessionConfig, channels: int = 1) -> Transcript:
        """All of it, for work that is attended."""
        found = Transcript()
        async for event in self.events(source, config, channels):
            if isinstance(event, Progress):
                found.duration_s = event.heard_s
            else:
                found.finals.append(event)
        return found

    def check_model(self, name: str) -> None:
        """Raises ProtocolViolation for a model that is not there; names of a vendor's own stand for ours."""
        known = self.defaults.models
        if name and name not in known and not name.startswith(VENDORS_MODELS):
            message = f"model is {name[:LONGEST_NAME]!r}, expected one of {', '.join(known)}"
            raise ProtocolViolation(message, field="model", code="model_not_found")


def _supersedes(new: FinalTranscript | Progress | None, old: FinalTranscript | Progress | None) -> bool:
    return isinstance(new, Progress) and isinstance(old, Progress)


def _outcome(ended: asyncio.Task[T]) -> T:
    """Raises ShuttingDown for what the server has ended, and what the work raised."""
    if ended.cancelled():
        raise ShuttingDown("the server is shutting down; try another one")
    return ended.result()


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


VENDORS_MODELS = ("whisper-1", "gpt-", "nova", "enhanced", "base", "flux")


def segment(final: FinalTranscript) -> Mapping[str, Any]:
    """Its times, text and confidence."""
    sure: Sequence[float] = [word.confidence for word in final.words]
    return {
        "start": seconds(final.words[0].start),
        "end": seconds(final.words[-1].end),
        "text": text_of(final.words),
        "confidence": round(sum(sure) / len(sure), 4),
    }
