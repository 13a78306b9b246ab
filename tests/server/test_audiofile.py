from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from server.audiofile import BadFile, blocks, duration_s
from tests.helpers import voice

SOUND = voice(2.3, rate=16_000)


@pytest.mark.parametrize("form", ["wav", "flac", "ogg", "mp3"])
@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000])
def test_formats_and_rates(tmp_path: Path, form: str, rate: int):
    path = tmp_path / f"a.{form}"
    soundfile.write(path, voice(2.3, rate=rate), rate)
    heard = np.concatenate(list(blocks(path)))
    assert heard.dtype == np.float32 and len(heard) == pytest.approx(2.3 * 16_000, abs=0.1 * 16_000)
    assert duration_s(path) == pytest.approx(2.3, abs=0.1)
    assert 0.05 < np.abs(heard).max() < 0.4


def test_channels_are_averaged(tmp_path: Path):
    soundfile.write(tmp_path / "a.wav", np.stack([SOUND, 0 * SOUND], 1), 16_000, "FLOAT")
    np.testing.assert_allclose(np.concatenate(list(blocks(tmp_path / "a.wav"))), SOUND / 2, atol=1e-6)


def test_a_file_of_samples_as_they_are(tmp_path: Path):
    soundfile.write(tmp_path / "a.wav", SOUND, 16_000, "FLOAT")
    pieces = list(blocks(tmp_path / "a.wav"))
    assert max(map(len, pieces)) <= 16_000
    np.testing.assert_array_equal(np.concatenate(pieces), SOUND)


def test_an_empty_file(tmp_path: Path):
    soundfile.write(tmp_path / "a.wav", SOUND[:0], 16_000)
    assert duration_s(tmp_path / "a.wav") == 0 and sum(map(len, blocks(tmp_path / "a.wav"))) == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "no such file"), (b"", "not a readable audio file"), (b"text, no sound", "expected WAV, FLAC, OGG or MP3")],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, content: bytes | None, message: str):
    path = tmp_path / "bad.wav"
    if content is not None:
        path.write_bytes(content)
    for read in (duration_s, lambda p: list(blocks(p))):
        with pytest.raises(BadFile, match=f"bad.wav: .*{message}"):
            read(path)


def test_a_folder_is_no_file(tmp_path: Path):
    with pytest.raises(BadFile, match="no such file"):
        duration_s(tmp_path)


@pytest.mark.parametrize(("rate", "channels"), [(4_000, 1), (96_000, 1), (16_000, 9)])
def test_rates_and_channels_out_of_bounds_are_named(tmp_path: Path, rate: int, channels: int):
    soundfile.write(tmp_path / "a.wav", np.zeros((100, channels), np.float32), rate)
    with pytest.raises(BadFile, match=str(rate if channels == 1 else channels)):
        duration_s(tmp_path / "a.wav")


def test_a_file_that_breaks_off_says_where(tmp_path: Path):
    soundfile.write(tmp_path / "a.flac", np.tile(SOUND, 3), 16_000)
    (tmp_path / "b.flac").write_bytes((tmp_path / "a.flac").read_bytes()[:60_000])
    got = []
    with pytest.raises(BadFile, match=r"b\.flac: damaged, cannot be read from \d\.0 s on"):
        got.extend(blocks(tmp_path / "b.flac"))
    assert got
