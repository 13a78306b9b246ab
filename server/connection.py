"""One socket ↔ one session: a read loop, a write loop, a timer. It decides nothing about the speech."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from model.interfaces import Hypothesis, UtteranceId
from server import logs
from server.engine import Answer, Engine
from server.intake import Intake
from server.media import USUAL, MediaLimits
from server.metrics import Metrics
from server.outbox import Outbox
from server.protocols.base import Adapter, Taken
from server.wire import Gone, Wire
from streaming.channels import Channels
from streaming.commands import Command, Finalize, KeepAlive
from streaming.errors import LimitExceeded, Overloaded, RecogniserFailed, ServerFault, TranscriptionError
from streaming.events import Closed, ErrorEvent, Event, FinalTranscript, PartialTranscript
from streaming.session import Session
from streaming.timeline import seconds


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Of one socket."""

    pause_backlog_s: float = 30.0  # no more is read from the socket beyond this; TCP holds the client back
    max_waiting: int = 2_000  # events that the client has not taken yet; partials count once an utterance
    send_timeout_s: float = 20.0
    max_message_bytes: int = 1_048_576
    media: MediaLimits = USUAL  # of compressed sound


def supersedes(new: Event | Taken | str, old: Event | Taken | str) -> bool:
    """Of partials only the newest counts."""
    return isinstance(new, PartialTranscript) and isinstance(old, PartialTranscript) and new.channel == old.channel


