from __future__ import annotations

import pytest

from model.biasing.trie import Trie, forms, parted
from model.interfaces import Hotword


def test_forms():
    assert list(forms(Hotword("nginx", sounds_like=("engine X",)))) == ["nginx", "Nginx"]


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("FastAPI", ["Fast API", "fast api"]),
        ("MultiHeadAttention", ["Multi Head Attention", "multi head attention"]),
        ("PostgreSQL", ["Postgre SQL", "postgre sql"]),
        ("nginx", []),
        ("KV cache", []),
        ("gRPC", []),  # one letter is no word
    ],
)
def test_names_put_together_are_also_written_in_parts(name: str, parts: list[str]):
    assert list(parted(Hotword(name))) == parts


def test_it_holds_each_form_with_and_without_its_space():
    trie = Trie.of([Hotword("ab", 2.0), Hotword("a"), Hotword("no", 0.0)], lambda text: [ord(letter) for letter in text], 1)
    node = trie.spaced.children[ord(" ")].children[ord("a")]
    assert node.is_end and node.weight == 2.0 and node.children[ord("b")].is_end
    assert set(trie.bare.children) == {ord(c) for c in "aA"} and trie.weight == 2.0


def test_a_short_phrase_weighs_less():
    trie = Trie.of([Hotword("abc"), Hotword("defghijk", 2.0)], lambda text: [ord(letter) for letter in text], 6)
    assert trie.bare.children[ord("a")].weight == 0.5 and trie.bare.children[ord("d")].weight == 2.0
