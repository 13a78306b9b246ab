from __future__ import annotations

from pathlib import Path

import pytest

from bench.checkpoint import write
from model.checkpoint import BadCheckpoint
from model.glm_asr.configuration import GlmAsrConfig
from model.glm_asr.tokenizer import GlmAsrTokenizer
from tests.model.glm_asr.conftest import sound
from tests.model.tiny import edit_json


@pytest.fixture(scope="module")
def tokenizer(glm_directory: Path) -> GlmAsrTokenizer:
    return GlmAsrTokenizer.load(glm_directory, GlmAsrConfig.load(glm_directory))


@pytest.mark.parametrize("seconds", [0.1, 2.5, 31.0])
def test_the_prompt_is_that_of_transformers(tokenizer, glm_processor, seconds):
    ids = glm_processor.apply_transcription_request(sound(seconds))["input_ids"][0].tolist()
    audio = ids.count(59260)
    assert [*tokenizer.prompt.header, *[59260] * audio, *tokenizer.prompt.suffix] == ids
    assert tokenizer.prompt.header == (59253, 10, 59261) and tokenizer.prompt.suffix[-2:] == (59254, 10)


def test_another_request_is_read_from_the_files(tmp_path: Path):
    directory = write(tmp_path / "glm")
    edit_json(directory / "processor_config.json", default_transcription_prompt="Write this down")
    found = GlmAsrTokenizer.load(directory, GlmAsrConfig.load(directory))
    assert "Write this down" in found.decode(found.prompt.suffix)


def test_a_template_in_the_tokenizer_s_configuration(tmp_path: Path, tokenizer):
    directory = write(tmp_path / "glm")
    template = (directory / "chat_template.jinja").read_text()
    (directory / "chat_template.jinja").unlink()
    edit_json(directory / "tokenizer_config.json", chat_template=template)
    assert GlmAsrTokenizer.load(directory, GlmAsrConfig.load(directory)).prompt == tokenizer.prompt


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("chat_template.jinja", None, r"no chat_template\.jinja"),
        ("chat_template.jinja", "{% if %}", "cannot be rendered"),
        ("chat_template.jinja", "{{ messages[0].nothing.here() }}", "cannot be rendered"),
        ("chat_template.jinja", "hello", "0 times"),
        ("chat_template.jinja", "<|pad|><|pad|>", "2 times"),
        ("tokenizer.json", None, r"no tokenizer\.json"),
        ("tokenizer.json", "{}", "cannot be read"),
    ],
)
def test_files_that_cannot_be_used_are_named(tmp_path: Path, name: str, content: str | None, message: str):
    directory = write(tmp_path / "glm")
    if content is None:
        (directory / name).unlink()
    else:
        (directory / name).write_text(content)
    with pytest.raises(BadCheckpoint, match=message):
        GlmAsrTokenizer.load(directory, GlmAsrConfig.load(directory))


@pytest.mark.parametrize("text", ["The server listens.", "我们用 LoRA 做增量，一边听。", "CUDA_VISIBLE_DEVICES=0,1 is 龘"])
def test_words_join_to_the_whole(tokenizer: GlmAsrTokenizer, text: str):
    ids = tokenizer.encode(text)
    found = tokenizer.split_words(ids)
    assert [i for _, each in found for i in each] == ids and "".join(w for w, _ in found) == text == tokenizer.decode(ids)
    assert len(found) > 1
