"""dictation.py: lines of JSON over a real socket, and real keystrokes into a real window."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import soundfile
from client import Final
from dictation import Editors, spoken_command

from bench.live import Server
from tests.client_examples.conftest import Speaker
from tests.client_examples.programs import ALLOWED, FOLDER, NOWHERE, error_rate, is_one_line, run
from tests.server.conftest import wait_for

PATIENCE = 6_000  # tries of wait_for: half a minute


@contextmanager
def dictating(*arguments: str | Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """The program, its sound from a pipe."""
    command = [sys.executable, FOLDER / "dictation.py", "--pipe", "--language", "en", *arguments]
    outside = {**os.environ, **environment}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=outside) as program:
        try:
            yield program
        finally:
            program.kill()


def say(program: subprocess.Popen[bytes], recording: Path) -> None:
    """All of it, and the end."""
    assert program.stdin
    program.stdin.write(soundfile.read(recording, dtype="int16")[0].tobytes())
    program.stdin.close()
    program.stdin = None  # `communicate` would write to it


def connected(path: Path) -> socket.socket:
    editor = socket.socket(socket.AF_UNIX)
    assert wait_for(lambda: path.exists() and editor.connect_ex(str(path)) == 0, PATIENCE)
    return editor


def lines(editor: socket.socket) -> list[dict[str, Any]]:
    """Until the program closes."""
    editor.settimeout(90)
    with editor.makefile() as file:
        return [json.loads(line) for line in file]


def test_two_editors(live: Server, talk_opening: tuple[Path, str], tmp_path: Path):
    path = tmp_path / "editors"
    with dictating("--socket", path, "--url", live.url) as program:
        one, two = connected(path), connected(path)
        assert path.stat().st_mode & 0o077 == 0, "others can listen"
        say(program, talk_opening[0])
        told = lines(one)
        assert lines(two) == told
        assert program.wait(30) == 0
    one.close()
    two.close()
    assert not path.exists()
    assert error_rate(talk_opening[1], " ".join(line["text"] for line in told if line["type"] == "final")) <= ALLOWED
    partials = [line for line in told if line["type"] == "partial"]
    assert partials and all(line["text"].startswith(line["stable"]) for line in partials)


def test_an_editor_that_does_not_read_is_let_go(tmp_path: Path):
    """The words are made up here: it takes more of them than a test has time to say."""

    async def run() -> int:
        editors, path = Editors(), tmp_path / "editors"
        async with await asyncio.start_unix_server(editors.welcome, path):
            reader, writer = await asyncio.open_unix_connection(path)
            told = 0
            while not editors.writers:  # noqa: ASYNC110
                await asyncio.sleep(0)
            while editors.writers:
                await editors.take(Final(told, "x" * 10_000, (), 0.0, 1.0, "en", ("en",), "endpoint"))
                told += 1
                await asyncio.sleep(0)
            writer.close()
        return told

    assert 6 < asyncio.run(run()) < 200


@pytest.mark.parametrize(
    ("said", "typed"),
    [("New line.", "\n"), ("new paragraph", "\n\n"), ("换行。", "\n"), ("新段落", "\n\n"), ("A new line of thought.", "")],
)
def test_spoken_commands(said: str, typed: str):
    assert spoken_command(said) == typed


WINDOW = "xterm -e sh -c 'stty -echo; cat > {}'"


@pytest.fixture
def display() -> Iterator[dict[str, str]]:
    """An X server of its own."""
    for program in ("Xvfb", "xdotool", "xterm"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is missing: apt-get install xvfb xdotool xterm")
    ours, its = os.pipe()
    with subprocess.Popen(["Xvfb", "-displayfd", str(its), "-nolisten", "tcp"], pass_fds=[its], stderr=subprocess.DEVNULL) as xvfb:
        os.close(its)
        try:
            yield {"DISPLAY": f":{os.read(ours, 16).decode().strip()}", "WAYLAND_DISPLAY": ""}
        finally:
            xvfb.terminate()
            os.close(ours)


@contextmanager
def window(path: Path, display: dict[str, str]) -> Iterator[None]:
    """A terminal with the focus; what is typed into it ends in a file, line by line."""
    outside = {**os.environ, **display}
    with subprocess.Popen(WINDOW.format(path), shell=True, env=outside, start_new_session=True) as xterm:
        try:
            find = ["xdotool", "search", "--sync", "--onlyvisible", "--class", "xterm", "windowfocus", "--sync"]
            subprocess.run(find, env=outside, check=True, timeout=60)
            assert wait_for(path.exists, PATIENCE)
            yield
        finally:
            os.killpg(xterm.pid, signal.SIGKILL)


@pytest.mark.parametrize("how", [[], ["--eager"]], ids=["stable", "eager"])
def test_typing(live: Server, talk_opening: tuple[Path, str], tmp_path: Path, display: dict[str, str], how: list[str]):
    path = tmp_path / "typed"
    with window(path, display), dictating(*how, "--url", live.url, **display) as program:
        say(program, talk_opening[0])
        _, said = program.communicate(timeout=90)
        assert program.returncode == 0, said.decode()
        subprocess.run(["xdotool", "key", "Return"], env={**os.environ, **display}, check=True)
        assert wait_for(lambda: path.read_text().endswith("\n"), PATIENCE)
    assert error_rate(talk_opening[1], path.read_text()) <= ALLOWED, path.read_text()


def test_push_to_talk(live: Server, talk_opening: tuple[Path, str], tmp_path: Path, microphone_hears: Speaker):
    """Paused, it hears nothing of a talk; then it is told to listen."""
    path = tmp_path / "editors"
    command = [sys.executable, FOLDER / "dictation.py", "--push-to-talk", "--language", "en", "--socket", path, "--url", live.url]
    with microphone_hears(talk_opening[0]) as environment:
        with subprocess.Popen(command, stderr=subprocess.PIPE, env={**os.environ, **environment}) as program:
            assert program.stderr
            while b"paused" not in (line := program.stderr.readline()):
                assert line, "it ended"
            editor = connected(path)
            program.send_signal(signal.SIGUSR1)
            while b"listening" not in (line := program.stderr.readline()):
                assert line, "it ended"
            editor.settimeout(60)
            assert b'"partial"' in editor.recv(65_536)
            program.send_signal(signal.SIGINT)
            assert program.wait(60) == 0
            editor.close()


def test_nothing_to_type_with(tmp_path: Path):
    (tmp_path / "pynput.py").write_text("raise ImportError")
    done = run("dictation.py", "--pipe", sound=b"", PATH=str(tmp_path), PYTHONPATH=str(tmp_path))
    assert is_one_line(done) and b"xdotool" in done.stderr and b"--socket" in done.stderr


def test_a_file_in_the_way(tmp_path: Path):
    path = tmp_path / "mine"
    path.write_text("mine")
    done = run("dictation.py", "--pipe", "--socket", path, "--url", NOWHERE, sound=b"")
    assert is_one_line(done) and b"no socket" in done.stderr and path.read_text() == "mine"
