"""A stream of a batch, and what of it a pass of the encoder computes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from model.biasing.phrases import Memory
from model.interfaces import Word
from model.mel_store import Heard
from model.ranges import Indices, ranges

_WASTE = 0.3  # of a group's queries, which attention pads; the linear layers see none of it


@dataclass(slots=True)
class Stream:
    """One utterance's window on the device."""

    heard: Heard
    start: int  # SampleIndex of the window's first sample
    language: str | None = None
    prompt: list[int] = field(default_factory=list)
    phrases: Memory = field(default_factory=Memory)
    draft: list[int] = field(default_factory=list)
    said: tuple[Word, ...] = ()  # the words of the last hypothesis
    frozen: int = 0  # frames
    level: float = -math.inf  # loudest cell when they were computed
    frames: int = 0  # encoded
    kept: int = 0  # tokens of the prompt whose keys and values are kept
    is_language_given: bool = False
    is_audible: bool = True

    @property
    def samples(self) -> int:
        """In the window."""
        return self.heard.samples

    @property
    def slot(self) -> int:
        """Its place in every store."""
        return self.heard.slot


@dataclass(frozen=True, slots=True)
class EncoderJob:
    """Frames `first` to `frames` of a stream's window, as positions from `base`; output from `fresh` on is used."""

    stream: Stream
    first: int
    base: int
    fresh: int
    frames: int  # end of what is encoded
    used: int  # end of what is used
    attends: int  # frozen frames in the store to attend to
    keeps: bool  # keys and values in the store

    @property
    def size(self) -> int:
        """Frames to encode."""
        return self.frames - self.first


def groups(jobs: Sequence[EncoderJob]) -> Iterator[list[EncoderJob]]:
    """Of about the same size, so that little is computed for padding; apart, what is not kept in a store."""
    for keeps in (True, False):
        group: list[EncoderJob] = []
        for job in sorted((j for j in jobs if j.keeps is keeps), key=lambda job: -job.size):
            if group and (len(group) + 1) * group[0].size * (1 - _WASTE) > sum(j.size for j in group) + job.size:
                yield group
                group = []
            group.append(job)
        if group:
            yield group


def fresh(jobs: Sequence[EncoderJob]) -> tuple[Indices, Indices, Indices]:
    """What is used of a group's packed rows, from each job's `fresh` frame to its `used` one: rows, slots, frames."""
    sizes = np.array([job.size for job in jobs])
    first = np.cumsum(sizes) - sizes
    owner, frame = ranges([job.fresh for job in jobs], [job.used - job.fresh for job in jobs])
    row = first[owner] + frame - np.array([job.first for job in jobs])[owner]
    return row, np.array([job.stream.slot for job in jobs])[owner], frame
