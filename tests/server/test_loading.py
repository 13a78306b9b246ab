from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from model import embedded
from model.registry import UnknownModel
from server.config import Config
from server.loading import load, prepare
from tests.model.tiny import write


def test_the_first_preparation_shows_a_bar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    shown = io.StringIO()
    directory = prepare("whisper-base", Console(file=shown, force_terminal=True, width=100))
    assert directory == tmp_path / "stenoline" / f"whisper-base-{embedded.SHA256[:8]}"
    assert "preparing whisper-base" in shown.getvalue() and "145.2" in shown.getvalue()
    again = io.StringIO()
    prepare("whisper-base", Console(file=again, force_terminal=True, width=100))
    assert "preparing" not in again.getvalue()


def test_a_directory_is_loaded_and_warm(tmp_path: Path):
    tokenizer = embedded.prepare() / "tokenizer.json"
    recogniser = load(Config(model=str(write(tmp_path / "tiny", tokenizer)), precision="float32"), Console(quiet=True))[0]
    assert recogniser.name == "tiny" and "zh" in recogniser.languages


def test_an_unknown_model_is_named():
    with pytest.raises(UnknownModel, match="'gpt-4o'"):
        load(Config(model="gpt-4o"), Console(quiet=True))
