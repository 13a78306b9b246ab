"""The Node example as a stranger runs it: as a program, against the server with the embedded model."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bench.live import Server
from tests.client_examples.outside import ALLOWED, EXAMPLES, NOWHERE, error_rate, npm_install, program
from tests.server.conftest import Running, Serve, serve  # noqa: F401


def run(*arguments: str | Path, sound: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    node = program("node", "nodejs npm")
    script = npm_install(EXAMPLES / "node") / "stream_file.mjs"
    return subprocess.run([node, script, *arguments], input=sound, capture_output=True, timeout=120)


def lines(done: subprocess.CompletedProcess[bytes], kind: str) -> list[str]:
    assert done.returncode == 0, done.stderr.decode()
    return [line.split(maxsplit=2)[2] for line in done.stdout.decode().splitlines() if line.startswith(kind)]


def error_of(done: subprocess.CompletedProcess[bytes]) -> str:
    """The one line that it says before it gives up."""
    assert done.returncode == 1
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("error: ")
    return line


def chunk(name: bytes, content: bytes, size: int | None = None) -> bytes:
    return name + struct.pack("<I", len(content) if size is None else size) + content + b"\0" * (len(content) % 2)


def wav(path: Path, *chunks: bytes) -> Path:
    path.write_bytes(b"RIFF" + struct.pack("<I", 4 + sum(map(len, chunks))) + b"WAVE" + b"".join(chunks))
    return path


def pcm16(rate: int = 16_000, channels: int = 1, bits: int = 16, tag: int = 1) -> bytes:
    width = channels * bits // 8
    return chunk(b"fmt ", struct.pack("<HHIIHH", tag, channels, rate, rate * width, width, bits))


def seconds_received(running: Running) -> float | None:
    return running.service.metrics.registry.get_sample_value("stenoline_audio_seconds_total")


def test_help_names_every_option():
    done = run("--help")
    assert done.returncode == 0
    for option in (b"--url", b"--key", b"--language", b"--speed", b"--rate", b"--channels"):
        assert option in done.stdout


def test_a_talk(live: Server, talk_opening: tuple[Path, str], tmp_path: Path):
    soundfile.write(tmp_path / "talk.wav", *soundfile.read(talk_opening[0]), subtype="PCM_16")
    done = run(tmp_path / "talk.wav", "--url", live.url, "--language", "en", "--speed", "4")
    assert error_rate(talk_opening[1], " ".join(lines(done, "final"))) <= ALLOWED
    assert lines(done, "partial") and done.stdout.startswith(b"partial")


def test_raw_sound_from_standard_input(live: Server, talk_opening: tuple[Path, str]):
    sound, rate = soundfile.read(talk_opening[0], dtype="int16")
    stereo = np.stack([sound, sound], 1).tobytes()
    done = run("-", "--rate", str(rate), "--channels", "2", "--url", live.url, "--language", "en", "--speed", "4", sound=stereo)
    assert error_rate(talk_opening[1], " ".join(lines(done, "final"))) <= ALLOWED


@pytest.mark.parametrize(
    "subtype, form, rate, channels",
    [
        ("PCM_16", "WAV", 8_000, 2),
        ("PCM_16", "WAVEX", 44_100, 3),
        ("PCM_32", "WAV", 16_000, 1),
        ("FLOAT", "WAV", 48_000, 2),
        ("FLOAT", "WAVEX", 22_050, 1),
        ("ULAW", "WAV", 8_000, 1),
        ("ALAW", "WAV", 8_000, 1),
    ],
)
def test_any_common_wav_arrives_whole(serve: Serve, tmp_path: Path, subtype: str, form: str, rate: int, channels: int):  # noqa: F811
    running, tone = serve(), 0.5 * np.sin(np.arange(2 * rate) / rate * 2 * np.pi * 300)
    tone[: rate // 10] = 0
    soundfile.write(tmp_path / "tone.wav", np.stack([tone] * channels, 1), rate, subtype=subtype, format=form)
    done = run(tmp_path / "tone.wav", "--url", running.url(), "--speed", "8")
    assert done.returncode == 0 and done.stderr == b"", done.stderr.decode()
    assert seconds_received(running) == pytest.approx(2, abs=1e-3)


@pytest.mark.parametrize("size", [None, 0, 0xFFFFFFFF], ids=["known", "zero", "largest"])
def test_chunks_in_any_order_and_sizes_that_a_pipe_leaves(serve: Serve, tmp_path: Path, size: int | None):  # noqa: F811
    running, samples = serve(), bytes(32_000)
    parts = [chunk(b"LIST", b"odd"), pcm16(), chunk(b"fact", bytes(4)), chunk(b"data", samples, size)]
    if size is None:
        parts = [chunk(b"LIST", b"odd"), chunk(b"data", samples), chunk(b"JUNK", bytes(5)), pcm16()]
    done = run(wav(tmp_path / "tone.wav", *parts), "--url", running.url(), "--speed", "8")
    assert done.returncode == 0, done.stderr.decode()
    assert seconds_received(running) == pytest.approx(1, abs=1e-3)


def test_ending_within_a_sample_is_a_warning(serve: Serve):  # noqa: F811
    done = run("-", "--url", serve().url(), "--speed", "8", sound=bytes(3_201))
    assert done.returncode == 0
    assert done.stderr.startswith(b"warning: ")


@pytest.mark.parametrize(
    "arguments, names",
    [
        ([], "FILE"),
        (["--sped", "2", "-"], "--sped"),
        (["--speed", "fast", "-"], "--speed is fast"),
        (["--rate", "0", "-"], "--rate is 0"),
        (["--url", "nowhere", "-"], "nowhere"),
        (["nowhere.wav"], "nowhere.wav"),
        ([Path(__file__)], "not a WAV file"),
        (["--url", NOWHERE, "-"], "ECONNREFUSED"),
    ],
)
def test_what_is_wrong_is_one_clear_line(arguments: list[str | Path], names: str):
    assert names in error_of(run(*arguments))


@pytest.mark.parametrize(
    "parts, names",
    [([pcm16()], "data"), ([chunk(b"data", bytes(4))], "fmt"), ([pcm16(bits=24), chunk(b"data", bytes(6))], "24 bits")],
)
def test_a_wav_file_that_cannot_be_used(tmp_path: Path, parts: list[bytes], names: str):
    assert names in error_of(run(wav(tmp_path / "bad.wav", *parts)))


def test_what_the_server_refuses_is_one_clear_line(serve: Serve, tmp_path: Path):  # noqa: F811
    running = serve(keys=(b"right",))
    assert "401: a valid API key" in error_of(run("-", "--url", running.url(), "--key", "wrong"))
    low = wav(tmp_path / "low.wav", pcm16(rate=4_000), chunk(b"data", bytes(8_000)))
    assert "4000" in error_of(run(low, "--url", running.url(), "--key", "right"))
    assert "channels is 9" in error_of(run("-", "--url", running.url(), "--key", "right", "--channels", "9"))


@pytest.mark.parametrize("path", ["", "/v1/realtime", "/v1/listen", "/nothing"])
def test_a_url_of_something_else_is_one_clear_line(serve: Serve, path: str):  # noqa: F811
    assert error_of(run("-", "--url", serve().url().removesuffix("/v1/stream") + path))
