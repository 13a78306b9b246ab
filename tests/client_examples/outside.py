"""Shared by the tests of the examples that are not Python."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from bench.score import errors, tokens

EXAMPLES = Path(__file__).parent.parent.parent / "client_examples"
NOWHERE = "ws://127.0.0.1:9"  # the discard port: nobody listens
ALLOWED = 0.15  # word errors; a sentence that is lost or comes twice is a third of them


def program(name: str, package: str) -> str:
    """Where it is; without it the test is skipped, with the reason."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is missing: apt-get install {package}")
    return path


def npm_install(folder: Path) -> Path:
    """The folder with its packages as package.json pins them; they are fetched when they are missing or older than it."""
    npm, stamp = program("npm", "npm"), folder / "node_modules" / ".package-lock.json"
    if not stamp.exists() or stamp.stat().st_mtime < (folder / "package.json").stat().st_mtime:
        command = [npm, "install", "--no-package-lock", "--no-audit", "--no-fund", "--silent"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        stamp.touch()
    return folder


def error_rate(text: str, heard: str) -> float:
    """Of words; printed, to be seen with -s."""
    rate = errors(tokens(text), tokens(heard)) / len(tokens(text))
    print(f"word errors: {rate:.1%}")
    return rate
