"""A Recogniser without weights: its words depend on nothing but the audio. For tests and load runs."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from model.interfaces import (
    SAMPLE_RATE,
    Hotword,
    Hypothesis,
    ModelFailure,
    SampleIndex,
    Samples,
    StepRequest,
    UtteranceId,
    Word,
)

CELL = 3 * SAMPLE_RATE // 10  # one word for each 300 ms that is loud enough, on a grid that starts with the session
_LEAST_CELL = CELL // 3  # of a word that the end of the audio cuts off
_UNSURE = 2 * CELL  # before the end of the audio, where an incremental pass has only heard the first half of a word
_LEAST_LOUD = 0.003  # root mean square

_VOCABULARY = (
    "amber basin cedar delta ember fable grain harbour island juniper kernel lantern meadow nickel orchard pebble "
    "quarry river saddle timber umber valley willow yarrow zephyr acorn bramble copper drift estuary falcon glacier"
).split()


@dataclass(slots=True)
class _Stream:
    """The window of one utterance: float32[n] from `start`."""

    start: SampleIndex
    audio: Samples

    @property
    def end(self) -> SampleIndex:
        return self.start + len(self.audio)


class ScriptedRecogniser:
    """Honours stable words and rolls; what it last heard may change with the next pass; refuses requests that do not fit."""

    def __init__(self, capacity: int = 1_000, max_window_s: float = 28.0) -> None:
        self.name = "scripted"
        self.capacity = capacity
        self.max_window = round(max_window_s * SAMPLE_RATE)
        self.languages: tuple[str, ...] = ()
        self.batch_rows, self.batch_s = 16, 12.0
        self.has_hotwords = False
        self._streams: dict[UtteranceId, _Stream] = {}

    @property
    def open_streams(self) -> tuple[UtteranceId, ...]:
        """Utterances that were opened and not closed yet."""
        return tuple(self._streams)

    def warm_up(self, report: Callable[[str], object] = str) -> Sequence[str]:
        """Nothing to warm."""
        return ()

    def prepare(self, hotwords: tuple[Hotword, ...]) -> None:
        """Nothing is made of them."""

    def step(self, batch: Sequence[StepRequest]) -> list[Hypothesis]:
        """Answer each request, in order. Raises ModelFailure for one that breaks the contract of StepRequest."""
        return [self._answer(request) for request in batch]

    def close(self, utterance: UtteranceId) -> None:
        """Forget an utterance. Unknown ids are ignored."""
        self._streams.pop(utterance, None)

    def _answer(self, request: StepRequest) -> Hypothesis:
        stream = self._take(request)
        is_whole = request.whole_window or request.is_final
        said = request.stable[-1].end if request.stable else stream.start
        words = request.stable + tuple(word for word in _words(stream, is_whole) if word.start >= said)
        if request.is_final:
            self.close(request.utterance)
        language = request.context.language or "en"
        return Hypothesis(request.utterance, request.revision, words, stream.end, request.is_final, is_whole, language, 1.0)

    def _take(self, request: StepRequest) -> _Stream:
        stream = self._streams.get(request.utterance)
        if stream is None:
            stream = self._open(request)
        if request.start != stream.end:
            raise ModelFailure(f"samples from {request.start} for {request.utterance}, expected from {stream.end}")
        if request.roll is not None:
            self._roll(stream, request.roll.keep_from)
        stream.audio = np.concatenate([stream.audio, request.samples])
        if len(stream.audio) > self.max_window:
            raise ModelFailure(f"a window of {len(stream.audio)} samples, expected at most {self.max_window}")
        return stream

    def _open(self, request: StepRequest) -> _Stream:
        if len(self._streams) >= self.capacity:
            raise ModelFailure(f"{len(self._streams)} streams are open, expected at most {self.capacity}")
        stream = _Stream(request.start, np.zeros(0, np.float32))
        self._streams[request.utterance] = stream
        return stream

    def _roll(self, stream: _Stream, keep_from: SampleIndex) -> None:
        if not stream.start <= keep_from <= stream.end:
            raise ModelFailure(f"a roll to {keep_from}, expected {stream.start} to {stream.end}")
        stream.audio = stream.audio[keep_from - stream.start :]
        stream.start = keep_from


def _words(stream: _Stream, is_whole: bool) -> Iterator[Word]:
    """A word for each loud cell that the window has from its beginning, the last one perhaps unfinished."""
    first = -(-stream.start // CELL) * CELL
    for start in range(first, stream.end - _LEAST_CELL + 1, CELL):
        cell = stream.audio[start - stream.start : start - stream.start + CELL]
        if float(np.sqrt(np.mean(np.square(cell)))) < _LEAST_LOUD:
            continue
        end = start + len(cell)
        is_unsure = not is_whole and end > stream.end - _UNSURE
        yield _word(cell[: len(cell) // 2] if is_unsure else cell, start, end)


def _word(heard: Samples, start: SampleIndex, end: SampleIndex) -> Word:
    number = zlib.crc32(np.round(heard * 32768).astype("<i4").tobytes())
    text = " " + _VOCABULARY[number % len(_VOCABULARY)] + ("." if number % 11 == 0 else "")
    return Word(text, start, end, (70 + number % 30) / 100, (number % 1_000,))
