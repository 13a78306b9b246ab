"""Files, with the scripted recogniser for the forms and the embedded model for the words."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from rich.console import Console

from bench.score import errors, matched, tokens
from model.interfaces import Recogniser, Word
from model.scripted import ScriptedRecogniser
from server.config import Config
from server.loading import load
from server.transcribe import FORMS, transcribe
from streaming.events import FinalTranscript
from tests.helpers import talk
from tests.sounds import clip

FINALS = [
    FinalTranscript(
        0, (Word(" Hello", 8_000, 16_000, 0.9), Word(" world.", 16_000, 24_000, 0.8)), 0, 32_000, "en", 0.99, "endpoint"
    ),
    FinalTranscript(1, (Word(" Bye.", 57_616_000, 57_624_000, 0.7),), 57_600_000, 57_632_000, "en", 0.99, "close"),
]


def formed(form: str) -> str:
    return FORMS[form](FINALS, Path("talk.wav"))


def test_text():
    assert formed("txt") == "Hello world.\nBye.\n"


def test_json():
    content = json.loads(formed("json"))
    assert content["file"] == "talk.wav" and content["text"] == "Hello world. Bye."
    assert content["segments"][0]["words"][1] == {"text": " world.", "start": 1.0, "end": 1.5, "confidence": 0.8}


def test_captions():
    assert formed("srt") == "1\n00:00:00,500 --> 00:00:01,500\nHello world.\n\n2\n01:00:01,000 --> 01:00:01,500\nBye.\n\n"
    assert formed("vtt").startswith("WEBVTT\n\n00:00:00.500 --> 00:00:01.500\nHello world.\n\n")


def test_no_words_make_no_lines():
    assert FORMS["txt"]([], Path("a")) == "" and FORMS["srt"]([], Path("a")) == "" and FORMS["vtt"]([], Path("a")) == "WEBVTT\n\n"


@pytest.mark.parametrize("partials", [False, True])
def test_every_utterance_of_a_long_file(tmp_path: Path, partials: bool):
    soundfile.write(tmp_path / "a.wav", talk(0.5, 2.0, 1.0, 70.0, 1.0, 1.0), 16_000)
    told: list[float] = []
    recogniser = ScriptedRecogniser()
    finals = transcribe(recogniser, Config(), tmp_path / "a.wav", told.append, partials=partials)
    assert told[-1] == pytest.approx(75.5, abs=0.01) and told == sorted(told)
    words = [word for final in finals for word in final.words]
    assert [w.start for w in words] == sorted(w.start for w in words) and len(finals) >= 4  # 70 s are cut
    assert recogniser.open_streams == ()


def stenoline(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "server", *map(str, arguments)], capture_output=True, text=True, timeout=120)


def test_the_command(tmp_path: Path):
    (path, text), broken = clip("en", "quick_brown_fox"), tmp_path / "broken.wav"
    broken.write_bytes(b"no sound")
    done = stenoline("transcribe", broken, path, tmp_path / "missing.wav", "--format", "srt")
    assert done.returncode == 1, done.stderr
    assert "broken.wav: not a recording that can be read" in done.stderr and "missing.wav: no such file" in done.stderr
    number, times, *lines = done.stdout.strip().splitlines()
    said = " ".join(lines)
    assert number == "1" and len(lines) <= 2 and re.fullmatch(r"00:00:0\d,\d{3} --> 00:00:0\d,\d{3}", times)
    assert errors(tokens(text, "en"), tokens(said, "en")) <= 2


def test_into_a_folder(tmp_path: Path):
    done = stenoline("transcribe", clip("en", "hello_world")[0], "--format", "json", "--output-dir", tmp_path / "out" / "deep")
    assert done.returncode == 0 and done.stdout == ""
    content = json.loads((tmp_path / "out" / "deep" / "hello_world.json").read_text())
    assert content["segments"][0]["language"] == "en" and "hello" in content["text"].lower()


@pytest.fixture(scope="module")
def embedded() -> Recogniser:
    (loaded,) = load(Config(), Console(stderr=True))
    return loaded


@pytest.mark.parametrize("partials", [True, False])
@pytest.mark.parametrize("pause_s", [0.1, 0.8])
def test_no_language_swallows_another(tmp_path: Path, embedded: Recogniser, pause_s: float, partials: bool):
    spoken = [("en", "quick_brown_fox"), ("zh", "pangrama"), ("en", "hello_world")]
    sounds = [voiced(soundfile.read(clip(*each)[0], dtype="float32")[0]) for each in spoken]
    pause = np.zeros(int(pause_s * 16_000), np.float32)
    soundfile.write(tmp_path / "a.wav", np.concatenate([part for sound in sounds for part in (sound, pause)]), 16_000)
    finals = transcribe(embedded, Config(language="en,zh"), tmp_path / "a.wav", partials=partials)
    said = "".join(word.text for final in finals for word in final.words)
    for language, name in spoken:
        wanted = tokens(clip(language, name)[1], language)
        kept = matched(wanted, tokens(said, language))
        assert len(kept) >= 0.5 * len(wanted), (language, said)
    assert {code for final in finals for code in final.languages} == {"en", "zh"}


def voiced(sound: np.ndarray) -> np.ndarray:
    loud = np.flatnonzero(np.abs(sound) > 0.02 * np.abs(sound).max())
    return sound[max(0, loud[0] - 800) : loud[-1] + 800]
