"""Recordings in containers and codecs → samples at 16 kHz, by PyAV (FFmpeg's libraries in this process, never as a child).

What is read is bounded in length, rate, channels and patience, and a list of demuxers and decoders is all that hostile bytes can
reach: no playlists, no scripts that name other files, no pictures.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.container import InputContainer
from numpy.typing import NDArray

from model.interfaces import SAMPLE_RATE, Samples
from streaming.audio.resample import Resampler

KINDS = "WAV, MP3, FLAC, OGG (Vorbis, Opus), WebM, M4A or AAC"

_FORMATS = "wav,w64,aiff,mp3,flac,ogg,matroska,webm,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,aac,amr,caf,au"
_CODECS = (
    "pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,pcm_s32le,pcm_s32be,pcm_f32le,pcm_f32be,pcm_f64le,pcm_f64be,pcm_u8,pcm_s8,"
    "pcm_mulaw,pcm_alaw,adpcm_ms,adpcm_ima_wav,gsm_ms,mp3,mp3float,mp2,mp2float,flac,vorbis,libvorbis,opus,libopus,aac,aac_latm,"
    "alac,amrnb,amrwb,libopencore_amrnb,libopencore_amrwb"
)
_MOST_DAMAGED = 50  # packets in a row
_BLOCK_S = 1.0
_LEAST_RATE = 4_000
_CLIPPED = float(np.nextafter(np.float32(1), np.float32(0)))

Planes = NDArray[np.float32]  # [channels, samples]


class BadMedia(Exception):
    """Something that cannot be read as sound; says why."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True)
class MediaLimits:
    """Of one recording."""

    max_duration_s: float = 14_400.0
    max_channels: int = 8
    max_rate: int = 192_000  # Hz
    stall_s: float = 30.0  # of work without any sound
    unheard_bytes: int = 32 << 20  # of a source without seek(), without any sound: a demuxer may keep them all


class Readable(Protocol):
    """What a demuxer reads from; it may have seek() and tell() as well."""

    def read(self, size: int, /) -> bytes:
        """Up to so many bytes; none at the end."""


USUAL = MediaLimits()


def blocks(source: Path | BinaryIO, limits: MediaLimits = USUAL, count: int = 1) -> Iterator[Samples]:
    """A recording in blocks of about a second, at 16 kHz: float32 as resampled() has it. Raises BadMedia."""
    with _opened(source) as file:
        yield from resampled(gathered(decoded(file, limits), _BLOCK_S), count)


def resampled(pieces: Iterable[tuple[Planes, int]], count: int) -> Iterator[Samples]:
    """Sound at 16 kHz, within [-1, 1): float32[n], the mean of all channels, or [n, count] of as many. Raises BadMedia."""
    resamplers: list[Resampler] = []
    for planes, rate in pieces:
        resamplers = resamplers or [Resampler(rate) for _ in range(count)]
        yield _together([r.process(s) for r, s in zip(resamplers, _apart(planes, count), strict=True)])
    if resamplers:
        yield _together([r.flush() for r in resamplers])


def channels(source: Path | BinaryIO, limits: MediaLimits = USUAL) -> int:
    """How many there are; the source is left at its start. Raises BadMedia."""
    with _opened(source) as file, _container(_Patient(file, limits), {}) as container:
        return int(_stream(container, limits).channels)


def duration_s(source: Path | BinaryIO) -> float | None:
    """Length of a recording, if its head tells. Raises BadMedia."""
    with _opened(source) as file, _container(_Patient(file), {}) as container:
        _stream(container, USUAL)
        return container.duration / av.time_base if container.duration else None


def _apart(planes: Planes, count: int) -> list[Samples]:
    if count == 1:
        planes = planes.mean(0, dtype=np.float32, keepdims=True)
    if len(planes) != count:
        raise BadMedia(f"it has {len(planes)} channels, expected {count} as announced")
    return [np.ascontiguousarray(np.nan_to_num(plane), dtype=np.float32) for plane in planes]


def _together(sounds: list[Samples]) -> Samples:
    """Within [-1, 1): lossy codecs and filters go beyond."""
    joined: Samples = sounds[0] if len(sounds) == 1 else np.stack(sounds, 1)
    bounded: Samples = np.clip(joined, -1, _CLIPPED)
    return bounded


