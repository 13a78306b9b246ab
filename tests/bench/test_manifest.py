from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.manifest import clips

ROWS = [
    {
        "file": "a.flac",
        "id": "a",
        "text": "one two",
        "language": "en",
        "seconds": 2.0,
        "words": [["one", 0.1, 0.4], ["two", 0.5, 0.9]],
    },
    {"file": "b.flac", "text": "你好", "language": "zh", "style": "read", "seconds": 4.0},
    {"file": "c.flac", "text": None, "seconds": 8.0, "words": None},
]


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "clips.jsonl"
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS) + "\n\n", encoding="utf-8")
    return path


def test_each_line_is_a_clip(manifest: Path):
    a, b, c = clips(manifest)
    assert (a.name, a.path, a.text, a.words) == ("a", manifest.parent / "a.flac", "one two", (("one", 0.1, 0.4), ("two", 0.5, 0.9)))
    assert (b.name, b.language, b.style, b.words) == ("b.flac", "zh", "read", ())
    assert (c.text, c.language, c.seconds, c.words) == ("", "en", 8.0, ())


def test_clips_are_chosen(manifest: Path):
    assert [c.name for c in clips(manifest, language="zh")] == ["b.flac"]
    assert [c.name for c in clips(manifest, max_seconds=4.0)] == ["a", "b.flac"]
    assert [c.name for c in clips(manifest, limit=1)] == ["a"]


def test_without_a_manifest_it_is_the_bundled_talk():
    (talk,) = clips(None)
    assert talk.path.is_file() and talk.language == "en"
    assert 40 <= talk.seconds <= 60
    assert talk.text.startswith("Welcome to Stenoline.") and "\n" not in talk.text
