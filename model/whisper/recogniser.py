"""Whisper as a Recogniser on a CPU: incremental encoding in int8, the rows of a batch shared out to lanes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.biasing.phrases import Memory
from model.decoding import Row
from model.features import LEAD_FRAMES, MelWindow, mel_filters, silent_value
from model.interfaces import Hotword, Hypothesis, StepRequest, UtteranceId
from model.kv_cache import FrameCache, SelfCache, SilentTail
from model.lanes import Lanes
from model.lengths import FRAME_SAMPLES, covering_frames, whole_frames
from model.whisper.configuration import WhisperConfig
from model.whisper.decoder import Decoder, GreedyDecoder, Place
from model.whisper.encoder import Encoder, EncoderJob
from model.whisper.text import TextOptions, WhisperText
from model.whisper.tokenizer import WhisperTokenizer
from model.whisper.weights import load_weights


@dataclass(frozen=True, slots=True)
class WhisperOptions:
    """How a Whisper model is run; the defaults are those measured in docs/decisions/."""

    encoder_precision: str = "int8"
    final_precision: str = "int8"
    decoder_precision: str = "int8"
    capacity: int = 64
    lanes: int = 2  # threads that share a batch
    loudest: float = 1.0  # log10 power that the loudest cell is moved to
    least_loudest: float = -1.5  # quieter windows are not amplified as if they were speech
    inaudible: float = -6.0  # a window whose loudest cell is below this holds nothing: some 60 dB under quiet speech
    level_step: float = 0.5  # decades that the loudest cell may rise before the window is encoded anew
    encoder_tail_stride: int = 4
    decoder_tail_stride: int = 2
    redone_frames: int = 40  # of heard audio, encoded anew at each update
    partial_zeros: int = 1600  # samples of silence after the audio
    final_zeros: int = 4800
    text: TextOptions = TextOptions()


@dataclass(slots=True)
class Slot:
    """The caches of one stream; reused, never freed."""

    encoder: FrameCache
    cross: FrameCache
    decoder: SelfCache

    def reside(self) -> None:
        """Have the memory now, not bit by bit as the talk goes on."""
        for cache in (self.encoder, self.cross, self.decoder):
            cache.clear()


@dataclass(slots=True)
class Stream:
    """One utterance's window on the device."""

    slot: Slot
    mel: MelWindow
    start: int  # SampleIndex of the window's first sample
    prompt: list[int]
    language: str | None
    is_language_given: bool
    draft: list[int]
    phrases: Memory = field(default_factory=Memory)
    frozen: int = 0  # frames whose keys and values are kept
    level: float = -math.inf  # loudest cell when they were computed
    frames: int = 0  # in the caches
    is_audible: bool = True

    @property
    def samples(self) -> int:
        """In the window."""
        return self.mel.samples


