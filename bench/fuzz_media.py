"""Hostile recordings: valid ones of every format, damaged at random, through both decoders for a while.

Prints what went otherwise than with sound within bounds or BadMedia, the slowest one and the memory; keeps its seeds in --failures.
"""

from __future__ import annotations

import asyncio
import io
import random
import sys
import time
from argparse import ArgumentParser
from pathlib import Path

import numpy as np
import psutil

from bench.report import report
from server.media import BadMedia, MediaLimits, blocks
from server.media_stream import MediaStream
from tests.helpers import voice
from tests.sounds import encoded

FORMS = ("webm", "opus", "ogg", "mp3", "flac", "wav", "m4a", "aac")
LIMITS = MediaLimits(max_duration_s=120, stall_s=5)


def main() -> int:
    """Run it; gives the exit code."""
    options = ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=600, help="how long (default: 600)")
    options.add_argument("--seed", type=int, default=0, help="to start from; a seed of a failure makes it again (default: 0)")
    options.add_argument("--failures", type=Path, default=Path("fuzz-failures.txt"), help="file for the seeds of failures")
    given = options.parse_args()
    whole = {form: encoded(voice(2.0, rate=48_000), form, 48_000) for form in FORMS}
    until, seed, failures, decoded = time.monotonic() + given.seconds, given.seed, 0, 0
    slowest, least_mb = (0.0, 0), _rss_mb()
    while time.monotonic() < until:
        began = time.monotonic()
        fault, was_sound = tried(whole, seed)
        slowest, decoded = max(slowest, (time.monotonic() - began, seed)), decoded + was_sound
        if fault:
            failures += 1
            with given.failures.open("a") as file:
                file.write(f"{seed}\t{fault}\n")
            print(f"seed {seed}: {fault}", file=sys.stderr, flush=True)
        seed += 1
    figures = {
        "tried": seed - given.seed,
        "still sound": decoded,
        "failures": failures,
        "slowest_s": slowest[0],
        "its seed": slowest[1],
    }
    report("fuzz_media", figures | {"rss_mb, more": _rss_mb() - least_mb}, vars(given))
    return 1 if failures else 0


def tried(whole: dict[str, bytes], seed: int) -> tuple[str, bool]:
    """(what is wrong, whether there was sound)."""
    rng = random.Random(seed)
    data = _hurt(whole[rng.choice(FORMS)], rng)
    try:
        pieces = list(blocks(io.BytesIO(data), LIMITS)) if seed % 2 else asyncio.run(_live(data, rng))
    except BadMedia as error:
        return ("" if error.message else "no reason"), False
    except Exception as error:
        return f"{type(error).__name__}: {error}", False
    is_good = all(np.isfinite(piece).all() and (np.abs(piece) <= 1).all() for piece in pieces)
    return ("" if is_good else "samples out of bounds"), bool(pieces)


async def _live(data: bytes, rng: random.Random) -> list[np.ndarray]:
    stream, got = MediaStream("container", LIMITS), list[np.ndarray]()

    async def read() -> None:
        while True:
            got.append(await stream.read())
            stream.taken()

    reading, at = asyncio.create_task(read()), 0
    while at < len(data):
        size = rng.randrange(1, 8_000)
        await stream.write(data[at : at + size])
        at += size
    await stream.finish()
    found = (await asyncio.gather(reading, return_exceptions=True))[0]
    await stream.close()
    if isinstance(found, Exception) and not isinstance(found, EOFError):
        raise found
    return got


def _hurt(data: bytes, rng: random.Random) -> bytes:
    """Bytes changed, stretches cut out, doubled or filled, the head most of all."""
    hurt = bytearray(data)
    for _ in range(rng.choice([1, 2, 5, 30, 200])):
        reach = len(hurt) if rng.random() < 0.5 else min(len(hurt), 200)
        at, size = rng.randrange(max(1, reach)), rng.choice([1, 1, 2, 4, 64, 4_096])
        match rng.randrange(5):
            case 0:
                hurt[at : at + size] = rng.randbytes(size)
            case 1:
                del hurt[at : at + size]
            case 2:
                hurt[at:at] = hurt[at : at + size]
            case 3:
                hurt[at : at + 4] = rng.choice([b"\0" * 4, b"\xff" * 4, b"\x7f\xff\xff\xff"])
            case _ if hurt:
                hurt[min(at, len(hurt) - 1)] ^= 1 << rng.randrange(8)
        if not hurt:
            break
    return bytes(hurt)


def _rss_mb() -> float:
    return psutil.Process().memory_info().rss / 2**20


if __name__ == "__main__":
    sys.exit(main())
