"""Choosing tokens with GLM-ASR's language model: prompts with audio in them."""

from __future__ import annotations

import torch
from torch import Tensor

from model.attention import Spans
from model.batch_decoder import BatchDecoder
from model.glm_asr.language_model import LanguageModel
from model.graphs import Graphs
from model.kv_cache import RowCache
from model.sampling import GreedyChoice


class GlmAsrDecoder(BatchDecoder):
    """The places of what it is asked are those of the cache and of the audio."""

    def __init__(
        self,
        model: LanguageModel,
        best: GreedyChoice,
        cache: RowCache,
        audio: Tensor,
        audio_token: int,
        header: int,
        graphs: Graphs,
    ) -> None:
        """`audio` [slots, units, D] holds the embeddings of audio tokens, the first of which follows `header` others."""
        super().__init__(best, cache, graphs, audio.device)
        self._model, self._audio, self._audio_token, self._header = model, audio, audio_token, header

    def embedded(self, ids: Tensor, spans: Spans, slots: Tensor) -> Tensor:
        """Packed ids [N] -> [N, D]; audio tokens from the slot of their stream."""
        unit = (spans.position - self._header).clamp(0, self._audio.shape[1] - 1)
        heard = self._audio[slots[spans.stream], unit]
        return torch.where((ids == self._audio_token)[:, None], heard, self._model.embedding[ids])

    def run(self, x: Tensor, spans: Spans, keys: int, asked: Tensor) -> tuple[Tensor, Tensor]:
        """Units are audio tokens; keys before them and after them are no places to look at."""
        hidden, scores = self._model(x, spans, self.cache, keys, asked)
        return hidden, scores[:, :, :, self._header :]

    def vocabulary(self, hidden: Tensor) -> Tensor:
        """Hidden states [N, D] -> logits float32[N, V]."""
        return self._model.vocabulary(hidden)
