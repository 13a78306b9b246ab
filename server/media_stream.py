"""Compressed sound that comes over a socket piece by piece: bytes in, samples out, decoded in a thread of its own.

The thread reads from a pipe that holds so many bytes, and leaves what it decoded in a queue that holds so many blocks. Who writes
waits while the pipe is full; the thread waits while the queue is. So a slow recogniser holds back the sender.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import CancelledError
from typing import Any

import av
import numpy as np

from model.interfaces import Samples
from server.media import BadMedia, MediaLimits, Planes, decoded, resampled

FORMS = ("container", "opus")  # opus: packets, one a message

LIVE_KINDS = "WebM, OGG (Opus, Vorbis), MP3, AAC, FLAC, WAV or fragmented MP4"

_PIPE_BYTES = 1 << 20
_QUEUED_BLOCKS = 16
_OPUS_RATE = 48_000


class Pipe:
    """Pieces of bytes on their way to the thread; its read() waits for the next ones."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._is_ended = False
        self.has_held = False  # anything at all
        self._changed = threading.Condition()
        self.room, self.idle = asyncio.Event(), asyncio.Event()
        self.room.set()

    # on the event loop

    def put(self, piece: bytes) -> None:
        """More bytes; `room` tells whether there should be more."""
        if not piece:
            return
        with self._changed:
            self._pieces.append(piece)
            self._size += len(piece)
            self.has_held = True
            self.idle.clear()
            if self._size > _PIPE_BYTES:
                self.room.clear()
            self._changed.notify()

    def end(self) -> None:
        """No more will come."""
        with self._changed:
            self._is_ended = True
            self._changed.notify()

    def abandon(self) -> None:
        """Nobody wants it any more."""
        with self._changed:
            self._pieces.clear()
            self._is_ended = True
            self._changed.notify()

    # on the thread

    def read(self, size: int) -> bytes:
        """Up to so many bytes of one piece, none at the end."""
        piece = self.next_piece()
        if len(piece) > size:
            with self._changed:
                self._pieces.appendleft(piece[size:])
                self._size += len(piece) - size
        return piece[:size]

    def next_piece(self) -> bytes:
        """A whole piece, empty at the end."""
        with self._changed:
            while not self._pieces and not self._is_ended:
                self._tell(self.idle)
                self._changed.wait()
            piece = self._pieces.popleft() if self._pieces else b""
            self._size -= len(piece)
            if self._size <= _PIPE_BYTES // 2:
                self._tell(self.room)
            return piece

    def _tell(self, event: asyncio.Event) -> None:
        try:
            self._loop.call_soon_threadsafe(self._set, event)
        except RuntimeError:  # the loop is closed
            self._is_ended = True

    def _set(self, event: asyncio.Event) -> None:
        with self._changed:
            if event is self.room or (event is self.idle and not self._pieces):
                event.set()


class MediaStream:
    """One sender's sound. Made, used and closed on the event loop."""

    def __init__(self, form: str, limits: MediaLimits, channels: int = 1) -> None:
        """`form`: one of FORMS; `channels`: 1 for the mean of all, otherwise as many as there must be."""
        self._loop = asyncio.get_running_loop()
        self._pipe = Pipe(self._loop)
        self._queue: asyncio.Queue[Samples | BadMedia | None] = asyncio.Queue(_QUEUED_BLOCKS)
        self._limits, self._channels = limits, channels
        self._finished = asyncio.Event()
        self._is_abandoned = False
        source = decoded(self._pipe, limits, is_live=True) if form == "container" else self._packets()
        self._thread = threading.Thread(target=self._run, args=(source,), name="media", daemon=True)
        self._thread.start()

    async def write(self, data: bytes) -> None:
        """More bytes; waits while there is no room."""
        self._pipe.put(data)
        await self._either(self._pipe.room)

    async def drain(self) -> None:
        """Until all that was written is decoded and taken, as far as it can be decoded without more."""
        await self._either(self._pipe.idle)
        await self._queue.join()

    async def finish(self) -> None:
        """No more will be written: until all is decoded and taken."""
        self._pipe.end()
        await self._finished.wait()
        await self._queue.join()

    async def read(self) -> Samples:
        """The next block, float32 [n] or [n, channels] at 16 kHz; taken() is to follow. Raises BadMedia, EOFError."""
        found = await self._queue.get()
        if isinstance(found, np.ndarray):
            return found
        self._queue.task_done()
        raise found if isinstance(found, BadMedia) else EOFError

    def taken(self) -> None:
        """The last block that was read is dealt with."""
        self._queue.task_done()

    async def close(self) -> None:
        """Let the thread go; what is not read is lost."""
        self._is_abandoned = True
        self._pipe.abandon()
        while self._thread.is_alive():
            while not self._queue.empty():
                self._queue.get_nowait()
                self._queue.task_done()
            await asyncio.to_thread(self._thread.join, 0.02)

    async def _either(self, event: asyncio.Event) -> None:
        """The event, or the end of the thread."""
        waiting = [asyncio.ensure_future(event.wait()), asyncio.ensure_future(self._finished.wait())]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()

    # on the thread

    def _run(self, source: Iterator[tuple[Planes, int]]) -> None:
        last: BadMedia | None = None
        try:
            self._decode(source)
        except BadMedia as error:
            last = error if self._pipe.has_held else None
        except (CancelledError, RuntimeError):
            return
        finally:
            self._leave(last)
            self._call(self._finished.set)

    def _decode(self, source: Iterator[tuple[Planes, int]]) -> None:
        is_sound = False
        for block in resampled(source, self._channels):
            is_sound = True
            self._leave(block)
            if self._is_abandoned:
                return
        if not is_sound and self._pipe.has_held:
            raise BadMedia(f"no sound was found in it; live it can be {LIVE_KINDS}")

    def _leave(self, block: Samples | BadMedia | None) -> None:
        """Waits while too many are not read yet."""
        if self._is_abandoned or (isinstance(block, np.ndarray) and not len(block)):
            return
        try:
            asyncio.run_coroutine_threadsafe(self._queue.put(block), self._loop).result()
        except (RuntimeError, CancelledError):
            self._is_abandoned = True

    def _call(self, function: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(function)
        except RuntimeError:
            return

    def _packets(self) -> Iterator[tuple[Planes, int]]:
        """Opus without a container (RFC 6716): each message is a packet."""
        codec: Any = av.CodecContext.create("libopus", "r")
        codec.sample_rate, codec.layout = _OPUS_RATE, "mono" if self._channels == 1 else "stereo"
        while packet := self._pipe.next_piece():
            try:
                frames = codec.decode(av.Packet(packet))
            except (av.FFmpegError, ValueError) as error:
                raise BadMedia(f"a message of {len(packet)} bytes is no Opus packet ({error})") from None
            for frame in frames:
                yield _float(frame), _OPUS_RATE


def _float(frame: Any) -> Planes:
    sound = frame.to_ndarray()
    planes = sound if frame.format.is_planar else sound.reshape(-1, frame.layout.nb_channels).T
    scale = 1.0 if planes.dtype.kind == "f" else 32_768.0
    found: Planes = (planes / scale).astype(np.float32)
    return found
