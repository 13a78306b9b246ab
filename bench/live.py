"""A server to measure, and paced streams over it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psutil
from rich.console import Console
from rich.progress import Progress

from bench.manifest import Clip
from server.run import listen
from server.stream import Heard, converse

_START_S = 300  # a first start prepares the model
_APART_S = 0.37  # streams of real users do not start together


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    url: str
    process: psutil.Process

    def cpu_s(self) -> float:
        """CPU time so far."""
        times = self.process.cpu_times()
        return times.user + times.system

    def rss_mb(self) -> float:
        """Resident memory."""
        return self.process.memory_info().rss / 2**20


@contextmanager
def serving(*arguments: str) -> Iterator[Server]:
    """`stenoline serve` on a free port, as its own process. Raises RuntimeError with what it said if it does not start."""
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
    with tempfile.TemporaryFile("w+") as log:
        command = [sys.executable, "-m", "server", "serve", "--port", str(port), "--log-level", "warning", *arguments]
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            if not _is_ready(process, port):
                log.seek(0)
                raise RuntimeError(f"the server did not start:\n{log.read()}")
            yield Server(f"ws://127.0.0.1:{port}/v1/stream", psutil.Process(process.pid))
        finally:
            process.terminate()
            process.wait(30)


def _is_ready(process: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1).close()
            return True
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    return False


@dataclass(frozen=True, slots=True)
class Run:
    """One clip streamed; `error` is empty if all went well."""

    clip: Clip
    heard: Heard
    error: str = ""


async def stream_all(url: str, clips: Sequence[Clip], streams: int, *, give_language: bool) -> list[Run]:
    """Deal the clips to so many streams at once, each at the pace of speech."""
    queue, runs, quiet = list(clips), list[Run](), Console(quiet=True)
    with Progress(transient=True) as progress:
        task = progress.add_task("streaming", total=len(queue))

        async def worker(number: int) -> None:
            await asyncio.sleep(_APART_S * number)
            while queue:
                clip = queue.pop(0)
                runs.append(await _run(url, clip, clip.language if give_language else "", quiet))
                progress.advance(task)

        await asyncio.gather(*(worker(n) for n in range(min(streams, len(queue)))))
    return runs


async def _run(url: str, clip: Clip, language: str, quiet: Console) -> Run:
    try:
        return Run(clip, await converse(clip.path, url, language=language, console=quiet))
    except Exception as error:
        return Run(clip, Heard(), f"{type(error).__name__}: {error}")
