from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.words import Pieces, characters, mixed_words, spaced_words


def pieces(text: str) -> Pieces:
    """A token for each character."""
    return [(letter, [i]) for i, letter in enumerate(text)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The server listens.", ["The", " server", " listens."]),
        ("我们用显卡", ["我", "们", "用", "显", "卡"]),
        ("用 LoRA 做增量，一边听。", ["用", " LoRA", " 做", "增", "量，", "一", "边", "听。"]),
        ("量，LoRA好", ["量，", "LoRA", "好"]),
        ("调了...Transformer模型", ["调", "了...", "Transformer", "模", "型"]),
        ("用 Node.js", ["用", " Node.js"]),
        ("用RoPE和KV cache", ["用", "RoPE", "和", "KV", " cache"]),
        ('He said "hello there" twice', ["He", " said", ' "hello', ' there"', " twice"]),
        ("CUDA_VISIBLE_DEVICES=0,1 is", ["CUDA_VISIBLE_DEVICES=0,1", " is"]),
        ("他说“你好”。", ["他", "说", "“你", "好”。"]),
        ("", []),
    ],
)
def test_mixed_words(text: str, words: list[str]):
    assert [word for word, _ in mixed_words(pieces(text))] == words


def test_spaced_words_keep_punctuation():
    tokens = [(text, [i]) for i, text in enumerate(["One", ",", " two", " (", "three", ")", " 4", "."])]
    assert [word for word, _ in spaced_words(tokens)] == ["One,", " two", " (three)", " 4."]


@given(st.text(alphabet='ab ,.“”"我们は，。(', max_size=30))
def test_nothing_is_lost(text: str):
    for split in (mixed_words, spaced_words):
        found = split(pieces(text))
        assert "".join(word for word, _ in found) == text and [i for _, ids in found for i in ids] == list(range(len(text)))


def test_characters_of_several_tokens_stay_together():
    data = "a龘b".encode()
    found = characters(range(len(data)), lambda ids: bytes(data[i] for i in ids).decode(errors="replace"))
    assert found == [("a", [0]), ("龘", [1, 2, 3]), ("b", [4])]
