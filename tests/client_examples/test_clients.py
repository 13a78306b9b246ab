"""The examples as a stranger runs them: as programs, against the server with the embedded model."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from bench.live import Server
from bench.score import errors, tokens

FOLDER = Path(__file__).parent.parent.parent / "client_examples"
EXAMPLES = sorted(path.name for path in FOLDER.glob("*.py") if path.name not in ("__init__.py", "demo.py"))
NOWHERE = "ws://127.0.0.1:9"  # the discard port: nobody listens


def run(name: str, *arguments: str | Path, sound: bytes | None = None, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, FOLDER / name, *arguments],
        input=sound,
        capture_output=True,
        timeout=120,
        env={**os.environ, **environment},
    )


def finals(done: subprocess.CompletedProcess[bytes]) -> str:
    """What a client printed as final."""
    assert done.returncode == 0, done.stderr.decode()
    return " ".join(line.split(maxsplit=2)[2] for line in done.stdout.decode().splitlines() if line.startswith("final"))


def error_rate(text: str, heard: str) -> float:
    return errors(tokens(text), tokens(heard)) / len(tokens(text))


@pytest.mark.parametrize("name", EXAMPLES)
def test_help_names_server_and_key(name: str):
    done = run(name, "--help")
    assert done.returncode == 0, done.stderr.decode()
    assert b"--url" in done.stdout and b"--key" in done.stdout


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_table_lists_it(name: str):
    assert f"`{name}`" in (FOLDER / "README.md").read_text()


def test_stream_file(live: Server, talk_opening: tuple[Path, str]):
    done = run("stream_file.py", talk_opening[0], "--url", live.url, "--language", "en", "--speed", "4")
    assert error_rate(talk_opening[1], finals(done)) <= 0.15
    assert b"partial" in done.stdout


def test_deepgram_sdk(live: Server, talk_opening: tuple[Path, str]):
    url = live.url.removesuffix("/v1/stream")
    done = run("deepgram_sdk.py", talk_opening[0], "--url", url, "--language", "en", "--speed", "4")
    assert error_rate(talk_opening[1], finals(done)) <= 0.15
    assert b"interim" in done.stdout


def test_captions(live: Server, talk_opening: tuple[Path, str]):
    sound, rate = soundfile.read(talk_opening[0], dtype="int16")
    assert rate == 16_000
    done = run("captions.py", "--url", live.url, "--language", "en", sound=sound.tobytes())
    assert done.returncode == 0, done.stderr.decode()
    assert error_rate(talk_opening[1], done.stdout.decode()) <= 0.15
    assert b"\x1b" not in done.stdout  # no terminal, no terminal codes


def test_microphone_without_access_to_microphones_says_what_to_install(tmp_path: Path):
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    done = run("microphone.py", PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.startswith(b"error:") and b"pip install sounddevice" in done.stderr


MICROPHONE = """
import os, signal, threading, soundfile

class PortAudioError(Exception):
    pass

class RawInputStream:  # its recording is a file; when that is over, someone presses Ctrl-C
    def __init__(self, rate, block, device, channels, form, callback):
        sound, recorded = soundfile.read(os.environ["RECORDING"], dtype=form)
        assert (rate, channels) == (recorded, 1)
        self.blocks, self.callback = [sound[i : i + block] for i in range(0, len(sound), block)], callback

    def __enter__(self):
        threading.Thread(target=self.record).start()

    def record(self):
        for block in self.blocks:
            threading.Event().wait(0.01)
            self.callback(memoryview(block.tobytes()), len(block), None, None)
        os.kill(os.getpid(), signal.SIGINT)

    def __exit__(self, *error):
        pass
"""


def test_microphone_until_ctrl_c(live: Server, talk_opening: tuple[Path, str], tmp_path: Path):
    (tmp_path / "sounddevice.py").write_text(MICROPHONE)
    recording = {"PYTHONPATH": str(tmp_path), "RECORDING": str(talk_opening[0])}
    done = run("microphone.py", "--url", live.url, "--language", "en", **recording)
    assert done.returncode == 0, done.stderr.decode()
    assert b"dropped" not in done.stderr
    shown = [line.rpartition("\x1b[K")[2] for line in done.stdout.decode().split("\n")]
    assert error_rate(talk_opening[1], " ".join(shown)) <= 0.15


@pytest.mark.parametrize("name", ["stream_file.py", "deepgram_sdk.py", "captions.py"])
def test_no_server_is_one_clear_line(name: str, talk_opening: tuple[Path, str]):
    file = [] if name == "captions.py" else [talk_opening[0]]
    done = run(name, *file, "--url", NOWHERE, sound=b"")
    assert done.returncode == 1
    assert done.stderr.startswith(b"error:") and len(done.stderr.splitlines()) == 1


def test_a_missing_file_is_one_clear_line(live: Server):
    done = run("stream_file.py", "nowhere.flac", "--url", live.url)
    assert done.returncode == 1
    assert b"nowhere.flac" in done.stderr and len(done.stderr.splitlines()) == 1
