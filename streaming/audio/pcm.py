"""Bytes of raw audio, cut anywhere → mono float32 at the source rate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.interfaces import Samples
from streaming.commands import AudioFormat, Encoding
from streaming.errors import UnsupportedAudio

RATES_HZ = (8_000, 48_000)
CHANNELS = (1, 8)

_BYTES = {Encoding.S16LE: 2, Encoding.S32LE: 4, Encoding.F32LE: 4, Encoding.MULAW: 1, Encoding.ALAW: 1}


def sample_bytes(encoding: Encoding) -> int:
    """Of one sample of one channel."""
    return _BYTES[encoding]


def check_format(audio: AudioFormat) -> None:
    """Raises UnsupportedAudio, naming the field and the bounds."""
    for field, value, (low, high) in (
        ("sample_rate", audio.sample_rate, RATES_HZ),
        ("channels", audio.channels, CHANNELS),
    ):
        if not low <= value <= high:
            raise UnsupportedAudio(f"{field} is {value}, expected {low} to {high}", field=field)


class PcmDecoder:
    """Keeps the bytes of an unfinished sample (of an unfinished set of channels) for the next payload."""

    def __init__(self, audio: AudioFormat) -> None:
        check_format(audio)
        self._format = audio
        self._size = _BYTES[audio.encoding] * audio.channels
        self._carry = b""
        self._position = 0  # samples a channel decoded

    def process(self, payload: bytes) -> Samples:
        """Bytes → float32[n] in [-1, 1], channels averaged.

        Raises UnsupportedAudio and takes no sample of the payload; only where the next sample starts is remembered.
        """
        data = self._carry + payload
        whole = len(data) // self._size * self._size
        self._carry = data[whole:]
        mixed = self._decode(data[:whole])
        self._position += len(mixed)
        return mixed

    def flush(self) -> int:
        """Bytes left over of a sample that never came to its end; they are dropped."""
        left, self._carry = len(self._carry), b""
        return left

    def _decode(self, data: bytes) -> Samples:
        x = _samples(data, self._format.encoding).reshape(-1, self._format.channels)
        if self._format.encoding is Encoding.F32LE:
            x = self._checked(x)
        return np.ascontiguousarray(x[:, 0] if x.shape[1] == 1 else x.mean(1, dtype=np.float32))

    def _checked(self, x: Samples) -> Samples:
        bad = ~np.isfinite(x).all(1)
        if bad.any():
            at = self._position + int(bad.argmax())
            value = x[bad][0][~np.isfinite(x[bad][0])][0]
            raise UnsupportedAudio(f"sample {at} is not a finite number ({value}), expected values in [-1, 1)", field="audio")
        return np.clip(x, np.float32(-1), np.float32(1))


def _samples(data: bytes, encoding: Encoding) -> Samples:
    if encoding is Encoding.S16LE:
        return np.frombuffer(data, "<i2").astype(np.float32) / np.float32(32768)
    if encoding is Encoding.S32LE:
        return (np.frombuffer(data, "<i4") / 2147483648).astype(np.float32)
    if encoding is Encoding.F32LE:
        return np.frombuffer(data, "<f4").astype(np.float32)
    table = _MULAW if encoding is Encoding.MULAW else _ALAW
    return table[np.frombuffer(data, np.uint8)]


def _mulaw_table() -> NDArray[np.float32]:
    """ITU-T G.711, μ-law."""
    code = ~np.arange(256, dtype=np.uint8)
    exponent, mantissa = (code >> 4) & 7, code & 15
    magnitude = ((mantissa.astype(np.int32) << 3) + 132 << exponent) - 132
    return (np.where(code & 128, -magnitude, magnitude) / 32768).astype(np.float32)


def _alaw_table() -> NDArray[np.float32]:
    """ITU-T G.711, A-law."""
    code = np.arange(256, dtype=np.uint8) ^ 0x55
    exponent, mantissa = ((code >> 4) & 7).astype(np.int32), (code & 15).astype(np.int32)
    magnitude = np.where(exponent == 0, (mantissa << 4) + 8, ((mantissa << 4) + 264) << np.maximum(exponent - 1, 0))
    return (np.where(code & 128, magnitude, -magnitude) / 32768).astype(np.float32)


_MULAW, _ALAW = _mulaw_table(), _alaw_table()
