"""Where sound comes from, for the examples: the microphone, a pipe, a file. All of it s16le, ready to be sent.

pip install websockets sounddevice soundfile        (sounddevice for the microphone: on Debian also apt-get install libportaudio2)
"""

from __future__ import annotations

import array
import asyncio
import contextlib
import math
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from client import Event, Transcriber

RATE = 16_000
BLOCK_S = 0.05
WAITING = 200  # blocks of the microphone; beyond that the newest are dropped


class SoundError(Exception):
    """The sound cannot be had; the message says why."""


@dataclass
class Sound:
    """Blocks of interleaved s16le, and what has become of them."""

    rate: int
    channels: int
    blocks: AsyncIterator[bytes]
    sent_s: float = 0.0
    dropped_s: float = 0.0
    level_db: float = -90.0  # of the latest block, below full scale

    async def speak(self, session: Transcriber) -> None:
        """Send it all, or until cancelled; then the session is stopped."""
        try:
            async for block in self.blocks:
                self.level_db = level(block)
                await session.send(block)
                self.sent_s += len(block) / 2 / self.channels / self.rate
        except asyncio.CancelledError:
            pass
        finally:
            await session.stop()


def level(block: bytes) -> float:
    """The loudest sample, in dB below full scale."""
    samples = array.array("h", block[: len(block) // 2 * 2])
    return 20 * math.log10(max(map(abs, samples), default=0) / 32768 + 1e-5)


async def converse(session: Transcriber, sound: Sound) -> AsyncIterator[Event]:
    """Sound out, events in. Ctrl-C ends the sound, and the last words are still told; another one ends all."""
    speaking, loop = asyncio.create_task(sound.speak(session)), asyncio.get_running_loop()

    def end() -> None:
        speaking.cancel()
        loop.remove_signal_handler(signal.SIGINT)

    with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C ends all at once
        loop.add_signal_handler(signal.SIGINT, end)
    try:
        async for event in session:
            yield event
        await speaking
    finally:
        speaking.cancel()
        await asyncio.gather(speaking, return_exceptions=True)


def microphone(device: str | None = None) -> Sound:
    """What is said, while it is said; `device`: a number or a part of a name of `devices()`. Raises SoundError."""
    sounddevice, loop = portaudio(), asyncio.get_running_loop()
    queue = asyncio.Queue[bytes | None](WAITING)

    def recorded(data: Any, frames: int, time: Any, status: Any) -> None:
        """The sound card's thread calls this."""
        loop.call_soon_threadsafe(keep, bytes(data))

    def keep(block: bytes | None) -> None:
        if not queue.full():
            queue.put_nowait(block)
        elif block:
            sound.dropped_s += BLOCK_S

    async def blocks() -> AsyncIterator[bytes]:
        with stream:
            while block := await queue.get():
                yield block

    def gone() -> None:
        with contextlib.suppress(RuntimeError):  # at the very end the loop may be gone as well
            loop.call_soon_threadsafe(keep, None)

    chosen = int(device) if device and device.isdecimal() else device
    try:
        stream = sounddevice.RawInputStream(
            RATE, round(BLOCK_S * RATE), chosen, 1, "int16", callback=recorded, finished_callback=gone
        )
    except (ValueError, sounddevice.PortAudioError) as error:
        raise SoundError(
            f"the microphone {device or ''} cannot be used: {error}; microphone.py --list names them".replace("  ", " ")
        ) from error
    sound = Sound(RATE, 1, blocks())
    return sound


def devices() -> str:
    """All that PortAudio knows, one a line. Raises SoundError."""
    found = [d for d in portaudio().query_devices() if d["max_input_channels"]]
    if not found:
        raise SoundError("no microphone was found")
    return "\n".join(f"{d['index']:3}  {d['name']}" for d in found)


def portaudio() -> Any:
    """The module sounddevice. Raises SoundError."""
    try:
        import sounddevice
    except (ImportError, OSError) as error:  # OSError: the package is there, PortAudio is not
        todo = "pip install sounddevice; on Debian also apt-get install libportaudio2"
        raise SoundError(f"no access to microphones ({error}): {todo}") from error
    return sounddevice


def pipe() -> Sound:
    """Raw s16le, mono, 16 kHz, from standard input, as it comes."""

    async def blocks() -> AsyncIterator[bytes]:
        while block := await asyncio.to_thread(sys.stdin.buffer.read1, 3_200):
            yield block

    return Sound(RATE, 1, blocks())


def file(path: Path, speed: float = 1.0) -> Sound:
    """A sound file at the pace of speech, or so many times as fast. Raises OSError, SoundError."""
    import soundfile

    source = path.open("rb")
    try:
        opened = soundfile.SoundFile(source)
    except soundfile.LibsndfileError as error:
        raise SoundError(f"{path}: {error.error_string} Expected WAV, FLAC or OGG.") from error
    rate, channels = opened.samplerate, opened.channels

    async def blocks() -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        due = loop.time()
        with source, opened:
            for block in opened.blocks(round(BLOCK_S * rate), dtype="float32"):
                due += len(block) / rate / speed
                await asyncio.sleep(due - loop.time())
                yield (block.clip(-1, 1) * 32767).astype("<i2").tobytes()

    return Sound(rate, channels, blocks())
