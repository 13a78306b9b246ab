"""All the examples as a stranger runs them: as programs, against the server with the embedded model."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile
from captions import overhang

from bench.live import Server
from scripts.vendors import is_ready, python_of
from tests.client_examples.programs import ALLOWED, EXAMPLES, FOLDER, HELPERS, NOWHERE, error_rate, finals, is_one_line, run

OPENAI = "openai-new"


def arguments(name: str, recording: Path) -> list[str | Path]:
    """What an example needs to run at all; its sound comes from a pipe where it can."""
    given: dict[str, list[str | Path]] = {
        "captions.py": [],
        "dictation.py": ["--pipe", "--socket", recording.parent / "socket"],
        "subtitles.py": [recording.parent / "talk.srt", "--sound", "-"],
    }
    return given.get(name, [recording])


def python(name: str) -> dict[str, Path]:
    """The interpreter for an example, where it is not ours."""
    if name != "openai_sdk.py":
        return {}
    if not is_ready(OPENAI):
        pytest.skip(f"the environment {OPENAI} is missing: make vendors")
    return {"python": python_of(OPENAI)}


@pytest.fixture(scope="module")
def opening_wav(talk_opening: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The opening as WAV."""
    path = tmp_path_factory.mktemp("talk") / "opening.wav"
    sound, rate = soundfile.read(talk_opening[0], dtype="int16")
    soundfile.write(path, sound, rate, subtype="PCM_16")
    return path


@pytest.mark.parametrize("name", EXAMPLES)
def test_help_names_server_and_key(name: str):
    done = run(name, "--help", **python(name))
    assert done.returncode == 0, done.stderr.decode()
    assert b"--url" in done.stdout and b"--key" in done.stdout


@pytest.mark.parametrize("name", [*EXAMPLES, *(name for name in HELPERS if name != "__init__.py")])
def test_the_table_lists_it(name: str):
    assert f"`{name}`" in (FOLDER / "README.md").read_text()


def test_stream_file(live: Server, talk_opening: tuple[Path, str]):
    done = run("stream_file.py", talk_opening[0], "--url", live.url, "--language", "en", "--speed", "4")
    assert error_rate(talk_opening[1], finals(done)) <= ALLOWED
    assert b"partial" in done.stdout


def test_deepgram_sdk(live: Server, talk_opening: tuple[Path, str]):
    url = live.url.removesuffix("/v1/stream")
    done = run("deepgram_sdk.py", talk_opening[0], "--url", url, "--language", "en", "--speed", "4")
    assert error_rate(talk_opening[1], finals(done)) <= ALLOWED
    assert b"interim" in done.stdout


def test_deepgram_sdk_with_a_recording_as_a_whole(live: Server, talk_opening: tuple[Path, str]):
    url = live.url.removesuffix("/v1/stream")
    done = run("deepgram_sdk.py", "--whole", talk_opening[0], "--url", url, "--language", "en")
    assert error_rate(talk_opening[1], finals(done)) <= ALLOWED


def test_openai_sdk_live(live: Server, talk_opening: tuple[Path, str], opening_wav: Path):
    url = live.url.removesuffix("/stream").replace("ws", "http", 1)
    done = run("openai_sdk.py", "--live", opening_wav, "--url", url, "--language", "en", "--speed", "4", **python("openai_sdk.py"))
    assert done.returncode == 0, done.stderr.decode()
    assert error_rate(talk_opening[1], done.stdout.decode()) <= ALLOWED, done.stdout.decode()
    assert done.stdout.endswith(b"\n"), "it did not wait for the last words"


def test_openai_sdk_with_a_recording_as_a_whole(live: Server, talk_opening: tuple[Path, str]):
    url = live.url.removesuffix("/stream").replace("ws", "http", 1)
    done = run("openai_sdk.py", talk_opening[0], "--url", url, "--language", "en", **python("openai_sdk.py"))
    assert done.returncode == 0, done.stderr.decode()
    assert error_rate(talk_opening[1], done.stdout.decode()) <= ALLOWED, done.stdout.decode()


