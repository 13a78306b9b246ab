"""The README's programs do what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from bench.live import Server
from bench.score import errors, tokens

ROOT = Path(__file__).parent.parent.parent
LOCAL = "ws://127.0.0.1:8000/v1/stream"


def run(code: str, folder: Path) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_readmes_client(live: Server):
    (native,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert LOCAL in native
    lines = run(native.replace(LOCAL, live.url), ROOT).splitlines()
    assert {line.split()[0] for line in lines} == {"partial", "final"}
    said = tokens(" ".join(line[6:] for line in lines if line.startswith("final ")))
    expected = tokens((ROOT / "data/talk.txt").read_text())
    assert errors(expected, said) / len(expected) <= 0.15


def test_stenoline_stream(live: Server, talk_opening: tuple[Path, str]):
    command = [sys.executable, "-m", "server", "stream", str(talk_opening[0]), "--url", live.url, "--speed", "4"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    expected = tokens(talk_opening[1])
    said = tokens(re.sub(r"^ *\d+\.\d\d  ", "", done.stdout, flags=re.M))
    assert errors(expected, said) / len(expected) <= 0.15
