"""Whisper as a Recogniser that runs its streams as one batch, on any device; any size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from model.audio_encoder import AudioEncoder, AudioEncoderLayer, Convolutions, LayerNames
from model.batch_decoder import Place
from model.batch_options import BatchOptions
from model.batch_recogniser import BatchRecogniser, Step
from model.batch_stream import EncoderJob, Stream, fresh
from model.checkpoint import Checkpoint
from model.decoding import Row
from model.devices import put
from model.interfaces import Hotword, Hypothesis, StepRequest, Word
from model.lengths import WINDOW_FRAMES
from model.linear import Norm
from model.whisper.batch_decoder import FRAME_BUCKETS, WhisperBatchDecoder
from model.whisper.configuration import WhisperConfig
from model.whisper.text import TextOptions, WhisperText
from model.whisper.tokenizer import WhisperTokenizer
from model.whisper.weights import open_weights

_NAMES = LayerNames("self_attn_layer_norm", "out_proj", "final_layer_norm", "fc1", "fc2")


class WhisperBatchRecogniser(BatchRecogniser):
    """Any Whisper checkpoint in Hugging Face form. Raises BadCheckpoint."""

    unit_frames = 1

    def __init__(self, directory: Path, options: BatchOptions | None = None, text: TextOptions | None = None) -> None:
        super().__init__(options or BatchOptions())
        self.name, self.config = directory.name, (c := WhisperConfig.load(directory))
        tokenizer = WhisperTokenizer.load(directory)
        self._text = WhisperText(c, tokenizer, text or TextOptions(has_quick_partials=self.device.type == "cuda"))
        self.languages = self._text.languages
        checkpoint = open_weights(directory, c)
        encoder = encoder_of(checkpoint, c, self.device, self.dtype)
        silent = self._make_stores(encoder, None, layers=c.encoder_layers, width=c.d_model, mels=c.num_mel_bins)
        self._memory = torch.zeros(self.capacity, WINDOW_FRAMES, c.d_model, device=self.device, dtype=self.dtype)
        rows = min(self.options.max_rows, self.capacity)
        with torch.inference_mode():
            self._choose = WhisperBatchDecoder(checkpoint, c, self._text.best(self.device), rows, silent, self.graphs)

    def _memory_bytes(self) -> int:
        return WINDOW_FRAMES * self.config.d_model * self.dtype.itemsize

    def _working_bytes(self) -> int:
        """Keys and values of the audio in the rows, and as much again for a pass."""
        c, tail = self.config, WINDOW_FRAMES // self.options.tail_stride
        return 4 * c.decoder_layers * self.options.max_rows * (WINDOW_FRAMES + tail) * c.d_model * self.dtype.itemsize

    def _decoder_steps(self) -> Iterable[Step]:
        """For each length of audio that attention may span."""
        for frames in FRAME_BUCKETS:
            self._choose.variant = frames
            yield from self._choose.steps()

    def prepare(self, hotwords: tuple[Hotword, ...]) -> None:
        """As Recogniser.prepare."""
        self._text.prepare(hotwords)

    # audio

    def _opened(self, stream: Stream, request: StepRequest) -> None:
        stream.language, stream.prompt = self._text.opening(request.context)
        stream.is_language_given = stream.language is not None

    def _commit(self, stream: Stream, words: Sequence[Word]) -> None:
        self._text.commit(stream, words)

    def _remember(self, jobs: Sequence[EncoderJob], states: Tensor) -> None:
        row, slot, frame = fresh(jobs)
        if len(row):
            numbers = put(np.stack([row, slot, frame]), self.device)
            self._memory[numbers[1], numbers[2]] = states[numbers[0]]

    # text

    def _decode(self, work: Sequence[tuple[StepRequest, Stream]]) -> list[Row]:
        requests, streams = [request for request, _ in work], [stream for _, stream in work]
        frames = [stream.frames for stream in streams]
        slots = put(np.array([stream.slot for stream in streams]), self.device)
        self._choose.hear(self._memory[slots, : max(frames)], frames)
        return self._text.decode(self._choose, requests, streams, [Place(i, s.slot) for i, s in enumerate(streams)])

    def _hypothesis(self, request: StepRequest, stream: Stream, row: Row) -> Hypothesis:
        return self._text.hypothesis(request, stream, row)


def encoder_of(checkpoint: Checkpoint, c: WhisperConfig, device: torch.device, dtype: torch.dtype) -> AudioEncoder:
    """The encoder with the weights of a checkpoint."""
    names = [f"encoder.layers.{i}" for i in range(c.encoder_layers)]
    layers = [AudioEncoderLayer(checkpoint.read(checkpoint.under(n), device, dtype), n, _NAMES) for n in names]
    outer = [n for part in ("conv1", "conv2", "layer_norm", "embed_positions") for n in checkpoint.under(f"encoder.{part}")]
    weights = checkpoint.read(outer, device, dtype)
    stem, norm = Convolutions(weights, "encoder"), Norm(weights, "encoder.layer_norm")
    return AudioEncoder(stem, layers, norm, c.encoder_attention_heads, positions=weights["encoder.embed_positions.weight"])
