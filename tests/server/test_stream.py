"""The live client for the terminal."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import pytest
import soundfile
from rich.console import Console

from model.scripted import ScriptedRecogniser
from server.stream import converse, stream_file
from tests.helpers import talk
from tests.server.conftest import Running, Serve


@pytest.fixture
def file(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "talk.wav", talk(0.3, 2.0, 0.8, 1.5, 0.8), 16_000)
    return tmp_path / "talk.wav"


def test_partials_turn_into_finals_on_the_screen(running: Running, file: Path):
    screen = io.StringIO()
    heard = asyncio.run(
        converse(file, running.url(), speed=20.0, console=Console(file=screen, force_terminal=True, width=100, color_system=None))
    )
    finals = [m["text"] for _, m in heard.messages if m["type"] == "final"]
    assert len(finals) == 2 and heard.text == " ".join(finals) and heard.audio_s == pytest.approx(5.4, abs=0.01)
    assert all(" ".join(screen.getvalue().split()).count(text) for text in finals)
    assert any(m["type"] == "partial" for _, m in heard.messages)


def test_it_is_sent_at_the_pace_that_is_asked_for(running: Running, file: Path):
    heard = asyncio.run(converse(file, running.url(), speed=10.0, console=Console(quiet=True)))
    assert heard.sent_s >= 0.54


def test_it_ends_well(running: Running, file: Path, capsys: pytest.CaptureFixture[str]):
    assert stream_file(file, running.url(), "", "en", 50.0) == 0
    assert capsys.readouterr().out.strip()


def test_a_wrong_key_is_one_line(serve: Serve, file: Path, capsys: pytest.CaptureFixture[str]):
    running = serve(keys=(b"right",))
    assert stream_file(file, running.url(), "wrong", "", 50.0) == 1
    out = capsys.readouterr().out
    assert "401: a valid API key is needed" in out and out.count("\n") == 1
    assert stream_file(file, running.url(), "right", "", 50.0) == 0


@pytest.mark.parametrize("url", ["ws://127.0.0.1:9/v1/stream", "http://127.0.0.1:9/", "nonsense"])
def test_no_server_is_one_line(file: Path, url: str, capsys: pytest.CaptureFixture[str]):
    assert stream_file(file, url, "", "", 50.0) == 1
    out = capsys.readouterr().out
    assert url in out and out.count("\n") == 1


def test_a_file_that_cannot_be_read_is_one_line(running: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert stream_file(tmp_path / "missing.wav", running.url(), "", "", 50.0) == 1
    assert "missing.wav: no such file" in capsys.readouterr().out


def test_a_language_that_the_model_has_not_got_is_told(serve: Serve, file: Path, capsys: pytest.CaptureFixture[str]):
    recogniser = ScriptedRecogniser()
    recogniser.languages = ("en", "zh")
    assert stream_file(file, serve(recogniser).url(), "", "klingon", 50.0) == 1
    out = capsys.readouterr().out
    assert 'language is "klingon"' in out and out.count("\n") == 1


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/v1/strem", "no WebSocket is at /v1/strem: there is /v1/stream"),
        ("/v1/realtime", "it is at /v1/stream"),
        ("", "/v1/stream"),
    ],
)
def test_a_wrong_address_is_one_line_with_the_right_one(
    running: Running, file: Path, path: str, said: str, capsys: pytest.CaptureFixture[str]
):
    assert stream_file(file, running.url(path), "", "", 50.0) == 1
    out = capsys.readouterr().out
    assert said in out and out.count("\n") == 1


def test_a_folder_is_no_file(running: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert stream_file(tmp_path, running.url(), "", "", 50.0) == 1
    assert "a directory, expected a file" in capsys.readouterr().out
