"""microphone.py with the real PortAudio; its microphone is a recording."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.live import Server
from tests.client_examples.conftest import Speaker
from tests.client_examples.programs import ALLOWED, FOLDER, NOWHERE, error_rate, is_one_line, run

LIMIT_S = 90


def read_until(source: int, pattern: str) -> str:
    """What a program shows, until the pattern or its end."""
    shown, late = b"", time.monotonic() + LIMIT_S
    try:
        while (
            time.monotonic() < late and not re.search(pattern, shown.decode(errors="replace")) and (data := os.read(source, 65_536))
        ):
            shown += data
    except OSError:  # a terminal says so when nobody is there any more
        pass
    return shown.decode(errors="replace")


def test_on_a_terminal(live: Server, talk_opening: tuple[Path, str], microphone_hears: Speaker):
    """Until Ctrl-C: finals stay, unstable words are dim, the meter moves."""
    ours, its = pty.openpty()
    command = [sys.executable, FOLDER / "microphone.py", "--language", "en", "--url", live.url]
    with microphone_hears(talk_opening[0]) as environment:
        outside = {**os.environ, **environment, "TERM": "xterm-256color", "COLUMNS": "200", "LINES": "40"}
        with subprocess.Popen(command, stdin=its, stdout=its, stderr=subprocess.DEVNULL, env=outside) as program:
            os.close(its)
            shown = read_until(ours, rf"\x1b\[36m +[\d.]+ +\x1b\[0m[^\r\n]*{talk_opening[1].split()[-1]}")
            program.send_signal(signal.SIGINT)
            shown += read_until(ours, "^never$")
            assert program.wait(60) == 0
    os.close(ours)
    heard = " ".join(re.findall(r"\x1b\[36m +[\d.]+ +\x1b\[0m([^\r\n\x1b]*)", shown))
    assert error_rate(talk_opening[1], heard) <= ALLOWED, heard
    assert re.search(r"\x1b\[2m [A-Za-z][^\x1b]*\x1b\[0m", shown), "no unstable word was dim"
    assert len(set(re.findall("\x1b\\[32m(█+)", shown))) > 3, "the meter stood still"
    assert re.search(r"\d\d:\d\d.*\d\.\d s behind", shown)


def test_into_a_pipe_there_is_text_only(live: Server, talk_opening: tuple[Path, str], microphone_hears: Speaker):
    command = [sys.executable, FOLDER / "microphone.py", "--device", "speaker", "--language", "en", "--url", live.url]
    with microphone_hears(talk_opening[0]) as environment:
        outside = {**os.environ, **environment}
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=outside) as program:
            assert program.stdout
            shown = read_until(program.stdout.fileno(), talk_opening[1].split()[-1])
            program.send_signal(signal.SIGINT)
            shown += program.stdout.read().decode()
            assert program.wait(60) == 0
    heard = re.sub(r"^ *[\d.]+  ", "", shown, flags=re.M)
    assert error_rate(talk_opening[1], heard) <= ALLOWED, heard
    assert "\x1b" not in shown


def test_the_microphones(talk_opening: tuple[Path, str], microphone_hears: Speaker):
    with microphone_hears(talk_opening[0]) as environment:
        done = run("microphone.py", "--list", **environment)
    assert done.returncode == 0
    assert re.search(r"^ *\d+  speaker$", done.stdout.decode(), re.M), done.stdout.decode()


@pytest.mark.parametrize("device", ["99", "nobody's"])
def test_a_microphone_that_is_not_there(device: str, talk_opening: tuple[Path, str], microphone_hears: Speaker):
    with microphone_hears(talk_opening[0]) as environment:
        done = run("microphone.py", "--device", device, **environment)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"error: the microphone {device} cannot be used".encode())
    assert b"Traceback" not in done.stderr


def test_no_server(talk_opening: tuple[Path, str], microphone_hears: Speaker):
    with microphone_hears(talk_opening[0]) as environment:
        done = run("microphone.py", "--url", NOWHERE, **environment)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(b"error: ws://127.0.0.1:9") and b"Traceback" not in done.stderr


def test_without_access_to_microphones_it_says_what_to_install(tmp_path: Path):
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    done = run("microphone.py", PYTHONPATH=str(tmp_path))
    assert is_one_line(done) and b"apt-get install libportaudio2" in done.stderr
