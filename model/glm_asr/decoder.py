"""Choosing tokens with GLM-ASR's language model: prompts with audio in them, and steps, for the rows of a batch."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.attention import Spans
from model.decoding import Ask, Choices
from model.glm_asr.language_model import LanguageModel
from model.graphs import Function, Graphs
from model.kv_cache import RowCache
from model.sampling import GreedyChoice

_LOGITS = 512  # rows whose logits are held at a time
KEY_BUCKET = 128  # attention spans a multiple of this


class Place(NamedTuple):
    """Where a stream is in this step's cache, and where its audio is in the memory."""

    row: int
    slot: int


class GlmAsrDecoder:
    """A Chooser; one device → host copy for each call."""

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
        self.model, self.cache, self._best, self._graphs = model, cache, best, graphs
        self._audio, self._audio_token, self._header = audio, audio_token, header
        self.has_alignment = model.has_alignment

    def __call__(self, asks: Sequence[Ask]) -> list[Choices]:
        """Answer each, in order. Prompts come for the rows 0, 1, 2 … of the cache, single tokens for any of them."""
        if all(len(ask.tokens) == 1 and ask.start for ask in asks):
            return self._step(asks)
        assert [ask.place.row for ask in asks] == list(range(len(asks)))
        return self._prompts(asks)

    # prompts

    def _prompts(self, asks: Sequence[Ask]) -> list[Choices]:
        sizes = [len(ask.tokens) for ask in asks]
        device = self._audio.device
        spans = Spans.of([ask.start for ask in asks], sizes, device)
        ends = np.cumsum(sizes)
        aligned = _last(ends, [ask.aligned for ask in asks])
        wanted = np.concatenate([np.arange(e - ask.wanted, e) for e, ask in zip(ends, asks, strict=True)])
        numbers = [np.concatenate([ask.tokens for ask in asks]), aligned.ravel(), wanted]
        ids, asked, chosen = (torch.from_numpy(x.astype(np.int64)).to(device, non_blocking=True) for x in numbers)
        slots = torch.tensor([ask.place.slot for ask in asks], device=device)
        keys = bucket(max(ask.start + size for ask, size in zip(asks, sizes, strict=True)), self.cache.positions)
        x = self.embedded(ids, spans, slots)
        hidden, scores = self.model(x, spans, self.cache, keys, asked.view(aligned.shape))
        parts = [torch.stack(self._best.best(self.model.vocabulary(rows))) for rows in hidden[chosen].split(_LOGITS)]
        return self._found(asks, torch.cat([p.float() for p in parts], 1), scores)

    def embedded(self, ids: Tensor, spans: Spans, slots: Tensor) -> Tensor:
        """Packed ids [N] -> embeddings [N, D], audio tokens from the memory of their stream's slot."""
        unit = (spans.position - self._header).clamp(0, self._audio.shape[1] - 1)
        heard = self._audio[slots[spans.stream], unit]
        return torch.where((ids == self._audio_token)[:, None], heard, self.model.embedding[ids])

    # steps

    def _step(self, asks: Sequence[Ask]) -> list[Choices]:
        """All rows of the cache up to the last that is asked for; the others write where nobody reads."""
        rows = step_rows(max(ask.place.row for ask in asks) + 1, self.cache.rows)
        keys = bucket(max(ask.start for ask in asks) + 1, self.cache.positions)
        ids, positions = np.zeros(rows, np.int64), np.full(rows, self.cache.positions - 1, np.int64)
        for ask in asks:
            ids[ask.place.row], positions[ask.place.row] = ask.tokens[0], ask.start
        chosen, scores = self._graphs(("step", rows, keys), self._stepped(rows, keys), torch.from_numpy(np.stack([ids, positions])))
        at = [ask.place.row for ask in asks]
        return self._found(asks, chosen[:, at], scores[:, at])

    def _stepped(self, rows: int, keys: int) -> Function:
        def step(numbers: Tensor) -> tuple[Tensor, Tensor]:
            ids, positions = numbers.unbind(0)
            each = torch.arange(rows, device=numbers.device)
            spans = Spans((), (), each, positions, each[:, None], each)
            hidden, scores = self.model(self.model.embedding[ids], spans, self.cache, keys, each[:, None])
            chosen = self._best.best(self.model.vocabulary(hidden))
            return torch.stack([c.float() for c in chosen]), scores

        return step

    def steps(self, rows: Sequence[int], keys: Sequence[int]) -> list[tuple[Hashable, Function, Tensor]]:
        """What a step may be, for graphs to be made of: key, function, example of its argument."""
        last = self.cache.positions - 1
        return [(("step", n, k), self._stepped(n, k), torch.tensor([[0] * n, [last] * n])) for n in rows for k in keys]

    # answers

    def _found(self, asks: Sequence[Ask], chosen: Tensor, scores: Tensor) -> list[Choices]:
        """`chosen` float32[2, sum of wanted]: tokens (exact in float32 up to 16 million) and log-probabilities."""
        most = max(ask.heard for ask in asks)
        heads = scores[:, :, :, self._header : self._header + most]
        flat = torch.cat([chosen.ravel(), heads.ravel()]).cpu() if heads.numel() else chosen.ravel().cpu()
        count = chosen.shape[1]
        tokens, log_probabilities = flat[:count].long().tolist(), flat[count : 2 * count].tolist()
        aligned, found, at = flat[2 * count :].view(heads.shape), [], 0
        for i, ask in enumerate(asks):
            own = aligned[:, i, -ask.aligned :, : ask.heard] if len(aligned) else torch.zeros(0, ask.aligned, ask.heard)
            attended = own.softmax(-1).mean(0).argmax(-1).tolist() if own.numel() else [0] * ask.aligned
            span = slice(at, at + ask.wanted)
            found.append(Choices(tokens[span], log_probabilities[span], attended, own, None))
            at += ask.wanted
        return found


def _last(ends: NDArray[np.int64], counts: Sequence[int]) -> NDArray[np.int64]:
    """The last `counts` rows of each stream, int64[B, W]; on the left the first of them again."""
    most = max(counts)
    back = np.arange(most, 0, -1)
    return ends[:, None] - np.minimum(back, np.asarray(counts)[:, None])


def bucket(length: int, most: int) -> int:
    """The length that attention spans: few different ones, so that graphs fit."""
    return min(most, -(-length // KEY_BUCKET) * KEY_BUCKET)


def step_rows(rows: int, most: int) -> int:
    """The next power of two."""
    return min(most, 1 << (rows - 1).bit_length())
