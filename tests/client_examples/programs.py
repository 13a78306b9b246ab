"""The examples as a stranger runs them: as programs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from bench.score import errors, tokens

FOLDER = Path(__file__).parent.parent.parent / "client_examples"
HELPERS = ("__init__.py", "client.py", "sound.py")  # not programs
EXAMPLES = sorted(path.name for path in FOLDER.glob("*.py") if path.name not in (*HELPERS, "demo.py"))
NOWHERE = "ws://127.0.0.1:9"  # the discard port: nobody listens
ALLOWED = 0.15  # word errors; a sentence that is lost or comes twice is a third of them


def run(
    name: str, *arguments: str | Path, sound: bytes | None = None, python: str | Path = sys.executable, **environment: str
) -> subprocess.CompletedProcess[bytes]:
    command, outside = [python, FOLDER / name, *arguments], {**os.environ, **environment}
    return subprocess.run(command, input=sound, capture_output=True, timeout=120, env=outside)


def finals(done: subprocess.CompletedProcess[bytes]) -> str:
    """What a client printed as final."""
    assert done.returncode == 0, done.stderr.decode()
    return " ".join(line.split(maxsplit=2)[2] for line in done.stdout.decode().splitlines() if line.startswith("final"))


def error_rate(text: str, heard: str) -> float:
    return errors(tokens(text), tokens(heard)) / len(tokens(text))


def is_one_line(done: subprocess.CompletedProcess[bytes]) -> bool:
    """It failed, and said why in one line."""
    return done.returncode == 1 and done.stderr.startswith(b"error:") and len(done.stderr.splitlines()) == 1