def test_openai_sdk_live_says_what_sound_it_takes(live: Server, talk_opening: tuple[Path, str], tmp_path: Path):
    sound, rate = soundfile.read(talk_opening[0], dtype="int16")
    soundfile.write(tmp_path / "odd.wav", sound[:rate], 11_025, subtype="PCM_16")
    url = live.url.removesuffix("/stream").replace("ws", "http", 1)
    done = run("openai_sdk.py", "--live", tmp_path / "odd.wav", "--url", url, **python("openai_sdk.py"))
    assert is_one_line(done) and b"24000" in done.stderr


def test_captions(live: Server, talk_opening: tuple[Path, str]):
    sound, rate = soundfile.read(talk_opening[0], dtype="int16")
    assert rate == 16_000
    done = run("captions.py", "--url", live.url, "--language", "en", sound=sound.tobytes())
    assert done.returncode == 0, done.stderr.decode()
    assert error_rate(talk_opening[1], done.stdout.decode()) <= ALLOWED
    assert b"\x1b" not in done.stdout  # no terminal, no terminal codes


def test_captions_fit_the_terminal():
    assert overhang("well said", 40) == 0
    assert overhang("what is being said", 4) == len("what is being ")
    assert overhang("正在说的话", 5) == 3


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name != "microphone.py"])
def test_no_server_is_one_clear_line(name: str, talk_opening: tuple[Path, str]):
    url = NOWHERE.replace("ws", "http", 1) if name == "openai_sdk.py" else NOWHERE
    done = run(name, *arguments(name, talk_opening[0]), "--url", url, sound=b"", **python(name))
    assert is_one_line(done), done.stderr.decode()


@pytest.mark.parametrize("name", ["stream_file.py", "captions.py", "subtitles.py", "dictation.py"])
@pytest.mark.parametrize("path", ["", "/v1/realtime", "/nothing"])
def test_a_url_of_something_else_is_one_clear_line(name: str, path: str, live: Server, talk_opening: tuple[Path, str]):
    url = live.url.removesuffix("/v1/stream") + path
    done = run(name, *arguments(name, talk_opening[0]), "--url", url, sound=b"")
    assert is_one_line(done) and url.encode() in done.stderr, done.stderr.decode()


@pytest.mark.parametrize("name", ["stream_file.py", "captions.py", "deepgram_sdk.py", "openai_sdk.py"])
def test_a_language_that_nobody_speaks_is_one_clear_line(name: str, live: Server, opening_wav: Path):
    base = live.url.removesuffix("/v1/stream")
    url = {"deepgram_sdk.py": base, "openai_sdk.py": base.replace("ws", "http", 1) + "/v1"}.get(name, live.url)
    live_too = ["--live"] if name == "openai_sdk.py" else []
    done = run(name, *arguments(name, opening_wav), *live_too, "--url", url, "--language", "xx", sound=b"", **python(name))
    assert is_one_line(done) and b'"xx"' in done.stderr, done.stderr.decode()


@pytest.mark.parametrize("name", ["stream_file.py", "subtitles.py", "deepgram_sdk.py", "openai_sdk.py"])
def test_a_speed_that_is_none(name: str, talk_opening: tuple[Path, str]):
    done = run(name, *arguments(name, talk_opening[0]), "--speed", "0", **python(name))
    assert done.returncode == 2 and b"--speed is 0.0, expected" in done.stderr, done.stderr.decode()


@pytest.mark.parametrize("name", ["stream_file.py", "deepgram_sdk.py"])
def test_what_is_no_sound_is_one_clear_line(name: str, tmp_path: Path):
    (tmp_path / "notes.wav").write_text("no sound at all")
    done = run(name, tmp_path / "notes.wav", "--url", NOWHERE)
    assert is_one_line(done) and b"Expected WAV" in done.stderr


@pytest.mark.parametrize("name", ["stream_file.py", "deepgram_sdk.py", "openai_sdk.py"])
def test_a_missing_file_is_one_clear_line(name: str, live: Server):
    done = run(name, "nowhere.flac", "--url", live.url, **python(name))
    assert is_one_line(done) and b"No such file or directory: 'nowhere.flac'" in done.stderr
