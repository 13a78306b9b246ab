"""Commands on their way from the adapter to the session, in order: compressed sound is decoded in between."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from server.media import BadMedia, MediaLimits
from server.media_stream import MediaStream
from streaming.commands import Append, Close, Command, Finalize, Flush
from streaming.errors import TranscriptionError, UnsupportedAudio

_PIECE_BYTES = 1 << 18  # half a minute of telephone sound: some 30 ms of work


class Intake:
    """Of one connection."""

    def __init__(
        self,
        do: Callable[[Command], None],
        fail: Callable[[TranscriptionError], None],
        room: Callable[[], Awaitable[None]],
        limits: MediaLimits,
    ) -> None:
        """`do`: gives a command to the session; `fail`: ends it; `room`: waits until it may hear more."""
        self._do, self._fail, self._room, self._limits = do, fail, room, limits
        self._stream: MediaStream | None = None
        self._reading: asyncio.Task[None] | None = None

    async def take(self, command: Command, form: str | None, channels: int) -> None:
        """`form`: that of compressed sound (see media_stream.py); None: samples as they are."""
        match command:
            case Append(payload) if form:
                await self._open(form, channels).write(payload)
            case Finalize() | Flush() if self._stream:
                await self._stream.drain()
                self._do(command)
            case Close():
                await self.finish()
                self._do(command)
            case Append(payload):
                await self._hear(payload)
            case _:
                self._do(command)

    async def finish(self) -> None:
        """Until all that came is decoded and given to the session; no more will come."""
        if self._stream:
            await self._stream.finish()
        if self._reading:
            await asyncio.wait([self._reading])

    async def close(self) -> None:
        """Let go of the decoder."""
        if self._reading:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        if self._stream:
            await self._stream.close()

    async def _hear(self, payload: bytes) -> None:
        """A long message bit by bit, between which others get their turn."""
        for at in range(0, max(1, len(payload)), _PIECE_BYTES):
            await self._room()
            self._do(Append(payload[at : at + _PIECE_BYTES]))
            await asyncio.sleep(0)

    def _open(self, form: str, channels: int) -> MediaStream:
        if self._stream is None:
            self._stream = MediaStream(form, self._limits, channels)
            self._reading = asyncio.create_task(self._read(self._stream))
        return self._stream

    async def _read(self, stream: MediaStream) -> None:
        try:
            while True:
                block = await stream.read()
                await self._room()
                self._do(Append(block.astype("<f4").tobytes()))
                stream.taken()
        except EOFError:
            return
        except BadMedia as error:
            self._fail(UnsupportedAudio(error.message, field="audio", code="unsupported_media"))
