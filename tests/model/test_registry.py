from __future__ import annotations

from pathlib import Path

import pytest

from bench.checkpoint import write as glm
from model.checkpoint import BadCheckpoint
from model.registry import UnknownModel, load_recogniser, resolve
from tests.model.tiny import edit_json, write


def test_the_embedded_model_by_its_names(embedded_directory: Path):
    assert resolve("embedded") == resolve("whisper-base") == embedded_directory


def test_a_directory_is_itself(tiny_directory: Path):
    assert resolve(str(tiny_directory)) == tiny_directory


@pytest.mark.parametrize("name", ["whisper-enormous", "/no/such/directory", "", "gpt-4o", "openai/whisper-base/../x"])
def test_an_unknown_name_is_refused_with_what_is_expected(name: str):
    with pytest.raises(UnknownModel) as caught:
        resolve(name)
    assert repr(name) in str(caught.value) and "expected" in str(caught.value) and "openai/whisper-small" in str(caught.value)


def test_a_hub_that_cannot_be_reached_is_an_error_of_ours(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UnknownModel, match=r"'openai/whisper-nowhere' could not be fetched"):
        resolve("openai/whisper-nowhere")


def test_a_directory_of_any_size_is_loaded(tiny_directory: Path):
    recogniser = load_recogniser(tiny_directory, threads=1)
    assert recogniser.languages and recogniser.capacity > 0


def test_an_english_only_one_knows_english(tmp_path: Path, embedded_directory: Path):
    directory = write(tmp_path / "whisper-tiny.en", embedded_directory / "tokenizer.json")
    edit_json(directory / "generation_config.json", is_multilingual=False)
    assert load_recogniser(directory).languages == ("en",)


def test_what_is_no_model_directory_is_refused(tmp_path: Path):
    with pytest.raises(UnknownModel, match="not a model directory"):
        load_recogniser(tmp_path)


def test_another_family_is_refused(tiny_directory: Path, tmp_path: Path, embedded_directory: Path):
    directory = write(tmp_path / "other", embedded_directory / "tokenizer.json")
    edit_json(directory / "config.json", model_type="wav2vec2")
    with pytest.raises(UnknownModel, match=r"model_type is 'wav2vec2', expected one of whisper, glmasr"):
        load_recogniser(directory)


def test_a_device_that_this_model_cannot_use_is_refused(tiny_directory: Path):
    with pytest.raises(UnknownModel, match="device 'tpu'"):
        load_recogniser(tiny_directory, device="tpu")


def test_a_setting_that_is_missing_is_named(tmp_path: Path, embedded_directory: Path):
    directory = write(tmp_path / "bad", embedded_directory / "tokenizer.json")
    edit_json(directory / "config.json", d_model=None)
    with pytest.raises(BadCheckpoint, match="d_model"):
        load_recogniser(directory)


def test_glm_asr_by_its_directory(tmp_path: Path):
    recogniser = load_recogniser(glm(tmp_path / "glm"), capacity=4, policy="frozen-kv")
    assert recogniser.name == "glm" and recogniser.languages == () and recogniser.capacity == 4


def test_a_precision_that_it_has_not(tmp_path: Path):
    with pytest.raises(UnknownModel, match="precision is 'int8', expected one of auto, bfloat16, float32"):
        load_recogniser(glm(tmp_path / "glm"), precision="int8")


def test_whisper_in_bfloat16_runs_as_a_batch(tiny_directory: Path):
    from model.whisper.batch_recogniser import WhisperBatchRecogniser

    assert isinstance(load_recogniser(tiny_directory, precision="bfloat16", capacity=2), WhisperBatchRecogniser)
