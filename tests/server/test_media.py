from __future__ import annotations

import io
import random
from pathlib import Path

import numpy as np
import pytest
import soundfile

from server import media
from server.media import BadMedia, MediaLimits, blocks, duration_s
from tests.helpers import voice
from tests.sounds import encoded

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
    assert max(map(len, pieces)) <= 20_000
    np.testing.assert_array_equal(np.concatenate(pieces), SOUND)


def test_an_empty_file(tmp_path: Path):
    soundfile.write(tmp_path / "a.wav", SOUND[:0], 16_000)
    assert not duration_s(tmp_path / "a.wav") and sum(map(len, blocks(tmp_path / "a.wav"))) == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "no such file"), (b"", "not a recording that can be read"), (b"text, no sound", "expected WAV, MP3, FLAC, OGG")],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, content: bytes | None, message: str):
    path = tmp_path / "bad.wav"
    if content is not None:
        path.write_bytes(content)
    for read in (duration_s, lambda p: list(blocks(p))):
        with pytest.raises(BadMedia, match=f"bad.wav: .*{message}"):
            read(path)


def test_a_folder_is_no_file(tmp_path: Path):
    with pytest.raises(BadMedia, match="a directory, expected a file"):
        duration_s(tmp_path)


@pytest.mark.parametrize(("rate", "channels"), [(2_000, 1), (384_000, 1), (16_000, 9)])
def test_rates_and_channels_out_of_bounds_are_named(tmp_path: Path, rate: int, channels: int):
    soundfile.write(tmp_path / "a.wav", np.zeros((100, channels), np.float32), rate)
    with pytest.raises(BadMedia, match=f"{rate:,}" if channels == 1 else str(channels)):
        duration_s(tmp_path / "a.wav")


def test_of_a_file_that_breaks_off_what_is_there_is_heard(tmp_path: Path):
    soundfile.write(tmp_path / "a.flac", np.tile(SOUND, 3), 16_000)
    whole = (tmp_path / "a.flac").read_bytes()
    (tmp_path / "b.flac").write_bytes(whole[: len(whole) // 2])
    heard = np.concatenate(list(blocks(tmp_path / "b.flac")))
    assert 2 * 16_000 < len(heard) < 5 * 16_000
    np.testing.assert_allclose(heard[:16_000], SOUND[:16_000], atol=1e-4)


@pytest.mark.parametrize("form", ["webm", "opus", "ogg", "mp3", "flac", "wav", "m4a", "aac"])
def test_containers_and_codecs(form: str):
    sound = voice(3.0, rate=48_000)
    heard = np.concatenate(list(blocks(io.BytesIO(encoded(sound, form, 48_000)))))
    assert len(heard) == pytest.approx(48_000, abs=3_000)
    assert 0.1 < np.abs(heard).max() < 0.4


def test_one_channel_of_several(tmp_path: Path):
    soundfile.write(tmp_path / "a.wav", np.stack([SOUND, 0 * SOUND], 1), 16_000, "FLOAT")
    assert media.channels(tmp_path / "a.wav") == 2
    first, second = np.concatenate(list(blocks(tmp_path / "a.wav", count=2))).T
    np.testing.assert_allclose(first, SOUND, atol=1e-6)
    assert not second.any()


def test_what_is_too_long_is_given_up(tmp_path: Path):
    soundfile.write(tmp_path / "a.wav", np.tile(SOUND, 4), 16_000)
    got = []
    with pytest.raises(BadMedia, match="longer than 3 s"):
        got.extend(blocks(tmp_path / "a.wav", MediaLimits(max_duration_s=3)))
    assert 2 <= len(got) <= 3


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{other}\n#EXT-X-ENDLIST\n"),
        ("a.ffconcat", "ffconcat version 1.0\nfile {other}\n"),
        ("a.sdp", "v=0\nm=audio 5004 RTP/AVP 0\nc=IN IP4 127.0.0.1\n"),
        ("a.wav", "ffconcat version 1.0\nfile {other}\n"),
    ],
)
def test_nothing_that_names_other_files_is_followed(tmp_path: Path, name: str, text: str):
    soundfile.write(tmp_path / "other.wav", SOUND, 16_000)
    (tmp_path / name).write_text(text.format(other=tmp_path / "other.wav"))
    for source in (tmp_path / name, io.BytesIO((tmp_path / name).read_bytes())):
        with pytest.raises(BadMedia, match="not a recording"):
            list(blocks(source))


def test_a_picture_has_no_sound():
    gif = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")
    with pytest.raises(BadMedia, match="not a recording"):
        list(blocks(io.BytesIO(gif)))


@pytest.mark.parametrize("form", ["webm", "ogg", "mp3", "flac", "wav", "m4a", "aac"])
def test_damage_is_passed_over_or_told(form: str):
    """Whatever the bytes are: sound within bounds, or BadMedia."""
    whole, rng = encoded(voice(2.0, rate=48_000), form, 48_000), random.Random(form)
    for _ in range(40):
        hurt = bytearray(whole)
        for _ in range(rng.randrange(1, 40)):
            hurt[rng.randrange(len(hurt))] = rng.randrange(256)
        del hurt[rng.randrange(len(hurt)) :: rng.choice([1, 10_000, 100_000])]
        try:
            heard = list(blocks(io.BytesIO(bytes(hurt)), MediaLimits(max_duration_s=60)))
            assert all(np.isfinite(b).all() and (np.abs(b) <= 1).all() for b in heard)
        except BadMedia as error:
            assert error.message


def test_eight_channels(tmp_path: Path):
    soundfile.write(tmp_path / "a.wav", np.stack([SOUND] * 8, 1), 16_000)
    assert media.channels(tmp_path / "a.wav") == 8
    for count in (1, 8):
        heard = np.concatenate(list(blocks(tmp_path / "a.wav", count=count)))
        np.testing.assert_allclose(heard.reshape(len(SOUND), -1).T, [SOUND] * count, atol=1e-3)
    with pytest.raises(BadMedia, match="8 channels, expected 2"):
        list(blocks(tmp_path / "a.wav", count=2))


def test_damaged_frames_of_eight_channels():
    """What random damage made of an AAC file once: planar frames of 7.1."""
    data = bytearray(encoded(voice(1.0, rate=48_000), "aac", 48_000))
    for at in [i for i in range(len(data) - 3) if data[i] == 0xFF and data[i + 1] & 0xF6 == 0xF0]:
        data[at + 2] &= ~1
        data[at + 3] = data[at + 3] & 0x3F | 0xC0  # 7.1 in the header of each frame
    try:
        assert all(np.isfinite(b).all() for b in blocks(io.BytesIO(bytes(data))))
    except BadMedia as error:
        assert error.message
