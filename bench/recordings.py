"""Recordings over HTTP: what a long one costs.

rtf            seconds of work for a second of audio, as the caller sees it (POST /v1/audio/transcriptions)
rss_mb         resident memory of the server, the most while it works; and how much more that is than for a minute
peer_rtf       faster-whisper on the same weights, all cores, greedy and with its usual beam of 5 (--peer)
"""

from __future__ import annotations

import tempfile
import threading
import time
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

import numpy as np
import requests
import soundfile

from bench import peer
from bench.live import Server, serving
from bench.manifest import DATA
from bench.report import report

_RATE = 16_000


def main() -> None:
    """Run it."""
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        minute, long = (_written(Path(folder), minutes) for minutes in (1, options.minutes))
        with serving() as server:
            _posted(server, minute)  # what a server keeps from its first work on is there
            short_s, short_mb = _posted(server, minute)
            long_s, long_mb = _posted(server, long)
        figures: dict[str, Any] = {
            "minutes": options.minutes,
            "rtf, one minute": short_s / 60,
            "rtf": long_s / (60 * options.minutes),
            "rss_mb, one minute": short_mb,
            "rss_mb": long_mb,
            "rss_mb, more": long_mb - short_mb,
        }
        if options.peer:
            figures |= _peer(_written(Path(folder), options.peer), options)
    report("recordings", figures, vars(options))


def _options() -> Namespace:
    options = ArgumentParser(description=__doc__)
    options.add_argument("--minutes", type=int, default=60, help="of the long recording (default: 60)")
    options.add_argument("--peer", type=int, default=0, metavar="MINUTES", help="faster-whisper too, on so many")
    options.add_argument("--threads", type=int, default=2, help="of faster-whisper (default: 2)")
    return options.parse_args()


def _written(folder: Path, minutes: int) -> Path:
    """The bundled talk, again and again."""
    talk, _ = soundfile.read(DATA / "talk.flac", dtype="int16")
    path = folder / f"{minutes}.flac"
    soundfile.write(path, np.resize(talk, minutes * 60 * _RATE), _RATE)
    return path


def _posted(server: Server, path: Path) -> tuple[float, float]:
    """(seconds it took, most memory in MB)."""
    most, is_over = [0.0], threading.Event()

    def watch() -> None:
        while not is_over.wait(0.05):
            most[0] = max(most[0], server.rss_mb())

    watching = threading.Thread(target=watch)
    watching.start()
    url, started = server.url.replace("ws", "http", 1).replace("/v1/stream", "/v1/audio/transcriptions"), time.monotonic()
    with path.open("rb") as file:
        answer = requests.post(url, files={"file": file}, data={"language": "en"}, timeout=7_200)
    took = time.monotonic() - started
    is_over.set()
    watching.join()
    assert answer.ok and len(answer.json()["text"]) > 100, answer.text[:500]
    return took, most[0]


def _peer(path: Path, options: Namespace) -> dict[str, float]:
    found = {}
    with peer.faster_whisper(options.threads) as model:
        for beam in (1, 5):
            started = time.monotonic()
            segments, _ = model.transcribe(str(path), language="en", beam_size=beam)
            assert sum(len(segment.text) for segment in segments) > 100
            found[f"peer_rtf, beam {beam}"] = (time.monotonic() - started) / (60 * options.peer)
    return found


if __name__ == "__main__":
    main()
