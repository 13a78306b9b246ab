"""Compressed sound that comes in pieces: the same samples as from a file, whatever the pieces."""

from __future__ import annotations

import asyncio
import io
import random
import threading
from collections.abc import Iterable

import numpy as np
import pytest

from server.media import BadMedia, MediaLimits, blocks
from server.media_stream import MediaStream
from tests.helpers import random_cuts, voice
from tests.sounds import encoded

SOUND = voice(3.0, rate=48_000)
LIMITS = MediaLimits()


async def heard(pieces: Iterable[bytes], form: str = "container", channels: int = 1, limits: MediaLimits = LIMITS) -> np.ndarray:
    stream, got = MediaStream(form, limits, channels), []

    async def read() -> None:
        while True:
            got.append(await stream.read())
            stream.taken()

    reading = asyncio.create_task(read())
    try:
        for piece in pieces:
            await stream.write(piece)
        await stream.finish()
        with pytest.raises(EOFError):
            await reading
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await stream.close()
    return np.concatenate(got) if got else np.zeros(0, np.float32)


@pytest.mark.parametrize("form", ["webm", "opus", "ogg", "mp3", "flac", "wav", "aac"])
def test_it_is_what_a_file_gives(form: str):
    data = encoded(SOUND, form, 48_000)
    whole = np.concatenate(list(blocks(io.BytesIO(data))))
    for seed, mean in ((1, 50), (2, 3_000), (3, 10**6)):
        found = asyncio.run(heard(random_cuts(data, seed, mean)))
        assert found.dtype == np.float32 and abs(len(found) - len(whole)) < 50  # MP3 says at its end where to cut
        least = min(len(found), len(whole)) - 50
        np.testing.assert_allclose(found[:least], whole[:least], atol=1e-4)


def test_channels_are_kept_apart():
    both = np.stack([SOUND, np.zeros_like(SOUND)])
    found = asyncio.run(heard([encoded(both, "flac", 48_000)], channels=2))
    assert found.shape == (48_000, 2) and np.abs(found[:, 0]).max() > 0.1 and not found[:, 1].any()
    with pytest.raises(BadMedia, match="1 channels, expected 2"):
        asyncio.run(heard([encoded(SOUND, "flac", 48_000)], channels=2))


def test_drain_waits_for_what_can_be_decoded():
    async def run() -> tuple[int, int]:
        stream, got = MediaStream("container", LIMITS), 0

        async def read() -> None:
            nonlocal got
            while True:
                got += len(await stream.read())
                stream.taken()

        reading, data = asyncio.create_task(read()), encoded(SOUND, "webm", 48_000)
        await stream.write(data[: len(data) // 2])
        await stream.drain()
        half = got
        await stream.write(data[len(data) // 2 :])
        await stream.finish()
        await asyncio.gather(reading, return_exceptions=True)
        await stream.close()
        return half, got

    half, whole = asyncio.run(run())
    assert 16_000 < half < 32_000 and whole == pytest.approx(48_000, abs=500)


def test_a_stream_is_heard_from_its_first_bytes():
    """A short word is less than what a demuxer reads before it tells the format."""

    async def run() -> int:
        stream, data = MediaStream("container", LIMITS), encoded(SOUND, "webm", 48_000)
        for piece in (data[:3], data[3:2_000]):
            await stream.write(piece)
        found = await stream.read()
        stream.taken()
        await stream.close()
        return len(found)

    assert asyncio.run(asyncio.wait_for(run(), 10))


def test_who_does_not_read_holds_back_who_writes():
    async def run() -> None:
        stream, data = MediaStream("container", LIMITS), encoded(voice(60, rate=48_000), "flac", 48_000)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.0):
                for at in range(0, 100 * len(data), 65_536):
                    await stream.write(data[at % len(data) :][:65_536])
        await stream.close()

    asyncio.run(run())
    assert not [t for t in threading.enumerate() if t.name == "media"]


@pytest.mark.parametrize(("form", "content"), [("container", b"no sound at all " * 4_000), ("opus", b"\xff\x00\x01")])
def test_what_is_no_sound(form: str, content: bytes):
    with pytest.raises(BadMedia):
        asyncio.run(heard([content], form))


def test_bytes_without_sound_are_not_collected():
    """A block that claims to be long, of which a demuxer keeps all that has come."""
    block = b"\xa3" + (0x10000000 | 250 << 20).to_bytes(4, "big") + bytes(1 << 20)
    with pytest.raises(BadMedia, match="1,000,000 bytes came without any sound"):
        asyncio.run(heard([encoded(SOUND, "webm", 48_000)[:2_000], *[block] * 3], limits=MediaLimits(unheard_bytes=1_000_000)))


def test_a_head_at_the_end_cannot_be_read_live():
    with pytest.raises(BadMedia, match="fragmented MP4"):
        asyncio.run(heard([encoded(SOUND, "m4a", 48_000)]))


def test_nothing_at_all_is_silence():
    assert len(asyncio.run(heard([b""]))) == 0


def test_damage():
    data, rng = encoded(SOUND, "webm", 48_000), random.Random(3)
    for _ in range(20):
        hurt = bytearray(data)
        for _ in range(rng.randrange(1, 60)):
            hurt[rng.randrange(len(hurt))] = rng.randrange(256)
        try:
            found = asyncio.run(heard(random_cuts(bytes(hurt), 1, 2_000)))
            assert np.isfinite(found).all()
        except BadMedia as error:
            assert error.message
