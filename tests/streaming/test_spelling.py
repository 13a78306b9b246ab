"""Hotwords as they are to be written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.interfaces import Hotword, Word
from streaming.spelling import Speller, Spelling, spelling_of

TERMS = tuple(
    Hotword(text, 1.0, sayings)
    for text, *sayings in (
        ("LoRA",), ("RoPE",), ("LayerNorm",), ("MultiHeadAttention",), ("AWQ",), ("INT4",), ("KV cache",), ("AdamW",), ("IAM",),
        ("NCCL", "nickel"), ("nginx", "engine X"), ("CUDA_VISIBLE_DEVICES=0,1", "cuda visible devices equals zero comma one"),
        ("IT",), ("PostgreSQL", "posters Q L"), ("CUDA_VISIBLE_DEVICES",), ("显存",), ("C++",), ("stdout", "standard out"),
    )
    for sayings in [tuple(sayings)]
)  # fmt: skip


def words(text: str) -> list[Word]:
    """Of a text whose words begin with spaces; | parts words without one."""
    parts = [part for piece in text.split(" ") for part in (f" {piece}").split("|")]
    return [Word(part, i * 100, i * 100 + 90, 0.9 - i / 100, (i,)) for i, part in enumerate(parts)]


def written(text: str, *, is_end: bool = True) -> str:
    found = Speller([Spelling(TERMS)]).write(words(text), is_end=is_end)
    return "".join(word.text for each in found for word in each.words).strip()


@pytest.mark.parametrize(
    ("heard", "expected"),
    [
        ("with lora and rope.", "with LoRA and RoPE."),
        ("the layer norm, then", "the LayerNorm, then"),
        ("Layer|Norm", "LayerNorm"),
        ("multi|-head attention,", "MultiHeadAttention,"),
        ("with a WQ or int 4.", "with AWQ or INT4."),
        ("by Adam W. and a", "by AdamW and a"),
        ("by Adam, W and a", "by AdamW and a"),
        ("N C C L timeout", "NCCL timeout"),
        ("a nickel timeout", "a NCCL timeout"),
        ("our Engine X failed", "our nginx failed"),
        ("set cuda visible devices equals zero comma one before", "set CUDA_VISIBLE_DEVICES=0,1 before"),
        ("set CUDA visible devices equals 0, 1 before", "set CUDA_VISIBLE_DEVICES=0,1 before"),
        ("set CUDA underscore visible underscore devices to", "set CUDA_VISIBLE_DEVICES to"),
        ("two loras and the lora's rank", "two LoRAs and the LoRA's rank"),
        ('the "rope" trick', 'the "RoPE" trick'),
        ("把|显|存|加|大", "把显存加大"),
        ("in C++ code", "in C++ code"),
        ("in posters|, QL|, and", "in PostgreSQL, and"),
        ("in posters|. QL and", "in posters. QL and"),
        ("in Poster's QL, and", "in PostgreSQL, and"),
        ("the Postgre SQL's tables", "the PostgreSQL's tables"),
        ("write to standard out!", "write to stdout!"),
    ],
)
def test_what_is_heard_is_written_as_the_hotword(heard: str, expected: str):
    assert written(heard) == expected


@pytest.mark.parametrize(
    "heard",
    [
        "I am here",
        "it is so",
        "layer. Norm is here",
        "a layer of norms",
        "ropes-course",
        "an engine",
        "explore a bit",
        "Groper",
        "in KVs cache",
    ],
)
def test_other_words_stay(heard: str):
    assert written(heard) == heard


@pytest.mark.parametrize(
    ("heard", "expected"),
    [
        ("lost its name", "lost its name"),
        ("if dunder name is", "if __name__ is"),
        ("if underscore underscore name underscore underscore is", "if __name__ is"),
        ("on the net with help", "on the net with help"),
        ("on dot net with dash dash help", "on .NET with --help"),
        ("c# and C# and C sharp", "C# and C# and C#"),
    ],
)
def test_one_word_with_symbols_is_there_only_if_they_were_said(heard: str, expected: str):
    marked = tuple(map(Hotword, ("__name__", ".NET", "--help", "C#")))
    found = Speller([Spelling(marked)]).write(words(heard), is_end=True)
    assert "".join(word.text for each in found for word in each.words).strip() == expected


def test_time_confidence_and_tokens_are_those_of_the_words():
    (first, changed) = Speller([Spelling(TERMS)]).write(words("the layer norm"), is_end=True)
    assert first.words == (words("the layer norm")[0],)
    assert changed.size == 2 and changed.words == (Word(" LayerNorm", 100, 290, 0.88, (1, 2)),)


def test_the_first_list_wins():
    own, shared = Spelling((Hotword("Rope"),)), Spelling(TERMS)
    (found,) = Speller([own, shared]).write(words("rope"), is_end=True)
    assert found.words[0].text == " Rope"


def test_lists_are_known_by_what_they_are():
    assert spelling_of(TERMS) is spelling_of(TERMS)
    assert spelling_of((*TERMS,)) is not spelling_of(TERMS)


VOCABULARY = (
    "layer norm Norm multi head attention lora a WQ N C L KV cache nickel engine X int 4 the it is visible cuda devices".split()
)


@given(st.lists(st.sampled_from(VOCABULARY), max_size=14), st.integers(0, 14))
def test_what_is_closed_never_changes(texts: list[str], cut: int):
    speller, said = Speller([Spelling(TERMS)]), words(" ".join(texts)) if texts else []
    early = speller.write(said[:cut], is_end=False)
    closed = early[: next((i for i, each in enumerate(early) if each.is_open), len(early))]
    assert speller.write(said, is_end=False)[: len(closed)] == closed
    assert speller.write(said, is_end=True)[: len(closed)] == closed


@given(st.lists(st.sampled_from(VOCABULARY), max_size=14))
def test_every_word_is_accounted_for(texts: list[str]):
    said = words(" ".join(texts)) if texts else []
    assert sum(each.size for each in Speller([Spelling(TERMS)]).write(said, is_end=True)) == len(said)
    assert [w for each in Speller(()).write(said, is_end=False) for w in each.words] == said
