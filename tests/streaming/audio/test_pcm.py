"""Bytes → samples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.audio.pcm import PcmDecoder
from streaming.commands import AudioFormat, Encoding
from streaming.errors import UnsupportedAudio
from tests.helpers import random_cuts

formats = st.builds(AudioFormat, st.sampled_from(list(Encoding)), st.just(8_000), st.integers(1, 8))


def decode(data: bytes, encoding: Encoding, channels: int = 1) -> np.ndarray:
    return PcmDecoder(AudioFormat(encoding, 16_000, channels)).process(data)


def test_linear_samples_are_scaled_to_one():
    assert decode(np.array([0, 16384, -32768], "<i2").tobytes(), Encoding.S16LE).tolist() == [0, 0.5, -1]
    assert decode(np.array([2**30, -(2**31)], "<i4").tobytes(), Encoding.S32LE).tolist() == [0.5, -1]
    assert decode(np.array([0.25, -3.0], "<f4").tobytes(), Encoding.F32LE).tolist() == [0.25, -1]


def test_g711_samples_have_the_values_of_the_standard():
    mulaw = decode(bytes([0x00, 0x7F, 0x80, 0xFF, 0xAA]), Encoding.MULAW) * 32768
    assert mulaw.tolist() == [-32124, 0, 32124, 0, 5372]
    alaw = decode(bytes([0x55, 0xD5, 0x2A, 0xAA, 0x80]), Encoding.ALAW) * 32768
    assert alaw.tolist() == [-8, 8, -32256, 32256, 5504]


def test_channels_are_averaged():
    stereo = np.array([[0.5, 0.25], [-1.0, 1.0]], "<f4")
    assert decode(stereo.tobytes(), Encoding.F32LE, 2).tolist() == [0.375, 0.0]


@given(
    formats,
    st.binary(max_size=400).filter(lambda b: np.isfinite(np.frombuffer(b[: len(b) // 4 * 4], "<f4")).all()),
    st.integers(0, 99),
)
def test_cuts_do_not_matter(audio, data, seed):
    oneshot, stream = PcmDecoder(audio), PcmDecoder(audio)
    expected = oneshot.process(data)
    pieces = [stream.process(piece) for piece in random_cuts(data, seed, 7)]
    assert np.array_equal(np.concatenate([*pieces, expected[:0]]), expected)
    assert stream.flush() == oneshot.flush()


def test_left_over_bytes_are_counted():
    decoder = PcmDecoder(AudioFormat(Encoding.S32LE, 16_000, 2))
    decoder.process(bytes(8 + 5))
    assert decoder.flush() == 5
    assert decoder.flush() == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_payload_with_a_sample_that_is_no_number_is_refused_and_the_next_one_is_taken(bad):
    decoder = PcmDecoder(AudioFormat(Encoding.F32LE))
    decoder.process(np.zeros(10, "<f4").tobytes())
    with pytest.raises(UnsupportedAudio, match="sample 12 is not a finite number"):
        decoder.process(np.array([0, 0, bad, 0], "<f4").tobytes())
    assert decoder.process(np.full(3, 0.5, "<f4").tobytes()).tolist() == [0.5] * 3


def test_a_refused_payload_does_not_shift_the_samples_after_it():
    decoder = PcmDecoder(AudioFormat(Encoding.F32LE))
    data = np.array([0.125, np.nan, 0.5, 0.75], "<f4").tobytes()
    decoder.process(data[:6])
    with pytest.raises(UnsupportedAudio):
        decoder.process(data[6:10])
    assert decoder.process(data[10:]).tolist() == [0.5, 0.75]


@pytest.mark.parametrize(
    ("field", "audio"), [("sample_rate", AudioFormat(sample_rate=7_999)), ("channels", AudioFormat(channels=9))]
)
def test_formats_out_of_bounds_are_refused_by_name_and_value(field, audio):
    with pytest.raises(UnsupportedAudio, match=f"{field} is {getattr(audio, field)}, expected") as caught:
        PcmDecoder(audio)
    assert caught.value.field == field
