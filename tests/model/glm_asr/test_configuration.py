from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.checkpoint import EOS, TINY, write
from model.checkpoint import BadCheckpoint
from model.glm_asr.configuration import GlmAsrConfig
from tests.model.tiny import edit_json


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return write(tmp_path / "glm")


def edit_section(directory: Path, section: str, **changes: Any) -> None:
    config = json.loads((directory / "config.json").read_text())
    edit_json(directory / "config.json", **{section: {**config[section], **changes}})


def test_everything_is_read(directory: Path):
    assert GlmAsrConfig.load(directory) == TINY


def test_the_published_sizes_by_transformers_own_writing(tmp_path: Path):
    from transformers import GlmAsrConfig as Theirs

    Theirs().save_pretrained(tmp_path)
    found = GlmAsrConfig.load(tmp_path)
    assert (found.audio.hidden_size, found.audio.num_hidden_layers, found.audio.partial_rotary_factor) == (1280, 32, 0.5)
    assert (found.text.hidden_size, found.text.num_hidden_layers, found.text.head_dim) == (2048, 28, 128)
    assert (found.eos_token_ids, found.audio_token_id, found.is_tied) == (EOS, 59260, True)


def test_a_single_end_token(directory: Path):
    edit_json(directory / "generation_config.json", eos_token_id=59253)
    assert GlmAsrConfig.load(directory).eos_token_ids == (59253,)


@pytest.mark.parametrize(
    ("section", "changes", "message"),
    [
        ("audio_config", {"hidden_size": None}, "hidden_size is None, expected a whole number"),
        ("audio_config", {"hidden_act": "relu"}, "audio hidden_act is 'relu', expected 'gelu'"),
        ("audio_config", {"intermediate_size": 100}, "expected 4 times hidden_size"),
        ("audio_config", {"num_key_value_heads": 2}, "audio num_key_value_heads is 2, expected 4"),
        ("text_config", {"vocab_size": "many"}, "vocab_size is 'many'"),
        ("text_config", {"attention_bias": True}, "attention_bias is True"),
        ("text_config", {"model_type": "glm"}, "model_type is 'glm', expected 'llama'"),
        ("text_config", {"rope_parameters": {"rope_type": "yarn"}}, "rope_type is 'yarn'"),
    ],
)
def test_what_the_modules_do_not_compute_is_refused(directory: Path, section: str, changes: dict[str, Any], message: str):
    edit_section(directory, section, **changes)
    with pytest.raises(BadCheckpoint, match=message):
        GlmAsrConfig.load(directory)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "whisper"}, "model_type is 'whisper', expected 'glmasr'"),
        ({"whisper_config": {}}, "interleaved"),
        ({"lm_config": {}}, "interleaved"),
        ({"audio_config": None}, "audio_config is missing"),
        ({"audio_token_id": -1}, "audio_token_id is -1"),
    ],
)
def test_other_checkpoints_are_refused(directory: Path, changes: dict[str, Any], message: str):
    edit_json(directory / "config.json", **changes)
    with pytest.raises(BadCheckpoint, match=message):
        GlmAsrConfig.load(directory)


@pytest.mark.parametrize("heads", [[[9, 0]], [[0]], "all", [3]])
def test_alignment_heads_that_are_not_there(directory: Path, heads: Any):
    edit_json(directory / "generation_config.json", alignment_heads=heads)
    with pytest.raises(BadCheckpoint, match="alignment_heads"):
        GlmAsrConfig.load(directory)
