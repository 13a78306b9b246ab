"""Audio files → mono samples at 16 kHz."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from model.interfaces import Samples
from streaming.audio.pcm import check_format
from streaming.audio.resample import Resampler
from streaming.commands import AudioFormat
from streaming.errors import UnsupportedAudio

_BLOCK_S = 1


class BadFile(Exception):
    """A file that cannot be read; says which and why."""


def duration_s(path: Path) -> float:
    """Length of a file. Raises BadFile."""
    with _open(path) as file:
        return float(file.frames / file.samplerate)


def blocks(path: Path) -> Iterator[Samples]:
    """A file in blocks of about a second, float32[n] at 16 kHz, channels averaged. Raises BadFile."""
    with _open(path) as file:
        resampler = Resampler(file.samplerate)
        while len(block := _read(file, path)):
            yield resampler.process(np.ascontiguousarray(block.mean(1, dtype=np.float32)))
        yield resampler.flush()


def _read(file: soundfile.SoundFile, path: Path) -> Samples:
    """The next block, float32[n, channels]."""
    at_s = file.tell() / file.samplerate
    try:
        block: Samples = file.read(file.samplerate * _BLOCK_S, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise BadFile(f"{path}: damaged, cannot be read from {at_s:.1f} s on ({error.error_string.strip()})") from None
    return block


def _open(path: Path) -> soundfile.SoundFile:
    if not path.is_file():
        raise BadFile(f"{path}: no such file")
    try:
        file = soundfile.SoundFile(path)
        check_format(AudioFormat(sample_rate=file.samplerate, channels=file.channels))
    except soundfile.LibsndfileError as error:
        raise BadFile(f"{path}: not a readable audio file ({error.error_string.strip()}); expected WAV, FLAC, OGG or MP3") from None
    except UnsupportedAudio as error:
        raise BadFile(f"{path}: {error.message}") from None
    return file