@contextmanager
def _opened(source: Path | BinaryIO) -> Iterator[BinaryIO]:
    if not isinstance(source, Path):
        source.seek(0)
        yield source
        return
    if not source.is_file():
        raise BadMedia(f"{source}: {'a directory, expected a file' if source.is_dir() else 'no such file'}")
    try:
        with source.open("rb") as file:
            yield file
    except OSError as error:
        raise BadMedia(f"{source}: cannot be read: {error.strerror}") from None
    except BadMedia as error:
        raise BadMedia(f"{source}: {error.message}") from None


# decoding


def decoded(source: Readable, limits: MediaLimits, *, is_live: bool = False) -> Iterator[tuple[Planes, int]]:
    """Sound as it is found: float32[channels, n] and its rate in Hz, the same throughout. Raises BadMedia."""
    patient = _Patient(source, limits)
    with _container(patient, _LIVE if is_live else {}, patient.told_format() if is_live else None) as container:
        stream, heard, rate = _stream(container, limits), 0, 0
        even = _Even()
        for frame in _frames(container, stream, patient, limits):
            for planes in even.process(frame):
                rate = even.rate
                heard += planes.shape[1]
                if heard > limits.max_duration_s * rate:
                    raise BadMedia(f"longer than {limits.max_duration_s:g} s, expected at most that")
                yield planes, rate
        for planes in even.flush():
            yield planes, rate


_BUFFER, _LIVE_BUFFER = 1 << 16, 1 << 11  # bytes that a demuxer asks for at once; live it waits for them
_LIVE = {"probesize": "8192", "analyzeduration": "0"}
_HEADS = {b"\x1aE\xdf\xa3": "matroska", b"OggS": "ogg"}  # of others a demuxer waits for 2 KiB before it tells them


@contextmanager
def _container(source: _Patient, options: dict[str, str], form: str | None = None) -> Iterator[InputContainer]:
    bounds = {"format_whitelist": _FORMATS, "codec_whitelist": _CODECS, "protocol_whitelist": "pipe"}
    try:
        size = _LIVE_BUFFER if options else _BUFFER
        opened = av.open(
            source.file_like, "r", form, container_options=bounds | options, metadata_errors="replace", buffer_size=size
        )
    except (av.FFmpegError, ValueError, UnicodeError) as error:
        source.check()
        reason = getattr(error, "strerror", None) or str(error)
        raise BadMedia(f"not a recording that can be read ({reason}), expected {KINDS}") from None
    with closing(opened):
        assert isinstance(opened, InputContainer)
        yield opened


def _stream(container: InputContainer, limits: MediaLimits) -> Any:
    """The first of sound. Raises BadMedia."""
    if not container.streams.audio:
        raise BadMedia("there is no sound in it, expected a recording with an audio track")
    stream: Any = container.streams.audio[0]
    if stream.codec_context is None:
        raise BadMedia(f"its codec cannot be decoded, expected {KINDS}")
    rate, count = stream.sample_rate or 0, stream.channels or 0
    if rate and not _LEAST_RATE <= rate <= limits.max_rate:
        raise BadMedia(f"sample rate is {rate:,} Hz, expected {_LEAST_RATE:,} to {limits.max_rate:,}")
    _check_channels(count, limits)
    return stream


def _check_channels(count: int, limits: MediaLimits) -> None:
    if count > limits.max_channels:
        raise BadMedia(f"it has {count} channels, expected at most {limits.max_channels}")


def _frames(container: InputContainer, stream: Any, patient: _Patient, limits: MediaLimits) -> Iterator[AudioFrame]:
    """Packets that are damaged are passed over, if they are not too many."""
    damaged, at_s = 0, 0.0
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
            patient.check()
            if packet is None:
                return
            frames = packet.decode()
        except (av.FFmpegError, ValueError) as error:
            patient.check()
            damaged += 1
            if damaged > _MOST_DAMAGED or isinstance(error, av.EOFError):
                raise BadMedia(f"damaged, cannot be read from {at_s:.1f} s on ({error})") from None
            continue
        for frame in frames:
            _check_channels(frame.layout.nb_channels, limits)
            damaged = 0
            at_s = float(frame.time or at_s)
            patient.progress()
            yield frame


