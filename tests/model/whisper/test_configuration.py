from __future__ import annotations

import json
from pathlib import Path

import pytest

from model.checkpoint import BadCheckpoint
from model.whisper.configuration import WhisperConfig
from tests.model.tiny import HEADS, SIZES, edit_json, write


@pytest.fixture
def directory(tmp_path: Path, embedded_directory: Path) -> Path:
    return write(tmp_path / "model", embedded_directory / "tokenizer.json")


def test_the_embedded_one(embedded_directory: Path):
    config = WhisperConfig.load(embedded_directory)
    assert config.is_multilingual and config.suppress_tokens and config.begin_suppress_tokens
    assert config.alignment_heads == ((3, 1), (4, 2), (4, 3), (4, 7), (5, 1), (5, 2), (5, 4), (5, 6))  # as published for base


def test_what_transformers_saves_is_read(directory: Path):
    config = WhisperConfig.load(directory)
    assert {name: getattr(config, name) for name in SIZES} == SIZES
    assert config.alignment_heads == tuple(map(tuple, HEADS)) and config.suppress_tokens == ()


def test_heads_that_nobody_names_are_those_of_the_upper_half(directory: Path):
    (directory / "generation_config.json").unlink()
    assert WhisperConfig.load(directory).alignment_heads == ((1, 0), (1, 1), (1, 2), (1, 3))


def test_english_only_is_told_by_the_vocabulary(directory: Path):
    edit_json(directory / "generation_config.json", is_multilingual=None)
    assert WhisperConfig.load(directory).is_multilingual
    edit_json(directory / "config.json", vocab_size=51864)
    assert not WhisperConfig.load(directory).is_multilingual


def test_another_type_is_refused(directory: Path):
    edit_json(directory / "config.json", model_type="bert")
    with pytest.raises(BadCheckpoint, match=r"model_type is 'bert', expected 'whisper'"):
        WhisperConfig.load(directory)


@pytest.mark.parametrize("value", [None, "64", 6.5, True])
def test_a_size_that_is_no_whole_number_is_named(directory: Path, value: object):
    edit_json(directory / "config.json", d_model=value)
    with pytest.raises(BadCheckpoint, match=r"config\.json: d_model missing or not a whole number"):
        WhisperConfig.load(directory)


@pytest.mark.parametrize("content", ["", "{", "[1]", '"text"'])
def test_a_file_that_is_no_object_is_named(directory: Path, content: str):
    (directory / "config.json").write_text(content)
    with pytest.raises(BadCheckpoint, match=r"config\.json"):
        WhisperConfig.load(directory)


def test_a_missing_file_is_named(directory: Path):
    (directory / "config.json").unlink()
    with pytest.raises(BadCheckpoint, match=r"has no config\.json"):
        WhisperConfig.load(directory)


@pytest.mark.parametrize("heads", [[[9, 0]], [[0, 4]], [[0]], "all", [["a", 0]]])
def test_heads_that_are_not_there_are_refused(directory: Path, heads: object):
    edit_json(directory / "generation_config.json", alignment_heads=heads)
    with pytest.raises(BadCheckpoint, match="alignment_heads"):
        WhisperConfig.load(directory)
    assert json.loads((directory / "generation_config.json").read_text())["alignment_heads"] == heads
