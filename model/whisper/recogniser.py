"""Whisper as a Recogniser: incremental encoding, draft verification, word times, confidence, silence and run-on guards."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from model.alignment import token_frames
from model.decoding import Row, finish, verify
from model.features import MelWindow, mel_filters, silent_value
from model.interfaces import Hypothesis, StepRequest, UtteranceId, Word
from model.kv_cache import FrameCache, SelfCache, SilentTail
from model.lanes import Lanes
from model.lengths import FRAME_SAMPLES, covering_frames, whole_frames
from model.sampling import GreedyChoice, calibrated, word_probability
from model.whisper.configuration import WhisperConfig
from model.whisper.decoder import Decoder, GreedyDecoder, Place
from model.whisper.encoder import Encoder, EncoderJob
from model.whisper.tokenizer import WhisperTokenizer
from model.whisper.weights import load_weights
from model.words import UNSPACED


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
    prompt_tokens: int = 64
    tokens_per_second: float = 8.0
    confidence: tuple[float, float] = (0.85, 0.95)  # slope and offset of the calibration, fitted to the embedded model
    character_confidence: tuple[float, float] = (0.5, 0.2)  # the same where a word is a character
    silent_probability: float = 0.5  # of the no-speech token: at least this, and
    silent_doubt: float = 1.2  # this much of it together with half the doubt (mean -log p) of the text, means silence


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
    frozen: int = 0  # frames whose keys and values are kept
    level: float = -math.inf  # loudest cell when they were computed
    frames: int = 0  # in the caches
    is_audible: bool = True


class WhisperRecogniser:
    """Any Whisper checkpoint in Hugging Face form, on the CPU."""

    batch_rows, batch_s = 16, 12.0

    def __init__(self, directory: Path, options: WhisperOptions | None = None) -> None:
        self.options = o = options or WhisperOptions()
        self.config = WhisperConfig.load(directory)
        self.tokenizer = WhisperTokenizer.load(directory)
        self.name = directory.name
        self.capacity = o.capacity
        self.max_window = 28 * 16_000
        self.languages = tuple(self.tokenizer.language_ids) if self.config.is_multilingual else ("en",)
        weights = load_weights(directory, self.config)
        self._encoder = Encoder(weights, self.config, o.encoder_precision)
        self._whole = (
            self._encoder if o.final_precision == o.encoder_precision else Encoder(weights, self.config, o.final_precision)
        )
        self._decoder = Decoder(weights, self.config, o.decoder_precision)
        self._lanes = Lanes(o.lanes)
        self._filters = mel_filters(self.config.num_mel_bins)
        best = GreedyChoice(self.config.vocab_size, self._forbidden(), self.config.begin_suppress_tokens)
        self._choose = GreedyDecoder(self._decoder, best)
        self._streams: dict[UtteranceId, Stream] = {}
        self._free: list[Slot] = []
        self._tails = self._silent_tails()

    def _forbidden(self) -> set[int]:
        return {*self.config.suppress_tokens, *range(self.tokenizer.eot + 1, self.config.vocab_size)}

    @torch.inference_mode()
    def _silent_tails(self) -> tuple[SilentTail, SilentTail]:
        kv, states = self._whole.silence(silent_value(self.options.loudest))
        own = SilentTail(kv, self.options.encoder_tail_stride)
        return own, SilentTail(self._decoder.project(states), self.options.decoder_tail_stride)

    @torch.inference_mode()
    def warm_up(self, report: Callable[[str], object] = str) -> None:
        """Noise through each kind of pass, up to the longest window; memory of the two streams that a session can need."""
        noise = (torch.randn(self.max_window) * 0.05).numpy()
        one, two = (UtteranceId("warm-up", number) for number in range(2))
        self.step([StepRequest(u, 0, 0, noise[:32_000], False, False, 0.0) for u in (one, two)])
        self.step([StepRequest(u, 1, 32_000, rest, True, True, 0.0) for u, rest in ((one, noise[32_000:]), (two, noise[:0]))])
        for slot in self._free:
            slot.reside()

    def step(self, batch: Sequence[StepRequest]) -> list[Hypothesis]:
        """Answer each request, in order."""
        answers = self._lanes.map(self._share, batch, self._load)
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
        language = request.context.language or (None if self.config.is_multilingual else "en")
        slot = self._free.pop() if self._free else self._new_slot()
        prompt = self._prompt_tokens(request.context.prompt)
        stream = Stream(slot, MelWindow(self._filters), request.start, prompt, language, language is not None, [])
        self._streams[request.utterance] = stream
        return stream

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
        said = [t for word in request.roll.committed for t in word.tokens]
        stream.prompt = (stream.prompt + said)[-self.options.prompt_tokens :]
        stream.draft = stream.draft[len(said) :] if stream.draft[: len(said)] == said else []
        stream.frozen = 0

    def _prompt_tokens(self, text: str) -> list[int]:
        return self.tokenizer.encode(" " + text.strip())[-self.options.prompt_tokens :] if text.strip() else []

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

    # decoder

    def _decode(self, batch: Sequence[StepRequest], streams: Sequence[Stream]) -> list[Row]:
        rows = [self._row(*each) for each in zip(batch, streams, strict=True)]
        verify(self._choose, rows)
        changed = [i for i, (r, s) in enumerate(zip(rows, streams, strict=True)) if self._language_changed(batch[i], s, r)]
        if changed:
            for i in changed:
                streams[i].draft = []
                rows[i] = self._row(batch[i], streams[i])
            verify(self._choose, [rows[i] for i in changed])
        finish(self._choose, rows)
        return rows

    def _row(self, request: StepRequest, stream: Stream) -> Row:
        t, slot = self.tokenizer, stream.slot
        before = [t.sot_prev, *stream.prompt] if stream.prompt else []
        forced = [token for word in request.stable for token in word.tokens]
        draft = stream.draft[len(forced) :] if stream.draft[: len(forced)] == forced else []
        seconds = stream.mel.samples / 16_000
        room = self.config.max_target_positions - len(before) - 6
        limit = min(room, int(self.options.tokens_per_second * seconds) + 6)
        prompt = [*before, *t.start(stream.language or "en")]
        return Row(
            place=Place(slot.decoder, slot.cross, stream.frames),
            prompt=prompt,
            start_index=len(before),
            forced=forced,
            draft=draft[: max(0, limit - len(forced) - 1)],
            limit=limit,
            ends=frozenset((t.eot,)),
            heard=whole_frames(stream.mel.samples),
        )

    def _language_changed(self, request: StepRequest, stream: Stream, row: Row) -> bool:
        """The language is verified like a draft, until words of the utterance are stable."""
        is_settled = bool(request.stable) and stream.language is not None
        if stream.is_language_given or is_settled or row.start_logits is None:
            return False
        codes, ids = zip(*self.tokenizer.language_ids.items(), strict=True)
        best = codes[int(row.start_logits[list(ids)].argmax())]
        changed: bool = best != (stream.language or "en")
        stream.language = best
        return changed

    # answer

    def _hypothesis(self, request: StepRequest, stream: Stream, row: Row) -> Hypothesis:
        whole = request.whole_window or request.is_final
        words = () if self._is_silent(request, stream, row) else self._words(request, stream, row)
        stream.draft = [token for word in words for token in word.tokens]
        end = stream.start + stream.mel.samples
        confidence = self._language_confidence(stream, row)
        return Hypothesis(
            request.utterance,
            request.revision,
            words,
            end,
            request.is_final,
            whole,
            stream.language,
            confidence,
            row.is_cut,
        )

    def _is_silent(self, request: StepRequest, stream: Stream, row: Row) -> bool:
        if request.stable or row.start_logits is None:
            return False
        if not (row.tokens and stream.is_audible):
            return True
        silent = float(row.start_logits.softmax(0)[self.tokenizer.no_speech])
        mean = (sum(row.log_probabilities) + row.end_log_probability) / (len(row.tokens) + 1)
        return silent > self.options.silent_probability and silent - mean / 2 > self.options.silent_doubt

    def _language_confidence(self, stream: Stream, row: Row) -> float:
        if stream.is_language_given or row.start_logits is None or stream.language is None:
            return 1.0
        ids = self.tokenizer.language_ids
        among = row.start_logits[list(ids.values())].softmax(0)
        return float(among[list(ids).index(stream.language)])

    def _words(self, request: StepRequest, stream: Stream, row: Row) -> tuple[Word, ...]:
        """The stable words as they are, then the free tokens as words with their times."""
        times, language = self._times(stream, row), stream.language or "en"
        calibration = self.options.character_confidence if language in UNSPACED else self.options.confidence
        words, position = list(request.stable), 0
        for text, tokens in self.tokenizer.split_words(row.tokens, language):
            chosen = row.log_probabilities[position : position + len(tokens)]
            first = len(row.forced) + position
            position += len(tokens)
            start, end = times[first], times[first + len(tokens)]
            start = max(start, words[-1].end if words else stream.start)
            confidence = calibrated(word_probability(chosen), *calibration)
            words.append(Word(text, start, max(start, end), confidence, tuple(tokens)))
        return tuple(words)

    def _times(self, stream: Stream, row: Row) -> list[int]:
        """Where each text token starts, and where the last one ends, in samples of the session."""
        count = len(row.forced) + len(row.tokens)
        heard = max(1, whole_frames(stream.mel.samples))
        scores = torch.cat(row.scores, 1)[:, : count + 1, :heard]
        starts = token_frames(scores).tolist()
        starts += [heard] * (count + 1 - len(starts))
        return [stream.start + frame * FRAME_SAMPLES for frame in starts]
