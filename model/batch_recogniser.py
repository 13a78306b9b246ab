"""A recogniser that runs the streams of a step as one batch, on any device: what its families share.

A step works on the rows of the batch; between steps a stream keeps only what is frozen, as the policy has it (`BatchOptions`).
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from model.audio_encoder import AudioEncoder
from model.batch_options import BatchOptions
from model.batch_stream import EncoderJob, Stream, groups
from model.decoding import Row
from model.devices import dtype_for, on, put
from model.features import silent_value
from model.graphs import Function, Graphs
from model.interfaces import SAMPLE_RATE, DeviceLost, Hotword, Hypothesis, ModelFailure, StepRequest, UtteranceId, Word
from model.kv_cache import FrameStore
from model.lengths import FRAME_SAMPLES, FRAMES_PER_SECOND, WINDOW_FRAMES, covering_frames, whole_frames
from model.mel_store import Heard, MelStore
from model.ranges import ranges
from model.rotary import Rotary

Answer: TypeAlias = Hypothesis | ModelFailure
Step: TypeAlias = tuple[Any, ...]  # key, function and examples of its arguments

_SMALL_ROWS, _SMALL_FRAMES = (1, 2, 4), (64, 128)  # of a step of the encoder that is a graph
_CPU_STREAMS, _MOST_STREAMS = 64, 1_024
_ROW_S = 8.0  # of audio that a row of a batch has on average


class BatchRecogniser(ABC):
    """Streams, features, encoder policies and batches; families add memory, text and words."""

    name: str
    languages: tuple[str, ...]
    unit_frames: int  # encoder frames that make one unit of the decoder's memory
    has_hotwords = True

    def __init__(self, options: BatchOptions) -> None:
        self.options = options
        self.device = torch.device(options.device)
        if self.device.type == "cuda":
            torch.backends.cuda.enable_cudnn_sdp(False)  # it plans anew for each shape, and there are many
        self.dtype = dtype_for(self.device, options.precision)
        self.max_window = 28 * SAMPLE_RATE
        self.batch_rows, self.batch_s = options.max_rows, _ROW_S * options.max_rows
        self._streams: dict[UtteranceId, Stream] = {}
        self._redone = round(options.redone_s * FRAMES_PER_SECOND)
        self.graphs = Graphs(self.device)

    @torch.inference_mode()
    def _make_stores(
        self, encoder: AudioEncoder, rotary: Rotary | None, *, layers: int, width: int, mels: int
    ) -> tuple[Tensor, int]:
        """After the weights are on the device: what is left is for streams. Gives the encoder's silence."""
        o = self.options
        self._encoder, self._rotary, self._mels = encoder, rotary, mels
        positions = round(o.store_s * FRAMES_PER_SECOND)
        heads = encoder.heads
        keeps = o.policy == "frozen-kv"
        frame_bytes = 2 * layers * positions * width * self.dtype.itemsize if keeps else 0
        mel_frames = 2 * WINDOW_FRAMES
        self.capacity = o.capacity or self._affordable(frame_bytes + mel_frames * mels * 4 + self._memory_bytes())
        self._free = list(reversed(range(self.capacity)))
        self._mel = MelStore(self.capacity, mel_frames, mels, self.device)
        self._store = (
            FrameStore(layers, self.capacity, positions, heads, width // heads, self.device, self.dtype) if keeps else None
        )
        silence = torch.full((1, 2 * WINDOW_FRAMES + 3, mels), silent_value(1.0 if o.loudest is None else o.loudest))
        silence[:, :2] = silence[:, 2 + 2 * WINDOW_FRAMES :] = 0.0
        return encoder.keep_silence(silence.to(self.device, self.dtype), o.tail_stride), o.tail_stride

    def _affordable(self, slot_bytes: int) -> int:
        if self.device.type != "cuda":
            return _CPU_STREAMS
        free, _ = torch.cuda.mem_get_info(self.device)
        affordable = int(free * self.options.memory_fraction - self._working_bytes()) // slot_bytes
        return max(2, min(affordable, _MOST_STREAMS))

    @abstractmethod
    def prepare(self, hotwords: tuple[Hotword, ...]) -> None:
        """As Recogniser.prepare."""

    @abstractmethod
    def _memory_bytes(self) -> int:
        """Of one stream's memory."""

    @abstractmethod
    def _working_bytes(self) -> int:
        """Of one batch, whatever the streams."""

    # the port

    @torch.inference_mode()
    def warm_up(self, report: Callable[[str], object] = str) -> Sequence[str]:
        """Noise through each kind of pass, up to the longest window; then graphs. Gives what did not go as it should."""
        noise = (torch.randn(self.max_window) * 0.05).numpy()
        one, two = (UtteranceId("warm-up", number) for number in range(2))
        self.step([StepRequest(u, 0, 0, noise[:32_000], False, False, 0.0) for u in (one, two)])
        self.step([StepRequest(u, 1, 32_000, noise[32_000:40_000], False, False, 0.0) for u in (one, two)])
        self.step([StepRequest(u, 2, 40_000, rest, True, True, 0.0) for u, rest in ((one, noise[40_000:]), (two, noise[:0]))])
        if self.device.type != "cuda":
            return ()
        with on(self.device):
            return self._capture(report)

    def _capture(self, report: Callable[[str], object]) -> Sequence[str]:
        steps = [*self._encoder_steps(), *self._decoder_steps()]
        for number, (key, function, *examples) in enumerate(steps, 1):
            report(f"making CUDA graphs on {self.device}: {number} of {len(steps)}")
            try:
                self.graphs.capture(key, function, examples)
            except RuntimeError as error:
                return (
                    f"{number - 1} of {len(steps)} CUDA graphs made ({error}); other steps start kernel by kernel, some ms slower",
                )
        return ()

    @abstractmethod
    def _decoder_steps(self) -> Iterable[Step]:
        """Steps of the decoder that graphs are made of."""

    def _encoder_steps(self) -> Iterable[Step]:
        """Small steps of the encoder: more of them would not wait for the launch of kernels."""
        if self.options.policy == "windowed":
            return
        for rows, frames, frozen in itertools.product(_SMALL_ROWS, _SMALL_FRAMES, self._frozen_buckets):
            mel = torch.zeros(rows, 2 * frames + 3, self._mels, device=self.device, dtype=self.dtype)
            numbers = torch.tensor([[self._nowhere] * rows, [1] * rows, [0] * rows, [0] * rows])
            yield ("encode", rows, frames, frozen), self._regular(frozen), mel, numbers

    def _regular(self, frozen: int) -> Function:
        return lambda mel, numbers: (self._encoder.regular(mel, numbers, frozen, self._store),)

    @property
    def _frozen_buckets(self) -> list[int]:
        """Frames of the store that a small step may attend to."""
        return [0] if self._store is None else [256, 512, self._store.positions]

    @property
    def _nowhere(self) -> int:
        """A position that nobody reads."""
        return WINDOW_FRAMES - 1 if self._store is None else self._store.positions

    @torch.inference_mode()
    def step(self, batch: Sequence[StepRequest]) -> list[Answer]:
        """Answer each request, in order; where memory does not suffice or no stream is free, that one with a failure."""
        try:
            with on(self.device):
                return self._stepped(batch)
        except RuntimeError as error:
            self._check_device(error)
            raise
        finally:
            for request in batch:
                if request.is_final:
                    self.close(request.utterance)

    def _stepped(self, batch: Sequence[StepRequest]) -> list[Answer]:
        streams = [self._take(request) for request in batch]
        work = [(request, stream) for request, stream in zip(batch, streams, strict=True) if stream]
        if work:
            self._mel.extend([stream.heard for _, stream in work], [request.samples for request, _ in work])
        found = iter(self._answers(work) if work else ())
        return [
            next(found) if stream else ModelFailure(f"all {self.capacity} streams of this model are in use") for stream in streams
        ]

    def _check_device(self, error: RuntimeError) -> None:
        """Some errors of a GPU end every later call, too."""
        if self.device.type != "cuda" or isinstance(error, torch.OutOfMemoryError):
            return
        try:
            torch.cuda.synchronize(self.device)
        except RuntimeError:
            raise DeviceLost(f"{self.device} does not work any more") from error

    def close(self, utterance: UtteranceId) -> None:
        """Forget an utterance; its slot goes back to the pool."""
        stream = self._streams.pop(utterance, None)
        if stream is not None:
            self._free.append(stream.slot)

    def _answers(self, work: Sequence[tuple[StepRequest, Stream]]) -> list[Answer]:
        """In parts of at most `max_rows`; where memory does not suffice, in halves."""
        most = self.options.max_rows
        if len(work) > most:
            return [h for i in range(0, len(work), most) for h in self._answers(work[i : i + most])]
        try:
            return [*self._computed(work)]
        except torch.OutOfMemoryError:
            if len(work) == 1:
                return [ModelFailure("the device has too little free memory for this utterance")]
        torch.cuda.empty_cache()
        half = len(work) // 2
        return self._answers(work[:half]) + self._answers(work[half:])

    def _computed(self, work: Sequence[tuple[StepRequest, Stream]]) -> list[Hypothesis]:
        jobs = [self._job(request, stream) for request, stream in work]
        self._encode(jobs)
        rows = self._decode(work)
        return [self._hypothesis(request, stream, row) for (request, stream), row in zip(work, rows, strict=True)]

    # audio

    def _take(self, request: StepRequest) -> Stream | None:
        stream = self._streams.get(request.utterance) or self._open(request)
        if stream and request.roll is not None:
            self._roll(stream, request)
        return stream

    def _open(self, request: StepRequest) -> Stream | None:
        if not self._free:
            return None
        stream = Stream(Heard(self._free.pop()), request.start)
        self._opened(stream, request)
        self._streams[request.utterance] = stream
        return stream

    def _roll(self, stream: Stream, request: StepRequest) -> None:
        assert request.roll is not None
        unit = FRAME_SAMPLES * self.unit_frames
        dropped = (request.roll.keep_from - stream.start) // unit * self.unit_frames
        self._mel.drop(stream.heard, 2 * dropped)
        stream.start += dropped * FRAME_SAMPLES
        self._commit(stream, request.roll.committed)
        self._forget(stream, dropped)

    @abstractmethod
    def _opened(self, stream: Stream, request: StepRequest) -> None:
        """Take note of language and prompt."""

    @abstractmethod
    def _commit(self, stream: Stream, words: Sequence[Word]) -> None:
        """Words whose audio is dropped."""

    def _forget(self, stream: Stream, frames: int) -> None:
        """The window moves on; where positions are relative, what is frozen moves to its front."""
        stream.frozen = max(0, stream.frozen - frames) if self._rotary is not None else 0
        if self._store is not None and stream.frozen:
            self._store.shift(stream.slot, frames, self._rotary)

    # encoder

    def _job(self, request: StepRequest, stream: Stream) -> EncoderJob:
        o, heard = self.options, stream.heard
        stream.is_audible = heard.loudest > o.inaudible
        loudest = max(heard.loudest, o.least_loudest) if o.loudest is not None else heard.loudest
        whole = request.whole_window or request.is_final
        if whole or o.policy == "exact" or loudest > stream.level + o.level_step:
            stream.frozen, stream.level, stream.kept = 0, loudest, 0
        zeros = o.final_zeros if whole else o.partial_zeros
        used = _in_units(covering_frames(heard.samples + zeros), self.unit_frames)
        frames = WINDOW_FRAMES if o.is_padded else used
        first = stream.frozen
        if o.policy == "windowed":
            first = max(0, _down(first - round(o.left_s * FRAMES_PER_SECOND), self.unit_frames))
        base = first if o.policy == "windowed" and self._rotary is not None else 0  # only there positions are relative
        keeps = self._store is not None and frames <= self._store.positions
        return EncoderJob(stream, first, base, stream.frozen, frames, used, stream.frozen if keeps else 0, keeps)

    def _encode(self, jobs: Sequence[EncoderJob]) -> None:
        for group in groups(jobs):
            states = self._states(group)
            self._remember(group, states)
        for job in jobs:
            stream = job.stream
            stream.frames = job.used
            if self.options.policy == "windowed" or job.keeps:
                old = whole_frames(stream.heard.samples) - self._redone
                stream.frozen = max(stream.frozen, _down(old, self.unit_frames), 0)

    def _states(self, jobs: Sequence[EncoderJob]) -> Tensor:
        """Encoder states of a group, packed."""
        key = self._small_step(jobs)
        if key is not None:
            return self._small_states(jobs, key)
        sizes = [job.size for job in jobs]
        passage = self._encoder.passage(
            [job.first - job.base for job in jobs],
            sizes,
            [job.stream.slot for job in jobs],
            [job.attends for job in jobs],
            dtype=self.dtype,
            device=self.device,
        )
        at_start = put(np.array([job.first == 0 for job in jobs]), self.device)
        x = self._encoder.stem(self._features(jobs, max(sizes)), passage.spans, at_start)
        return self._encoder(x, passage, self._store if jobs[0].keeps else None)

    def _features(self, jobs: Sequence[EncoderJob], frames: int) -> Tensor:
        levels = [(job.stream.level, job.stream.level if self.options.loudest is None else self.options.loudest) for job in jobs]
        windows, first = [job.stream.heard for job in jobs], [2 * job.first - 2 for job in jobs]
        return self._mel.features(windows, levels, first, 2 * frames + 3).to(self.dtype)

    def _small_step(self, jobs: Sequence[EncoderJob]) -> tuple[str, int, int, int] | None:
        """The graph that these fit into, if there is one."""
        needs = len(jobs), max(job.size for job in jobs), max(job.attends for job in jobs)
        sizes = _SMALL_ROWS, _SMALL_FRAMES, self._frozen_buckets
        rows, frames, frozen = (next((s for s in each if s >= n), -1) for each, n in zip(sizes, needs, strict=True))
        key = ("encode", rows, frames, frozen)
        return key if self.graphs.has(key) and jobs[0].keeps is (self._store is not None) else None

    def _small_states(self, jobs: Sequence[EncoderJob], key: tuple[str, int, int, int]) -> Tensor:
        _, rows, frames, frozen = key
        idle = rows - len(jobs)
        numbers = np.array(
            [(job.first, job.size, job.attends, job.stream.slot) for job in jobs] + idle * [(self._nowhere, 1, 0, 0)]
        )
        mel = self._features([*jobs, *idle * [jobs[0]]], frames)
        (states,) = self.graphs(key, self._regular(frozen), mel, torch.from_numpy(np.ascontiguousarray(numbers.T)))
        return states[put(ranges([i * frames for i in range(len(jobs))], [job.size for job in jobs])[1], self.device)]

    @abstractmethod
    def _remember(self, jobs: Sequence[EncoderJob], states: Tensor) -> None:
        """Make the decoder's memory of packed states [N, D], from each job's `fresh` frame to its `used` one."""

    # decoder

    @abstractmethod
    def _decode(self, work: Sequence[tuple[StepRequest, Stream]]) -> list[Row]:
        """The text of each stream, in order."""

    @abstractmethod
    def _hypothesis(self, request: StepRequest, stream: Stream, row: Row) -> Hypothesis:
        """What is answered."""


def _down(frames: int, unit: int) -> int:
    return frames // unit * unit


def _in_units(frames: int, unit: int) -> int:
    """At least one, at most the window."""
    return max(unit, min(WINDOW_FRAMES // unit * unit, -(-frames // unit) * unit))