class WhisperRecogniser:
    """Any Whisper checkpoint in Hugging Face form, on the CPU."""

    batch_rows, batch_s = 16, 12.0
    has_hotwords = True

    def __init__(self, directory: Path, options: WhisperOptions | None = None) -> None:
        self.options = o = options or WhisperOptions()
        self.config = WhisperConfig.load(directory)
        self.tokenizer = WhisperTokenizer.load(directory)
        self.name = directory.name
        self.capacity = o.capacity
        self.max_window = 28 * 16_000
        self._text = WhisperText(self.config, self.tokenizer, o.text)
        self.languages = self._text.languages
        weights = load_weights(directory, self.config)
        self._encoder = Encoder(weights, self.config, o.encoder_precision)
        self._whole = (
            self._encoder if o.final_precision == o.encoder_precision else Encoder(weights, self.config, o.final_precision)
        )
        self._decoder = Decoder(weights, self.config, o.decoder_precision)
        self._lanes = Lanes(o.lanes)
        self._filters = mel_filters(self.config.num_mel_bins)
        self._choose = GreedyDecoder(self._decoder, self._text.best())
        self._streams: dict[UtteranceId, Stream] = {}
        self._free: list[Slot] = []
        self._tails = self._silent_tails()

    @torch.inference_mode()
    def _silent_tails(self) -> tuple[SilentTail, SilentTail]:
        kv, states = self._whole.silence(silent_value(self.options.loudest))
        own = SilentTail(kv, self.options.encoder_tail_stride)
        return own, SilentTail(self._decoder.project(states), self.options.decoder_tail_stride)

    @torch.inference_mode()
    def warm_up(self, report: Callable[[str], object] = str) -> Sequence[str]:
        """Noise through each kind of pass, up to the longest window; memory of the two streams that a session can need."""
        noise = (torch.randn(self.max_window) * 0.05).numpy()
        one, two = (UtteranceId("warm-up", number) for number in range(2))
        self.step([StepRequest(u, 0, 0, noise[:32_000], False, False, 0.0) for u in (one, two)])
        self.step([StepRequest(u, 1, 32_000, rest, True, True, 0.0) for u, rest in ((one, noise[32_000:]), (two, noise[:0]))])
        for slot in self._free:
            slot.reside()
        return ()

    def prepare(self, hotwords: tuple[Hotword, ...]) -> None:
        """As Recogniser.prepare."""
        self._text.prepare(hotwords)

    def step(self, batch: Sequence[StepRequest]) -> list[Hypothesis]:
        """Answer each request, in order."""
        answers = self._lanes.map(self._share, batch, self._load, is_alone=all(request.is_patient for request in batch))
        for request in batch:
            if request.is_final:
                self.close(request.utterance)
        return answers

    @torch.inference_mode()
    def _share(self, batch: Sequence[StepRequest]) -> list[Hypothesis]:
        streams = [self._take(request) for request in batch]
        self._encode(batch, streams)
        rows = self._decode(batch, streams)
        return [self._hypothesis(*each) for each in zip(batch, streams, rows, strict=True)]

    def _load(self, request: StepRequest) -> float:
        """Frames to encode, and as many again for the decoder."""
        stream = self._streams.get(request.utterance)
        known = stream.mel.samples if stream and (request.whole_window or request.is_final) else 0
        return whole_frames(known + len(request.samples)) + 2 * self.options.redone_frames

    def close(self, utterance: UtteranceId) -> None:
        """Forget an utterance; its caches go back to the pool."""
        stream = self._streams.pop(utterance, None)
        if stream is not None:
            self._free.append(stream.slot)

    # audio

    def _take(self, request: StepRequest) -> Stream:
        stream = self._streams.get(request.utterance) or self._open(request)
        if request.roll is not None:
            self._roll(stream, request)
        stream.mel.append(request.samples)
        return stream

    def _open(self, request: StepRequest) -> Stream:
        slot = self._slot()
        language, prompt = self._text.opening(request.context)
        stream = Stream(slot, MelWindow(self._filters), request.start, prompt, language, language is not None, [])
        self._streams[request.utterance] = stream
        return stream

    def _slot(self) -> Slot:
        try:
            return self._free.pop()  # lanes do so at the same time
        except IndexError:
            return self._new_slot()

    def _new_slot(self) -> Slot:
        c = self.config
        own, cross = self._tails
        width = c.d_model // c.decoder_attention_heads
        decoder = SelfCache(c.decoder_layers, c.decoder_attention_heads, c.max_target_positions, width)
        return Slot(FrameCache(own), FrameCache(cross), decoder)

    def _roll(self, stream: Stream, request: StepRequest) -> None:
        """Positions are absolute, so the window that is left must be encoded anew from its first frame."""
        assert request.roll is not None
        dropped = (request.roll.keep_from - stream.start) // FRAME_SAMPLES * FRAME_SAMPLES
        stream.mel.drop(dropped)
        stream.start += dropped
        self._text.commit(stream, request.roll.committed)
        stream.frozen = 0

    # encoder

    def _encode(self, batch: Sequence[StepRequest], streams: Sequence[Stream]) -> None:
        whole = [r.whole_window or r.is_final for r in batch]
        for encoder, wanted in ((self._encoder, False), (self._whole, True)):
            chosen = [s for s, w in zip(streams, whole, strict=True) if w is wanted]
            if chosen:
                self._encode_with(encoder, chosen, whole=wanted)

    def _encode_with(self, encoder: Encoder, streams: Sequence[Stream], *, whole: bool) -> None:
        jobs = [self._job(stream, whole=whole) for stream in streams]
        for stream, job, states in zip(streams, jobs, encoder(jobs), strict=True):
            self._decoder.remember(stream.slot.cross, job.first, states)
            stream.frozen = max(0, whole_frames(stream.mel.samples) - self.options.redone_frames)
            stream.frames = job.frames

    def _job(self, stream: Stream, *, whole: bool) -> EncoderJob:
        o = self.options
        loudest = stream.mel.loudest()
        stream.is_audible = loudest > o.inaudible
        loudest = max(loudest, o.least_loudest)
        if whole or loudest > stream.level + o.level_step:
            stream.frozen, stream.level = 0, loudest
        frames = covering_frames(stream.mel.samples + (o.final_zeros if whole else o.partial_zeros))
        return EncoderJob(stream.slot.encoder, stream.mel.normalised(frames, stream.level, o.loudest), stream.frozen, frames)

    # answer

    def _decode(self, batch: Sequence[StepRequest], streams: Sequence[Stream]) -> list[Row]:
        places = [Place(stream.slot.decoder, stream.slot.cross, stream.frames) for stream in streams]
        ears = _Ears(self)
        try:
            return self._text.decode(self._choose, batch, streams, places, ears)
        finally:
            self._free += ears.borrowed

    def _hear(self, mel: Tensor, frames: int, slot: Slot) -> Place:
        """A window in a slot of its own."""
        (states,) = self._whole([EncoderJob(slot.encoder, mel, 0, frames)])
        self._decoder.remember(slot.cross, 0, states)
        return Place(slot.decoder, slot.cross, frames)

    def _hypothesis(self, request: StepRequest, stream: Stream, row: Row) -> Hypothesis:
        return self._text.hypothesis(request, stream, row)


class _Ears:
    """For one batch; in slots that are borrowed until it is answered."""

    def __init__(self, recogniser: WhisperRecogniser) -> None:
        self._recogniser, self._options = recogniser, recogniser.options
        self._aside: Slot | None = None
        self.borrowed: list[Slot] = []

    def cleared(self, stream: Stream) -> Place | None:
        o, frames = self._options, stream.frames
        mel = stream.mel.cleared(frames, o.least_loudest, o.loudest)
        return None if mel is None else self._recogniser._hear(mel, frames, self._slot())

    def part(self, stream: Stream, start: int, stop: int) -> Place:
        """One after the other in the same slot."""
        o = self._options
        frames = covering_frames((LEAD_FRAMES + stop - start) * FRAME_SAMPLES + o.final_zeros)
        self._aside = self._aside or self._slot()
        return self._recogniser._hear(stream.mel.part(start, stop, frames, o.least_loudest, o.loudest), frames, self._aside)

    def voiced(self, stream: Stream) -> NDArray[np.bool_]:
        return stream.mel.voiced()

    def _slot(self) -> Slot:
        self.borrowed.append(slot := self._recogniser._slot())
        return slot
