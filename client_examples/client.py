"""A client of `/v1/stream` to build on: typed events, reconnecting without losing a word, back-pressure. To be copied.

pip install websockets

    async with Transcriber("ws://127.0.0.1:8000/v1/stream", language="en") as session:
        speaking = asyncio.create_task(speak(session))  # awaits session.send(pcm), again and again, then session.stop()
        async for event in session:
            if isinstance(event, Final):
                print(event.text)
        await speaking

Theory of operation. Audio that no final covers yet is kept. When the connection is lost, a new session gets that audio again and
goes on; its times and numbers of utterances are shifted, so that all looks like one session. An utterance that was open is heard
anew: the next partial of it may differ, also in words that were stable. What was final stays, and is not told again.

Bounds. `keep_s` seconds of audio are kept; when that is full (a network that is down or slow), `send` waits. A long silence brings
no finals: then the server is asked how far it has heard, with a flush that ends nothing. 256 events wait to be read; when they are
too many the socket is not read, and in the end `send` waits: so read events in another task than the one that sends.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeAlias

import websockets
from websockets.http11 import Response

PIECE = 32_000  # bytes of one message at most
LEAD_S = 1.0  # of audio before an utterance, from which the server learns how loud the background is
WAITING = 256  # events that are not read yet
KEEPALIVE_S = 15.0  # without audio, after which the server is told that we are still there
SETTLED_S = 30.0  # a connection that held so long, or brought a final, was a good one
LONGEST_WAIT_S = 8.0
LONGEST_RETRY_AFTER_S = 60.0
ASK_AFTER_S = 1.0
MARGIN_S = 10.0  # more than the longest utterance is kept, so that its final always makes room
PROBE = "how far?"  # the marker of flushes of our own


@dataclass(frozen=True, slots=True)
class Word:
    """`text` keeps its leading space: joined, words are the transcript. Times in seconds since the first sample."""

    text: str
    start: float
    end: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Ready:
    """The session has begun; `config` is what is in force."""

    session: str
    config: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """Utterance `utterance` (counted from 0) begins."""

    utterance: int
    at: float


@dataclass(frozen=True, slots=True)
class Partial:
    """What is heard of an utterance so far; replaces the partial before."""

    utterance: int
    text: str
    stable: tuple[Word, ...]
    unstable: tuple[Word, ...]
    start: float
    end: float  # of the audio that was heard
    language: str | None


@dataclass(frozen=True, slots=True)
class Final:
    """What was said in an utterance; without words it was no speech."""

    utterance: int
    text: str
    words: tuple[Word, ...]
    start: float
    end: float
    language: str | None
    languages: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Flushed:
    """All that was caused by audio before `flush(marker)` has been told; None: before `finalize()`."""

    marker: str | None
    at: float


@dataclass(frozen=True, slots=True)
class Configured:
    """The hotwords of `configure` are in force."""

    hotwords: int
    hotword_lists: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Warned:
    """A warning of the server; the session goes on."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """The server could not do something; the session goes on."""

    code: str
    message: str
    field: str | None


@dataclass(frozen=True, slots=True)
class Reconnecting:
    """The connection is lost; the next try, number `attempt`, is in `wait_s` seconds. Audio is kept meanwhile."""

    reason: str
    attempt: int
    wait_s: float


@dataclass(frozen=True, slots=True)
class Reconnected:
    """A new session goes on, with the audio from `at` on; `config` is what is in force."""

    session: str
    config: Mapping[str, Any]
    at: float


@dataclass(frozen=True, slots=True)
class Closed:
    """After `stop()`: everything has been told. `audio` in seconds."""

    code: int
    audio: float
    utterances: int
    words: int


Event: TypeAlias = (
    Ready | SpeechStarted | Partial | Final | Flushed | Configured | Warned | Rejected | Reconnecting | Reconnected | Closed
)


class TranscriberError(Exception):
    """Of this module."""


class Refused(TranscriberError):
    """The server will not have us, and trying again would not help: a wrong key, a setting that it does not know."""


class Unreachable(TranscriberError):
    """The server cannot be reached, or no longer."""

    def __init__(self, message: str, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Transcriber:
    """One transcription, over as many connections as it takes; an async iterator of events."""

    def __init__(
        self,
        url: str = "ws://127.0.0.1:8000/v1/stream",
        *,
        key: str = "",
        sample_rate: int = 16_000,
        channels: int = 1,
        language: str | Sequence[str] | None = None,
        hotwords: Sequence[str | Mapping[str, Any]] = (),
        keep_s: float = 120.0,
        tries: int = 8,
        ping_s: float = 10.0,
        **settings: Any,
    ) -> None:
        """Audio is s16le. `settings`: further keys of `start`, such as `text` or `endpointing`.

        After so many `tries` in a row it is given up (8: half a minute); a connection that is silent for twice `ping_s` is lost.
        """
        if "format" in settings:
            raise TypeError(f"format is {settings['format']!r}, expected none: audio is always s16le")
        self._url, self._tries, self._ping_s, self._keep_s = url, tries, ping_s, keep_s
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        told = {"language": language, "hotwords": listed(hotwords), "sample_rate": sample_rate, "channels": channels}
        self._start = {"type": "start", "format": "s16le", **told, **settings}
        self._rate, self._frame = sample_rate, 2 * channels
        self._log: list[bytes | dict[str, Any]] = []  # what no final or answer covers yet, in order
        self._next = 0  # of the log, to be sent
        self._from = 0  # position of the log's first byte
        self._kept = 0  # bytes
        self._base_s = 0.0  # where the present connection's clock started
        self._told = self._first = self._announced = self._words = 0  # finals; those before this connection; utterances; words
        self._is_open = self._is_stopped = self._is_over = False
        self._held: Final | None = None
        self._reason, self._attempt, self._room = "", 0, keep_s
        self._events: asyncio.Queue[Event | None] = asyncio.Queue(WAITING)
        self._failure: Exception | None = None
        self._change = asyncio.Event()

    async def __aenter__(self) -> Transcriber:
        """Connect, once. Raises Refused, or Unreachable."""
        self._socket, ready = await self._connect()
        self._events.put_nowait(ready)
        self._running = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Leave at once; to hear the last words, `stop()` and read until there are no more events."""
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        self._is_over = True
        self._wake()
        if self._events.empty():
            self._events.put_nowait(None)  # for a reader in another task
        await self._socket.close()

    # what goes out

    async def send(self, pcm: bytes) -> None:
        """Audio, cut anywhere; waits while too much is kept. Raises what ended the session, if something has."""
        for at in range(0, len(pcm), PIECE):
            piece = bytes(pcm[at : at + PIECE])
            await self._until(lambda: self._is_over or self._seconds(self._kept) < self._room)
            self._put(piece)
            self._kept += len(piece)

    async def configure(self, hotwords: Sequence[str | Mapping[str, Any]] = (), hotword_lists: Sequence[str] = ()) -> None:
        """Other hotwords from now on; Configured or Rejected follows."""
        self._put({"type": "configure", "hotwords": listed(hotwords), "hotword_lists": listed(hotword_lists)})

    async def finalize(self) -> None:
        """End the present utterance now; Flushed(None) follows its final."""
        self._put({"type": "finalize"})

    async def flush(self, marker: str) -> None:
        """The same; Flushed(marker) follows."""
        self._put({"type": "flush", "marker": marker})

    async def stop(self) -> None:
        """No more audio: the rest is finished, then comes Closed, the last event."""
        self._put({"type": "stop"})
        self._is_stopped = True

    @property
    def unsent_s(self) -> float:
        """Seconds of audio that wait for the network."""
        return self._seconds(sum(len(item) for item in self._log[self._next :] if isinstance(item, bytes)))

    def _put(self, item: bytes | dict[str, Any]) -> None:
        if self._failure:
            raise self._failure
        if self._is_stopped or self._is_over:
            raise TranscriberError("the session is over: nothing can be sent after stop() or `async with`")
        self._log.append(item)
        self._wake()

    # what comes in

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        """The next event. Raises Refused or Unreachable when a lost connection cannot be replaced."""
        is_told = self._is_over and self._events.empty()
        if not is_told and (event := await self._events.get()) is not None:
            return event
        self._events.put_nowait(None)  # whoever asks again gets the same answer
        raise self._failure or StopAsyncIteration

    # connections

    async def _run(self) -> None:
        """Until the server has finished after `stop()`, or there is no server any more."""
        try:
            while not (closed := await self._converse()):
                await self._reconnect()
            await self._finish()
            await self._events.put(Closed(1000, self._base_s + closed["audio"], self._told, self._words))
        except Exception as error:
            self._failure = error
            await self._finish()
        self._is_over = True
        self._wake()
        await self._events.put(None)

    async def _converse(self) -> dict[str, Any] | None:
        """Send and receive until the connection ends; gives the server's `closed` if that was what we asked for."""
        sending, told, began = asyncio.create_task(self._send()), self._told, asyncio.get_running_loop().time()
        try:
            async for message in self._socket:
                content: dict[str, Any] = json.loads(message)
                if content["type"] == "closed" and content["code"] == 1000:
                    return content
                await self._take(content)
        except websockets.ConnectionClosed as error:
            self._reason = self._reason or f"the connection was lost ({error})"
        finally:
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError, websockets.ConnectionClosed):
                await sending
        if self._told > told or asyncio.get_running_loop().time() - began > SETTLED_S:
            self._attempt = 0
        return None

    async def _reconnect(self) -> None:
        """Try again, ever more slowly and never in step with others. Raises Unreachable in the end, Refused at once."""
        retry_after_s = 0.0
        while self._attempt < self._tries:
            wait_s = max(retry_after_s, min(LONGEST_WAIT_S, 2**self._attempt / 4) * random.uniform(0.5, 1))
            self._attempt += 1
            await self._events.put(Reconnecting(self._reason or "the server closed", self._attempt, wait_s))
            await asyncio.sleep(wait_s)
            try:
                self._socket, ready = await self._connect()
            except Unreachable as error:
                self._reason, retry_after_s = str(error), min(error.retry_after_s, LONGEST_RETRY_AFTER_S)
            else:
                return await self._resume(ready)
        raise Unreachable(f"{self._reason}; given up after {self._attempt} tries")

    async def _resume(self, ready: Ready) -> None:
        """Send what no final covers again; the clock and the numbers of this connection start there."""
        self._next, self._first, self._base_s = 0, self._told, self._seconds(self._from)
        self._held, self._is_open, self._reason = None, False, ""
        await self._events.put(Reconnected(ready.session, ready.config, self._base_s))

    async def _connect(self) -> tuple[websockets.ClientConnection, Ready]:
        """A connection whose session is ready."""
        beat, headers = self._ping_s, self._headers
        beats = {"ping_interval": beat, "ping_timeout": beat, "close_timeout": beat}
        try:
            socket = await websockets.connect(self._url, additional_headers=headers, compression=None, **beats)
        except websockets.InvalidStatus as error:
            raise refusal(self._url, error.response) from error
        except websockets.InvalidURI as error:
            raise Refused(f"{error}; expected ws://HOST:PORT/v1/stream") from error
        except (OSError, websockets.WebSocketException) as error:
            raise Unreachable(f"{self._url}: {error or 'no answer'}") from error
        try:
            return socket, await self._begin(socket)
        except BaseException:
            await socket.close()
            raise

    async def _begin(self, socket: websockets.ClientConnection) -> Ready:
        try:
            await socket.send(json.dumps(self._start))
            content = json.loads(await asyncio.wait_for(socket.recv(), 2 * self._ping_s))
        except (OSError, websockets.ConnectionClosed) as error:
            raise Unreachable(f"{self._url}: {error or 'no answer'}") from error
        kind = content.get("type")
        if kind == "error" and content["fatal"]:
            raise Unreachable(content["message"])
        if kind != "ready":
            raise Refused(content["message"] if kind == "error" else f"{self._url} speaks another protocol, expected /v1/stream")
        self._room = max(self._keep_s, content["config"]["endpointing"]["max_utterance_ms"] / 1000 + MARGIN_S)
        return Ready(content["session"], content["config"])

    # the log

    async def _send(self) -> None:
        """Whatever is to be sent, in order."""
        while True:
            if self._next < len(self._log):
                item = self._log[self._next]
                self._next += 1
                await self._socket.send(item if isinstance(item, bytes) else json.dumps(item))
                await self._ask_how_far()
            elif not await self._until(lambda: self._next < len(self._log), KEEPALIVE_S):
                await self._socket.send('{"type": "keepalive"}')

    async def _ask_how_far(self) -> None:
        """In a long silence, which has no finals; not before there was time to hear that somebody speaks."""
        if self._is_silent() and not await self._until(lambda: not self._is_silent(), ASK_AFTER_S):
            self._log.insert(self._next, {"type": "flush", "marker": PROBE})

    def _is_silent(self) -> bool:
        asked = any(isinstance(item, dict) and item.get("marker") == PROBE for item in self._log[: self._next + 1])
        return not self._is_open and not asked and self._seconds(self._kept) > self._room / 2

    async def _take(self, content: dict[str, Any]) -> None:
        """Tell what the server says, then note what it covers: what is not told yet will be heard again."""
        event = parse(content, self._base_s, self._first)
        match event:
            case Final(reason="close" | "shutting_down"):  # ended perhaps within a word: told if that was because of `stop`
                self._held = event
            case SpeechStarted(utterance, at):
                if utterance >= self._announced:
                    await self._events.put(event)
                self._announced, self._is_open = max(self._announced, utterance + 1), True
                self._release(at - LEAD_S)
            case Final():
                await self._events.put(event)
                self._count(event)
                self._release(event.end)
            case Flushed(marker, at):
                if marker != PROBE:
                    await self._events.put(event)
                self._answered("flush", "finalize")
                self._release(at)
            case Configured():
                await self._events.put(event)
                item = self._answered("configure")
                self._start |= {name: item[name] for name in ("hotwords", "hotword_lists")}
            case Rejected():
                await self._reject(event, is_fatal=content["fatal"])
            case None:
                pass
            case _:
                await self._events.put(event)

    async def _reject(self, event: Rejected, *, is_fatal: bool) -> None:
        if is_fatal or event.code == "overloaded":  # audio was not taken: a new session gets it again
            self._reason = event.message
            await self._socket.close()
            return
        await self._events.put(event)
        if (event.field or "").startswith("hotword"):
            self._answered("configure")

    async def _finish(self) -> None:
        if self._held:
            await self._events.put(self._held)
            self._count(self._held)

    def _count(self, final: Final) -> None:
        self._told, self._words, self._is_open = self._told + 1, self._words + len(final.words), False

    def _answered(self, *kinds: str) -> dict[str, Any]:
        """The server has done the first of these that it was sent."""
        at = next(i for i, item in enumerate(self._log) if isinstance(item, dict) and item["type"] in kinds)
        self._next -= 1
        return self._log.pop(at)  # type: ignore[return-value]

    def _release(self, until_s: float) -> None:
        """Audio up to here need not be sent again."""
        until, at = round(until_s * self._rate) * self._frame, 0
        while self._from < until and at < self._next:
            piece = self._log[at]
            if isinstance(piece, dict):
                at += 1
                continue
            cut = min(until - self._from, len(piece))
            self._log[at : at + 1] = [piece[cut:]] if cut < len(piece) else []
            self._next -= cut == len(piece)
            self._from, self._kept = self._from + cut, self._kept - cut
        self._wake()

    def _seconds(self, size: int) -> float:
        return size / self._frame / self._rate

    def _wake(self) -> None:
        self._change.set()
        self._change = asyncio.Event()

    async def _until(self, condition: Callable[[], bool], timeout_s: float | None = None) -> bool:
        """Wait for something that `_wake` is called for; False if that takes too long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while not condition():
                    await self._change.wait()
        return condition()


def listed(items: Sequence[Any]) -> list[Any]:
    """A list of them; a text alone is one, not its letters."""
    return [items] if isinstance(items, str) else list(items)


def refusal(url: str, response: Response) -> TranscriberError:
    """What an answer instead of a WebSocket means."""
    said = f"{url}: HTTP {response.status_code} {message_of(bytes(response.body))}"
    if response.status_code in (429, 502, 503, 504):
        wait = response.headers.get("Retry-After", "")
        return Unreachable(said, float(wait) if wait.isdigit() else 0.0)
    return Refused(said)


def message_of(body: bytes) -> str:
    """The server's own words, or what else is there."""
    with contextlib.suppress(ValueError, KeyError, TypeError):
        return str(json.loads(body)["error"]["message"])
    return body.decode(errors="replace").strip()[:200]


def parse(content: Mapping[str, Any], base_s: float, first: int) -> Event | None:
    """A message of the server as an event of the whole; None for those that say nothing more."""

    def at(key: str, of: Mapping[str, Any] = content) -> float:
        return round(base_s + float(of[key]), 3)

    def words(kind: str) -> tuple[Word, ...]:
        return tuple(Word(w["text"], at("start", w), at("end", w), w["confidence"]) for w in content[kind])

    c, utterance = content, first + int(content.get("utterance", 0))
    match c["type"]:
        case "speech_started":
            return SpeechStarted(utterance, at("at"))
        case "partial":
            return Partial(utterance, c["text"], words("stable"), words("unstable"), at("start"), at("end"), c["language"])
        case "final":
            languages, reason = tuple(c["languages"]), c["reason"]
            return Final(utterance, c["text"], words("words"), at("start"), at("end"), c["language"], languages, reason)
        case "flushed":
            return Flushed(c["marker"], at("at"))
        case "configured":
            return Configured(c["hotwords"], tuple(c["hotword_lists"]))
        case "warning":
            return Warned(c["code"], c["message"])
        case "error":
            return Rejected(c["code"], c["message"], c["field"])
        case _:
            return None