class Connection:
    """Runs until the session is closed or the client is gone."""

    def __init__(
        self,
        wire: Wire,
        adapter: Adapter,
        session: Session | Channels,
        engine: Engine,
        metrics: Metrics,
        limits: ConnectionLimits,
        publish: Callable[[Sequence[object]], None] | None = None,
    ) -> None:
        """`publish` hears what the client is told, and the last words of one who went without waiting for them."""
        self._wire, self._adapter, self._session = wire, adapter, session
        self._engine, self._metrics, self._limits = engine, metrics, limits
        self._publish = publish
        self._outbox: Outbox[Event | Taken | str] = Outbox(limits.max_waiting, supersedes)
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._is_too_slow = False
        self._logged: set[str] = set()  # codes of errors
        self._answered = asyncio.Event()
        self._intake = Intake(self._do, self.end, self._room, limits.media)

    async def run(self) -> None:
        """Serve the client; gives everything back whatever happens."""
        for name in self._session.names:
            self._engine.attach(name, self._on_answer)
        try:
            for command in (KeepAlive(), *self._adapter.opening()):  # the clock runs, also for one who never says a word
                self._session.receive(command, now=self._loop.time())
            self._pump()
            reader, writer = asyncio.create_task(self._read_well()), asyncio.create_task(self._write())
            self._tasks = [reader, writer]
            done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
            if reader not in done or self._session.is_closed:  # otherwise the client is gone
                await asyncio.wait([writer])
            await self._finish()
        finally:
            await self._clean_up()

    def shut_down(self) -> None:
        """The server is going: finish the session."""
        self._session.shut_down(now=self._loop.time())
        self._pump()

    def end(self, error: TranscriptionError) -> None:
        """Finish the session, and say why."""
        self._session.abort(error, now=self._loop.time())
        self._pump()

    def tell(self, message: str) -> None:
        """Something that is not of the session, in words of the wire."""
        self._tell([message])

    async def _finish(self) -> None:
        """For those who are published to, when the client has not waited for it."""
        if not self._publish or self._session.is_closed:
            return
        await asyncio.wait(self._tasks[:1])  # it reads what came before
        await self._intake.finish()
        self._session.receive_eof(now=self._loop.time())
        self._pump()
        while not self._session.is_closed:
            self._answered.clear()
            await self._answered.wait()

    async def _clean_up(self) -> None:
        for name in self._session.names:
            self._engine.detach(name)
        if self._timer:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._intake.close()

    # in

    async def _read_well(self) -> None:
        """A fault of ours ends the session as any other does, at once."""
        try:
            await self._read()
        except Exception as error:
            logs.failure("reading failed", error, session=self._session.id)
            self.end(ServerFault("the server failed on this message"))
            await asyncio.wait(self._tasks[1:])

    async def _read(self) -> None:
        while not self._session.is_closed:
            await self._room()
            try:
                message = await self._message()
            except Gone:
                return
            await self._take(message)
            if self._adapter.answers_each_message:
                self._tell([Taken(isinstance(message, bytes))])

    async def _message(self) -> str | bytes:
        """The next one. Some clients send no silence after the last word, and wait for it to be told."""
        try:
            async with asyncio.timeout(self._adapter.quiet_s):
                return await self._wire.receive()
        except TimeoutError:
            if self._timer:  # the session is open
                self._do(Finalize())
            return await self._wire.receive()

    async def _room(self) -> None:
        """Until the session may hear more."""
        while self._session.backlog > self._limits.pause_backlog_s:
            self._answered.clear()
            await self._answered.wait()

    async def _take(self, message: str | bytes) -> None:
        try:
            self._check_size(message)
            commands = self._adapter.parse(message)
        except TranscriptionError as error:
            self._tell([ErrorEvent(error)])
            return
        for command in commands:
            await self._intake.take(command, self._adapter.media, self._adapter.channels)

    def _do(self, command: Command) -> None:
        self._session.receive(command, now=self._loop.time())
        self._pump()

    def _check_size(self, message: str | bytes) -> None:
        most = self._limits.max_message_bytes * self._adapter.size_factor
        if len(message) > most:
            raise LimitExceeded(
                f"message of {len(message):,} bytes, expected at most {most:,}", field="message", code="message_too_big"
            )

    # the engine

    def _on_answer(self, utterance: UtteranceId, answer: Answer) -> None:
        now = self._loop.time()
        if isinstance(answer, Hypothesis):
            self._session.receive_hypothesis(answer, now=now)
        elif isinstance(answer, RecogniserFailed):
            self._session.fail(utterance, answer, now=now)
        self._answered.set()
        self._pump()

    def _pump(self) -> None:
        """Carry on what the session has to say and to ask."""
        requests = self._session.requests_to_submit(now=self._loop.time(), interval_ms=self._engine.partial_interval_ms)
        self._engine.submit(requests, self._session.streams_to_close())
        self._tell(self._session.events_to_send())
        self._set_timer()

    def _set_timer(self) -> None:
        deadline = self._session.next_deadline()
        if self._timer:
            self._timer.cancel()
        self._timer = self._loop.call_at(deadline, self._tick) if deadline is not None else None

    def _tick(self) -> None:
        self._session.tick(now=self._loop.time())
        self._pump()

    # out

    def _tell(self, events: Sequence[Event | Taken | str]) -> None:
        if self._publish:
            self._publish(events)
        if self._is_too_slow:
            return
        for event in events:
            self._count(event)
        try:
            self._outbox.put(events)
        except Overloaded as error:
            logs.warning("client too slow", session=self._session.id, message=error.message)
            self._is_too_slow = True
            for task in self._tasks[1:]:
                task.cancel()

    async def _write(self) -> None:
        try:
            async with asyncio.timeout(None) as limit:
                await self._send_all(limit)
        except TimeoutError:
            await self._give_up()
        except asyncio.CancelledError:
            if self._is_too_slow:
                await self._give_up()
            raise
        except Gone:
            return
        except Exception as error:
            logs.failure("writing failed", error, session=self._session.id)
            await self._close(ServerFault.close_code, "the server failed on this message")

    async def _send_all(self, limit: asyncio.Timeout) -> None:
        while True:
            event = await self._outbox.get()
            limit.reschedule(self._loop.time() + self._limits.send_timeout_s)
            for message in [event] if isinstance(event, str) else self._adapter.render(event):
                await self._wire.send(message)
            if isinstance(event, Closed):
                await self._close(*self._adapter.closing(event))
                return
            limit.reschedule(None)

    async def _give_up(self) -> None:
        self._metrics.errors.labels("slow_consumer").inc()
        await self._close(1013, "client too slow")

    async def _close(self, code: int, reason: str) -> None:
        self._metrics.closed.labels(str(code)).inc()
        await self._wire.close(code, reason)

    def _count(self, event: Event | Taken | str) -> None:
        match event:
            case PartialTranscript():
                self._metrics.partials.inc()
            case FinalTranscript():
                self._metrics.finals.inc()
                self._metrics.words.inc(len(event.words))
            case ErrorEvent(error):
                self._metrics.errors.labels(error.code).inc()
                if error.code not in self._logged:  # a client that goes on with it would fill the log
                    self._logged.add(error.code)
                    logs.info("error", session=self._session.id, code=error.code, message=error.message)
            case Closed():
                self._metrics.audio.inc(seconds(event.audio))
                logs.info(
                    "session closed", session=self._session.id, code=event.code, audio_s=seconds(event.audio), words=event.words
                )
