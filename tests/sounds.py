"""Recorded speech for the tests: the bundled talk by sentences, and the clips that come with pytest-audioeval."""

from __future__ import annotations

import io
from importlib.util import find_spec
from pathlib import Path

import av
import numpy as np
import soundfile

DATA = Path(__file__).parent.parent / "data"
_PAUSE_S = 0.3  # the talk's sentences are parted by longer stretches of exact zeros


def opening(path: Path, *, sentences: int) -> tuple[Path, str]:
    """Write so many sentences of the talk, with the pause after the last; gives the file and the text."""
    sound, rate = soundfile.read(DATA / "talk.flac", dtype="int16")
    edges = np.flatnonzero(np.diff(np.concatenate([[0], sound == 0, [0]]).astype(np.int8)))
    ends = [end for start, end in zip(edges[::2], edges[1::2], strict=True) if end - start > _PAUSE_S * rate]
    soundfile.write(path, sound[: ends[sentences - 1]], rate)
    return path, " ".join((DATA / "talk.txt").read_text().replace(". ", ".\n").splitlines()[:sentences])


def clip(language: str, name: str) -> tuple[Path, str]:
    """A clip of pytest-audioeval and its reference text."""
    spec = find_spec("pytest_audioeval")
    assert spec is not None and spec.submodule_search_locations, "pytest-audioeval is missing: make setup installs it"
    folder = Path(spec.submodule_search_locations[0]) / "samples" / "audio" / language
    return folder / f"{name}.wav", (folder / f"{name}.txt").read_text(encoding="utf-8")


_CODECS = {
    "webm": ("webm", "libopus"),
    "opus": ("ogg", "libopus"),
    "ogg": ("ogg", "vorbis"),
    "mp3": ("mp3", "libmp3lame"),
    "flac": ("flac", "flac"),
    "wav": ("wav", "pcm_s16le"),
    "m4a": ("mp4", "aac"),
    "aac": ("adts", "aac"),
}


def encoded(sound: np.ndarray, form: str, rate: int) -> bytes:
    """Sound float32[n] or [channels, n] in a container; `form` is a key of _CODECS."""
    container, codec = _CODECS[form]
    planes = np.atleast_2d(sound).astype(np.float32)
    if codec == "vorbis":
        planes = np.repeat(planes, 2, 0) if len(planes) == 1 else planes  # FFmpeg's own encoder knows stereo only
    layout = {1: "mono", 2: "stereo"}[len(planes)]
    output = io.BytesIO()
    with av.open(output, "w", format=container) as file:
        stream = file.add_stream(codec, rate=rate, options={"strict": "experimental"})
        stream.layout = layout
        for start in range(0, planes.shape[1], 960):
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(planes[:, start : start + 960]), "fltp", layout)
            frame.sample_rate = rate
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return output.getvalue()


def opus_packets(sound: np.ndarray) -> list[bytes]:
    """Mono sound at 48 kHz as packets of 20 ms, without a container."""
    codec = av.CodecContext.create("libopus", "w")
    codec.sample_rate, codec.layout, codec.format = 48_000, "mono", "flt"
    packets = []
    for start in range(0, len(sound) - 960, 960):
        frame = av.AudioFrame.from_ndarray(sound[None, start : start + 960].astype(np.float32), "flt", "mono")
        frame.sample_rate = 48_000
        packets += [bytes(packet) for packet in codec.encode(frame)]
    return packets + [bytes(packet) for packet in codec.encode(None)]
