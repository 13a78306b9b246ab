"""How phrases with symbols are said."""

from __future__ import annotations

import pytest

from model.interfaces import Hotword
from model.spoken import spoken


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [
        ("OMP_NUM_THREADS=4", "OMP num threads equals 4"),
        ("OMP_NUM_THREADS=4", "omp num threads equals four"),
        ("OMP_NUM_THREADS=4", "omp num threads等于4"),
        ("GPUS=2,3", "GPUS equals two comma three"),
        ("max_new_tokens", "max underscore new underscore tokens"),
        ("--verbose", "dash dash verbose"),
        ("tar -x", "tar dash x"),
        ("F#", "F sharp"),
        ("#include", "hash include"),
        ("issue #5", "issue hash five"),
        ("g++", "g plus plus"),
        ("torch.load", "torch dot load"),
        ("/etc/fstab", "slash etc slash fstab"),
        ("python3.12", "python3 dot 12"),
        ("AT&T", "AT and T"),
        ("$HOME", "dollar HOME"),
        ("__enter__", "dunder enter"),
        ("__enter__", "underscore underscore enter underscore underscore"),
    ],
)
def test_symbols_are_said_by_their_names(phrase: str, expected: str):
    assert expected in spoken(phrase)


@pytest.mark.parametrize("phrase", ["KV cache", "fine-tuning", "don't", "GPT-4", "显存", "model (small)"])
def test_what_has_none_is_said_as_it_is_written(phrase: str):
    assert spoken(phrase) == ()


@pytest.mark.parametrize("phrase", ["__enter__", "--verbose", ".NET", "C#", "$HOME", "@dataclass"])
def test_one_word_with_symbols_is_not_there_without_them(phrase: str):
    hotword = Hotword(phrase)
    assert hotword.is_marked
    assert phrase not in hotword.traces
    assert all(" " in said for said in hotword.sayings)


@pytest.mark.parametrize("phrase", ["Yahoo!", "Inc.", "OMP_NUM_THREADS", "/etc/fstab", "KV cache", "显存", "&"])
def test_others_are(phrase: str):
    assert not Hotword(phrase).is_marked
    assert phrase in Hotword(phrase).traces


def test_what_is_given_comes_first_and_nothing_twice():
    hotword = Hotword("C++", 1.0, ("see plus plus", "C plus plus"))
    assert hotword.sayings == ("see plus plus", "C plus plus")


def test_no_phrase_has_many():
    assert len(spoken("A_B=1,2")) <= 12
    assert "A_B=1,2" not in spoken("A_B=1,2")
