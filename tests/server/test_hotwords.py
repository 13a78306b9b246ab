"""Lists: ready-made ones and the server's file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from model.interfaces import Hotword, Word
from server.config import BadSetting
from server.hotwords import HotwordLists, read, ready_made, ready_made_list
from streaming.biasing import HotwordList
from streaming.errors import LimitExceeded
from streaming.spelling import Speller, letters, spelling_of

NAMES = ("databases", "gpu", "kubernetes", "linux", "machine-learning", "python", "software", "web")


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_the_form_of_a_list(tmp_path: Path):
    file = write(tmp_path / "a.txt", "# ours\nNCCL | nickel | N C C L\n\nLoRA | weight=2\n")
    assert read(file) == (Hotword("NCCL", 1.0, ("nickel", "N C C L")), Hotword("LoRA", 2.0))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a\n" + "x" * 101, "line 2: hotword of 101 characters"),
        ("a | weight=9", "line 1: .*weight of 9"),
        ("a | weight=b", "weight is 'b'"),
    ],
)
def test_a_fault_names_its_line(tmp_path: Path, text: str, says: str):
    with pytest.raises(BadSetting, match=says):
        read(write(tmp_path / "a.txt", text))
    with pytest.raises(BadSetting, match="cannot be read"):
        read(tmp_path / "none.txt")


@pytest.mark.parametrize("name", NAMES)
def test_ready_made_lists_say_each_thing_once(name: str):
    found = ready_made_list(name)
    texts, sayings = [letters(w.text) for w in found], {(letters(s), w.text) for w in found for s in w.sounds_like}
    assert len(found) > 60 and len(set(texts)) == len(texts)
    assert len({saying for saying, _ in sayings}) == len(sayings)
    assert not [w.text for w in found for s in w.sounds_like if letters(s) in texts and letters(s) != letters(w.text)]


@pytest.mark.parametrize(
    "said",
    [
        "we are back and there is a wait",
        "split it into four parts or into eight",
        "it depends on X and Y",
        "the red is bad, this is standard in the industry",
        "read me the log and make file changes",
        "run C code behind a load balancer",
        "change log levels, then do a sync and run git log",
        "at one point my data was in a table, a view and an index",
        "I find it in the path, at home, with a rope",
        "we use state and a big query in local storage, an open search under UV light is prettier",
        "let us go to the next stage and sort the rest of it",
    ],
)
def test_ordinary_phrases_are_no_terms(said: str):
    words = [Word(f" {word}", at, at + 1, 0.9) for at, word in enumerate(said.split())]
    for name in {*NAMES} - {"machine-learning"}:
        written = Speller([spelling_of(ready_made_list(name))]).write(words, is_end=True)
        assert "".join(word.text for each in written for word in each.words).strip() == said
    lines = Speller([spelling_of(ready_made_list("machine-learning"))]).write(words, is_end=True)
    assert "".join(word.text for each in lines for word in each.words).replace("RoPE", "rope").strip() == said


def test_a_session_gets_the_file_the_servers_lists_and_its_own(tmp_path: Path):
    assert ready_made() == NAMES
    lists = HotwordLists(write(tmp_path / "a.txt", "Stenoline\n"), ("gpu",))
    assert lists(("software", "gpu")) == ((Hotword("Stenoline"),), ready_made_list("gpu"), ready_made_list("software"))
    with pytest.raises(LimitExceeded, match="'poetry', expected some of databases, gpu"):
        lists(("poetry",))
    with pytest.raises(BadSetting, match="'poetry'"):
        HotwordLists(names=("poetry",))


def test_the_file_is_read_again_when_it_changes(tmp_path: Path):
    file, prepared = write(tmp_path / "a.txt", "one\n"), list[HotwordList]()
    lists = HotwordLists(file, ("gpu",), prepared.append)
    assert [id(each) for each in lists(())] == [id(each) for each in prepared]
    write(file, "two\nthree\n")
    lists._refresh(file)
    assert lists(())[0] == (Hotword("two"), Hotword("three")) and lists(())[0] is prepared[-1]
    write(file, "x" * 200)
    os.utime(file, (1, 1))
    lists._refresh(file)
    assert lists(())[0] == (Hotword("two"), Hotword("three")) and len(prepared) == 3
