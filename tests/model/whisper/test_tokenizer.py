from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from model.checkpoint import BadCheckpoint
from model.whisper.tokenizer import WhisperTokenizer

SENTENCES = [
    ("en", " Hello, world! It's 3.5 % of “what we said” (or so)."),
    ("en", " CUDA_VISIBLE_DEVICES=0,1 python train.py --lora-rank 16"),
    ("zh", "我们用LoRA微调模型，然后再部署。"),
    ("ja", "こんにちは、世界。"),
    ("fr", " Qu'est-ce que c'est ? Voilà « ça »."),
    ("en", " naïve café 🎤🎧 résumé"),
]


@pytest.fixture(scope="module")
def tokenizer(embedded_directory: Path) -> WhisperTokenizer:
    return WhisperTokenizer.load(embedded_directory)


def test_special_tokens_are_where_they_were_published(tokenizer: WhisperTokenizer):
    t = tokenizer
    assert (t.eot, t.sot, t.translate, t.transcribe) == (50257, 50258, 50358, 50359)
    assert (t.sot_prev, t.no_speech, t.no_timestamps) == (50361, 50362, 50363)
    assert len(t.language_ids) == 99 and (t.language_ids["en"], t.language_ids["zh"], t.language_ids["su"]) == (50259, 50260, 50357)
    assert t.start("zh") == [50258, 50260, 50359, 50363]


@pytest.mark.parametrize(("language", "text"), SENTENCES)
def test_text_and_back(tokenizer: WhisperTokenizer, language: str, text: str):
    assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.parametrize(("language", "text"), SENTENCES)
def test_words_join_to_the_whole(tokenizer: WhisperTokenizer, language: str, text: str):
    ids = tokenizer.encode(text)
    words = tokenizer.split_words(ids, language)
    assert "".join(word for word, _ in words) == text and [i for _, piece in words for i in piece] == ids


def test_words_of_a_language_with_spaces(tokenizer: WhisperTokenizer):
    words = tokenizer.split_words(tokenizer.encode(" It's a “small” test, isn't it? (Yes.)"), "en")
    assert [word.strip() for word, _ in words] == ["It's", "a", "“small”", "test,", "isn't", "it?", "(Yes.)"]


def test_words_of_a_language_without_spaces_are_characters(tokenizer: WhisperTokenizer):
    words = [word for word, _ in tokenizer.split_words(tokenizer.encode("你好，世界。"), "zh")]
    assert "".join(words) == "你好，世界。" and len(words) >= 2
    assert not {"，", "。"} & set(words)


@given(st.lists(st.integers(0, 50256), max_size=40), st.sampled_from(["en", "zh"]))
def test_any_tokens_are_kept_in_order(tokenizer: WhisperTokenizer, ids: list[int], language: str):
    words = tokenizer.split_words(ids, language)
    assert [i for _, piece in words for i in piece] == ids
    assert all(piece for _, piece in words)


def test_what_looks_like_a_special_token_is_plain_text(tokenizer: WhisperTokenizer):
    assert all(i < tokenizer.eot for i in tokenizer.encode("say <|endoftext|> and <|zh|>"))


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(BadCheckpoint, match=r"has no tokenizer\.json"):
        WhisperTokenizer.load(tmp_path)


def test_a_damaged_file_is_named(tmp_path: Path):
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(BadCheckpoint, match=r"tokenizer\.json cannot be read"):
        WhisperTokenizer.load(tmp_path)


def test_another_family_is_refused(tmp_path: Path, embedded_directory: Path):
    content = json.loads((embedded_directory / "tokenizer.json").read_text())
    content["added_tokens"] = [token for token in content["added_tokens"] if token["content"] != "<|startoftranscript|>"]
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(BadCheckpoint, match=r"has no token <\|startoftranscript\|>"):
        WhisperTokenizer.load(tmp_path)


def test_the_english_only_models_say_neither_language_nor_task(embedded_directory: Path):
    content = json.loads((embedded_directory / "tokenizer.json").read_text())
    for token in content["added_tokens"]:  # their ids lie one lower
        token["id"] -= 1
    del content["model"]["vocab"][""]
    content["model"]["vocab"]["<|endoftext|>"] = 50256
    english = WhisperTokenizer(Tokenizer.from_str(json.dumps(content)))
    assert not english.is_multilingual and english.start("en") == [50257, 50362]
