from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import report as module
from bench.report import parser, report


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(module, "RESULTS", tmp_path / "results")
    return tmp_path / "results"


def test_a_report_says_what_was_measured_where_and_on_what(results: Path, capsys: pytest.CaptureFixture[str]):
    report("made-up", {"failed": 0, "shown_p50_s": 0.51234567, "stable_p50_s": None}, {"manifest": None, "limit": 3})
    shown = capsys.readouterr().out
    assert "made-up" in shown and "0.5123" in shown and "–" in shown
    written = json.loads((results / "made-up.json").read_text())
    assert written["figures"] == {"failed": 0, "shown_p50_s": 0.51234567, "stable_p50_s": None}
    assert written["settings"] == {"manifest": "None", "limit": "3"}
    assert written["machine"]["cores"] >= 1 and written["machine"]["cpu"]
    assert written["commit"]


def test_a_second_report_replaces_the_first(results: Path):
    report("made-up", {"a": 1}, {})
    report("made-up", {"a": 2}, {})
    assert [path.name for path in results.iterdir()] == ["made-up.json"]
    assert json.loads((results / "made-up.json").read_text())["figures"] == {"a": 2}


def test_options_of_all_benches():
    given = parser("x").parse_args(["--manifest", "clips.jsonl", "--language", "en", "--max-seconds", "30", "--limit", "5"])
    assert given.manifest == Path("clips.jsonl")
    assert (given.language, given.max_seconds, given.limit) == ("en", 30.0, 5)
    default = parser("x").parse_args([])
    assert default.manifest is None and default.language == ""
