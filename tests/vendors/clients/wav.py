"""What all clients of the contract suite need: the file in pieces, at the pace of speech or faster, and what is printed."""

from __future__ import annotations

import asyncio
import json
import sys
import time
import wave
from collections.abc import AsyncIterator

SPEED = 4.0
PIECE_S = 0.1


def rate_of(path: str) -> int:
    with wave.open(path) as file:
        assert (file.getsampwidth(), file.getnchannels()) == (2, 1), "expected s16le, mono"
        return file.getframerate()


def pcm(path: str) -> bytes:
    with wave.open(path) as file:
        return file.readframes(file.getnframes())


async def paced(path: str, speed: float = SPEED) -> AsyncIterator[bytes]:
    rate = rate_of(path)
    async for piece in paced_pcm(pcm(path), rate, int(rate * PIECE_S) * 2, speed):
        yield piece


async def paced_pcm(data: bytes, rate: int, step: int, speed: float = SPEED) -> AsyncIterator[bytes]:
    """In pieces of so many bytes."""
    started = time.monotonic()
    for at in range(0, len(data), step):
        yield data[at : at + step]
        due = started + (at + step) / (2 * rate) / speed
        await asyncio.sleep(max(0.0, due - time.monotonic()))


class Watch:
    """When the first words were shown."""

    def __init__(self) -> None:
        self.began, self.first_s, self.events = time.monotonic(), -1.0, 0

    def shown(self) -> None:
        self.events += 1
        if self.first_s < 0:
            self.first_s = time.monotonic() - self.began

    def report(self, text: str) -> None:
        json.dump({"text": text, "first_partial_s": round(self.first_s, 3), "events": self.events}, sys.stdout)