_PACKED = "flt"  # in one plane: PyAV reads beyond the planes of a frame with eight


class _Even:
    """Frames of any sample format → float32 planes, all at the rate and with the channels of the first."""

    def __init__(self) -> None:
        self.rate = 0
        self._layout: Any = None
        self._resamplers: dict[tuple[str, int, str], AudioResampler] = {}

    def process(self, frame: AudioFrame) -> Iterator[Planes]:
        if not frame.sample_rate:
            return
        if not self.rate:
            self.rate, self._layout = frame.sample_rate, frame.layout
        frame.pts = None
        yield from self._planes(self._resampler(frame), frame)

    def _resampler(self, frame: AudioFrame) -> AudioResampler:
        """One for each kind of frame: damaged ones change their kind."""
        kind = (frame.layout.name, frame.sample_rate, frame.format.name)
        if kind not in self._resamplers:
            self._resamplers = {kind: AudioResampler(_PACKED, self._layout, self.rate)}
        return self._resamplers[kind]

    def flush(self) -> Iterator[Planes]:
        for resampler in self._resamplers.values():
            yield from self._planes(resampler, None)

    @staticmethod
    def _planes(resampler: AudioResampler, frame: AudioFrame | None) -> Iterator[Planes]:
        try:
            for each in resampler.resample(frame):
                yield np.ascontiguousarray(each.to_ndarray().reshape(-1, each.layout.nb_channels).T, dtype=np.float32)
        except (av.FFmpegError, ValueError):
            return


def gathered(pieces: Iterator[tuple[Planes, int]], least_s: float) -> Iterator[tuple[Planes, int]]:
    """In pieces of at least this length, but for the last."""
    held, size, rate = list[Planes](), 0, SAMPLE_RATE
    for planes, rate in pieces:
        held.append(planes)
        size += planes.shape[1]
        if size >= least_s * rate:
            yield np.concatenate(held, 1), rate
            held, size = [], 0
    if held:
        yield np.concatenate(held, 1), rate


class _Patient:
    """Reads for a demuxer, and gives up on one that reads for ever without finding sound."""

    def __init__(self, source: Readable, limits: MediaLimits = USUAL) -> None:
        self._source, self._limits = source, limits
        self._unheard = 0  # bytes since there was sound
        self._since = time.thread_time()
        self._thread = threading.get_ident()
        self._fault: BadMedia | None = None
        self._head = b""  # read, but not by the demuxer yet
        self.file_like: Any = _Seekable(self, source) if hasattr(source, "seek") else self

    def told_format(self) -> str | None:
        """That of a source without seek(), if its first bytes tell."""
        while len(self._head) < 4 and (piece := self._source.read(4 - len(self._head))):
            self._head += piece
        return _HEADS.get(self._head)

    def read(self, size: int) -> bytes:
        """No more bytes once it took too long, or too many."""
        if self._took() > self._limits.stall_s:
            self._fault = BadMedia(f"{self._limits.stall_s:g} s of work found no sound in it")
        elif self.file_like is self and self._unheard > self._limits.unheard_bytes:
            self._fault = BadMedia(f"{self._limits.unheard_bytes:,} bytes came without any sound, expected at most that")
        piece = b"" if self._fault else self._head[:size] or self._source.read(size)
        self._head = self._head[size:]
        self._unheard += len(piece)
        return piece

    def progress(self) -> None:
        """Sound was found."""
        self._since, self._thread, self._unheard = time.thread_time(), threading.get_ident(), 0

    def check(self) -> None:
        """Raises BadMedia if it gave up."""
        if self._fault:
            raise self._fault

    def _took(self) -> float:
        """CPU time of this thread: waiting for a slow sender is no fault of the recording."""
        if threading.get_ident() != self._thread:
            self.progress()
        return time.thread_time() - self._since


class _Seekable:
    """The same with a way back, for containers whose head is at their end."""

    def __init__(self, patient: _Patient, source: Any) -> None:
        self.read, self.seek, self.tell = patient.read, source.seek, source.tell
