"""Whole clips as the reference implementation transcribes them: chunks of 30 s, each padded, all audio tokens in one prompt.

Slow and exact: the yardstick for what streaming does incrementally.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from model.attention import Spans
from model.batch_decoder import Place
from model.decoding import Row, decode
from model.features import mel_filters
from model.glm_asr.configuration import MERGED_FRAMES
from model.glm_asr.decoder import GlmAsrDecoder
from model.glm_asr.model import GlmAsr
from model.graphs import Graphs
from model.interfaces import Samples
from model.kv_cache import RowCache
from model.lengths import FFT_SAMPLES, FRAME_SAMPLES, HOP_SAMPLES, WINDOW_FRAMES
from model.sampling import GreedyChoice

_CHUNK = WINDOW_FRAMES * FRAME_SAMPLES
_LOWEST, _RANGE = 1e-10, 8.0


class Offline:
    """For a model that is loaded."""

    def __init__(self, model: GlmAsr) -> None:
        self._model = model
        self._filters = mel_filters(model.config.audio.num_mel_bins).to(model.device)

    @torch.inference_mode()
    def generate(self, clips: Sequence[Samples], max_new_tokens: int = 500) -> list[list[int]]:
        """Greedy tokens of each clip, float32[n] at 16 kHz of at least 80 ms, without the one that ends them."""
        rows = self._rows(audio := [self.audio(clip) for clip in clips], max_new_tokens)
        decode(self._decoder(audio, max_new_tokens), rows)
        return [row.tokens for row in rows]

    @torch.inference_mode()
    def prompt_logits(self, clips: Sequence[Samples]) -> list[Tensor]:
        """Logits float32[tokens, V] after each token of each clip's prompt."""
        rows = self._rows(audio := [self.audio(clip) for clip in clips], 0)
        decoder, sizes = self._decoder(audio, 0), [len(row.prompt) for row in rows]
        spans = Spans.of([0] * len(rows), sizes, self._model.device)
        ids = torch.tensor([t for row in rows for t in row.prompt], device=self._model.device)
        x = decoder.embedded(ids, spans, torch.arange(len(rows), device=self._model.device))
        hidden, _ = self._model.language_model(x, spans, decoder.cache, max(sizes))
        return [self._model.language_model.vocabulary(h) for h in hidden.split(sizes)]

    @torch.inference_mode()
    def audio(self, clip: Samples) -> Tensor:
        """Embeddings [units, D] of the audio tokens of a clip."""
        chunks = [clip[i : i + _CHUNK] for i in range(0, len(clip), _CHUNK)]
        states = self.states(chunks).unflatten(0, (len(chunks), WINDOW_FRAMES))
        frames = sum(len(chunk) // HOP_SAMPLES for chunk in chunks)
        units = (frames + 1) // 2 // MERGED_FRAMES
        embedded = self._model.projector(states.flatten(0, 1))
        return embedded[:units]

    def states(self, chunks: Sequence[Samples]) -> Tensor:
        """Encoder states [1500 * chunks, D] of chunks padded to 30 s."""
        m = self._model
        count = len(chunks)
        passage = m.encoder.passage([0] * count, [WINDOW_FRAMES] * count, dtype=m.dtype, device=m.device)
        mel = torch.stack([self.features(chunk) for chunk in chunks])
        mel = torch.nn.functional.pad(mel, (0, 0, 2, 1)).to(m.dtype)
        at_start = torch.ones(count, dtype=torch.bool, device=m.device)
        return m.encoder(m.encoder.stem(mel, passage.spans, at_start), passage)

    def features(self, chunk: Samples) -> Tensor:
        """Log-mel float32[3000, mels] of a chunk padded to 30 s (the published Whisper front end)."""
        audio = torch.from_numpy(np.pad(chunk, (0, _CHUNK - len(chunk)))).to(self._model.device)
        window = torch.hann_window(FFT_SAMPLES, device=audio.device)
        spectrum = torch.stft(audio, FFT_SAMPLES, HOP_SAMPLES, window=window, return_complex=True)[:, :-1]
        mel = (self._filters @ spectrum.abs().square()).clamp_min(_LOWEST).log10()
        return ((torch.maximum(mel, mel.max() - _RANGE) + 4) / 4).T

    def _rows(self, audio: Sequence[Tensor], limit: int) -> list[Row]:
        c, prompt = self._model.config, self._model.tokenizer.prompt
        return [
            Row(
                place=Place(i, i),
                prompt=[*prompt.header, *[c.audio_token_id] * len(units), *prompt.suffix],
                forced=[],
                draft=[],
                limit=limit,
                ends=frozenset(c.eos_token_ids),
                is_guarded=False,
            )
            for i, units in enumerate(audio)
        ]

    def _decoder(self, audio: Sequence[Tensor], limit: int) -> GlmAsrDecoder:
        m, c = self._model, self._model.config.text
        prompt, most = m.tokenizer.prompt, max(len(units) for units in audio)
        memory = torch.zeros(len(audio), most, c.hidden_size, device=m.device, dtype=m.dtype)
        for row, units in zip(memory, audio, strict=True):
            row[: len(units)] = units
        positions = len(prompt.header) + most + len(prompt.suffix) + limit + 1  # one that nobody reads
        sizes = (c.num_hidden_layers, len(audio), positions, c.num_key_value_heads, c.head_dim)
        best = GreedyChoice(c.vocab_size, (), (), m.device)
        cache = RowCache(*sizes, m.device, m.dtype)
        return GlmAsrDecoder(m.language_model, best, cache, memory, m.config.audio_token_id, len(prompt.header), Graphs(m.device))
