"""A text of letters, each a token; what is near is made up, so that each rule shows."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from model.biasing.trie import Trie
from model.biasing.walk import BiasOptions, Favour, GoBack
from model.interfaces import Hotword

END = 0
ENDS = frozenset((END,))


def encode(text: str) -> list[int]:
    return [ord(letter) for letter in text]


def decode(near: list[dict[str, float]], *phrases: str, options: BiasOptions | None = None) -> str:
    """Greedy decoding where position i offers `near[i]`, whatever came before."""
    favour = Favour([Trie.of(map(Hotword, phrases), encode, 1)], chr, options or BiasOptions(), ENDS)
    offered = [sorted(((ord(c) if c else END, p) for c, p in each.items()), key=lambda pair: -pair[1]) for each in near]
    tokens: list[int] = []
    while len(tokens) < len(offered):
        found = favour.choose(tokens, len(tokens), offered[len(tokens)], list(range(len(tokens) + 1)), len(near))
        if isinstance(found, GoBack):
            del tokens[found.position :]
        elif found[0] == END:
            break
        else:
            tokens.append(found[0])
    return "".join(map(chr, tokens))


def test_a_phrase_within_its_margin_is_taken():
    near = [{" ": 0.0}, {"x": -0.1, "a": -3.0}, {"b": -0.1}, {" ": 0.0}, {"y": 0.0}]
    assert decode(near, "ab") == " ab y" and decode(near) == " xb y"


def test_one_beyond_it_is_not():
    assert decode([{" ": 0.0}, {"x": -0.1, "a": -9.0}, {"b": -0.1}, {" ": 0.0}], "ab") == " xb "


def test_one_that_does_not_go_on_gives_its_bonus_back():
    near = [{" ": 0.0}, {"x": -0.1, "a": -3.0}, {"z": -0.1}, {" ": 0.0}]
    assert decode(near, "ab") == " xz "


def test_all_its_tokens_together_have_a_cap():
    near = [{" ": 0.0}, {"x": -0.1, "a": -5.0}, {"x": -0.1, "b": -5.0}, {" ": 0.0}]
    assert decode(near, "ab") == " xx " and decode(near, "ab", options=BiasOptions(cap=12.0)) == " ab "


def test_it_is_not_the_beginning_of_a_longer_word():
    near = [{" ": 0.0}, {"x": -0.1, "a": -3.0}, {"b": -0.1}, {"c": -0.1}, {" ": 0.0}]
    assert decode(near, "ab") == " xbc "


def test_it_may_end_the_text():
    assert decode([{" ": 0.0}, {"x": -0.1, "a": -3.0}, {"b": -0.1}, {"": -0.1}], "ab") == " ab"


LETTERS = st.sampled_from("abc xy")
NEAR = st.lists(st.dictionaries(LETTERS, st.floats(-12, -0.01), min_size=1), min_size=1, max_size=12)


@given(NEAR, st.lists(st.text("abc", min_size=1, max_size=4), max_size=4))
def test_it_always_ends_and_without_phrases_it_is_greedy(near: list[dict[str, float]], phrases: list[str]):
    assert len(decode(near, *phrases)) == len(near)
    assert decode(near) == "".join(max(each, key=lambda c: (each[c], -list(each).index(c))) for each in near)


def test_the_margin_is_that_of_the_heaviest_phrase():
    trie = Trie.of([Hotword("a", 2.0), Hotword("b")], encode)
    assert Favour([trie], chr, BiasOptions(margin=5.0), ENDS).margin == 10.0


def test_a_token_that_was_chosen_elsewhere_is_followed():
    favour = Favour([Trie.of([Hotword("abcdef")], encode)], chr, BiasOptions(), ENDS)
    before: list[int] = []
    for position, letter in enumerate("abc"):
        favour.follow(before, position, ord(letter))
        before.append(ord(letter))
    token, _ = favour.choose(before, 3, [(ord("x"), -0.5), (ord("d"), -2.0)], [0, 0, 0, 0], 100)
    assert token == ord("d")
