"""Whole recordings through the engine that live sessions use: the same sessions, fed as fast as they are decoded.

Each file that is being worked on has one session; how many at once is bounded, and so is how many wait for their turn.
Live sessions go before them. Audio is read as it is needed, so a long recording takes no more memory than a short one.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from model.interfaces import Hypothesis, Samples, UtteranceId
from server.engine import Answer, Engine
from server.hotwords import HotwordLists
from server.media import MediaLimits, blocks
from server.metrics import Metrics
from streaming.channels import session_of
from streaming.commands import Append, AudioFormat, Configure, Encoding, SessionConfig
from streaming.errors import Overloaded, RecogniserFailed
from streaming.events import ErrorEvent, FinalTranscript
from streaming.session import Session, SessionLimits
from streaming.timeline import seconds

_AHEAD_S = 20.0  # of speech that waits for the recogniser; beyond it no more is read
_FOREVER_S = 1e9


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a file has been read."""

    heard_s: float


class Turns:
    """So many files at once; so many more wait."""

    def __init__(self, at_once: int, waiting: int) -> None:
        self._places, self._waiting, self._most = asyncio.Semaphore(at_once), 0, waiting

    def check(self) -> None:
        """Raises Overloaded if too many wait."""
        if self._places.locked() and self._waiting >= self._most:
            raise Overloaded(f"{self._waiting} files wait for their turn, expected at most {self._most}; try again later")

    @asynccontextmanager
    async def take(self) -> AsyncIterator[None]:
        """Wait for a turn, after check(); who has had one may wait for another."""
        self._waiting += 1
        try:
            await self._places.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._places.release()


class FileSession:
    """One recording on its way through an engine."""

    def __init__(self, engine: Engine, hotwords: HotwordLists, metrics: Metrics, limits: SessionLimits, channels: int = 1) -> None:
        """`channels`: 1 for the mean of all, otherwise as many as the recording must have, kept apart."""
        planner = replace(limits.planner, speculates=False)
        patient = replace(limits, idle_s=_FOREVER_S, max_session_s=_FOREVER_S, planner=planner)
        self._channels = channels
        self._session = session_of(uuid.uuid4().hex, channels, lambda name: Session(name, patient, shared=hotwords))
        self._engine, self._metrics = engine, metrics
        self._loop = asyncio.get_running_loop()
        self._answered = asyncio.Event()

    async def run(
        self, source: Path | BinaryIO, config: SessionConfig, limits: MediaLimits
    ) -> AsyncIterator[FinalTranscript | Progress]:
        """Finals in order, and how far it is. Raises BadMedia and TranscriptionError."""
        for name in self._session.names:
            self._engine.attach(name, self._on_answer)
        try:
            audio = AudioFormat(Encoding.F32LE, channels=self._channels)
            self._do(Configure(replace(config, audio=audio, partials=False)))
            heard, reading = 0, blocks(source, limits, self._channels)
            while (block := await _read(reading)) is not None:
                self._do(Append(block.astype("<f4").tobytes()))
                heard += len(block)
                while self._session.backlog > _AHEAD_S:
                    await self._answer()
                for final in self._finals():
                    yield final
                yield Progress(seconds(heard))
            self._session.receive_eof(now=self._loop.time())
            self._pump()
            while True:
                for final in self._finals():
                    yield final
                if self._session.is_closed:  # as told by the last events
                    break
                await self._answer()
            self._metrics.audio.inc(seconds(heard))
        finally:
            for name in self._session.names:
                self._engine.detach(name)

    def _do(self, command: Append | Configure) -> None:
        self._session.receive(command, now=self._loop.time())
        self._pump()

    def _pump(self) -> None:
        requests = self._session.requests_to_submit(now=self._loop.time())
        self._engine.submit([replace(request, is_patient=True) for request in requests], self._session.streams_to_close())

    async def _answer(self) -> None:
        self._answered.clear()
        await self._answered.wait()

    def _on_answer(self, utterance: UtteranceId, answer: Answer) -> None:
        if isinstance(answer, Hypothesis):
            self._session.receive_hypothesis(answer, now=self._loop.time())
        elif isinstance(answer, RecogniserFailed):
            self._session.fail(utterance, answer, now=self._loop.time())
        self._pump()
        self._answered.set()

    def _finals(self) -> Iterator[FinalTranscript]:
        for event in self._session.events_to_send():
            if isinstance(event, ErrorEvent):
                raise event.error
            if isinstance(event, FinalTranscript) and event.words:
                self._metrics.finals.inc()
                self._metrics.words.inc(len(event.words))
                yield event


async def _read(reading: Iterator[Any]) -> Samples | None:
    """The next block; also one who is cancelled stays until the thread has let go of the file."""
    block = asyncio.ensure_future(asyncio.to_thread(_next, reading))
    try:
        return await asyncio.shield(block)
    finally:
        await asyncio.gather(block, return_exceptions=True)


def _next(reading: Iterator[Any]) -> Samples | None:
    return next(reading, None)
