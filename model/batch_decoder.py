"""Choosing tokens for all rows of a batch: prompts with their drafts in one pass, then step by step; families add the stack."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.attention import Spans
from model.decoding import Ask, Choices
from model.devices import put
from model.graphs import Function, Graphs
from model.kv_cache import RowCache
from model.sampling import GreedyChoice

_LOGITS = 512  # rows whose logits are held at a time
KEY_BUCKET = 128


class Place(NamedTuple):
    """Where a stream is in this step's cache, and where in the stores."""

    row: int
    slot: int


class BatchDecoder(ABC):
    """A Chooser on any device; one device → host copy for each call, one more where openings are asked for."""

    variant: Hashable = ()  # what else the shapes of a step depend on

    def __init__(self, best: GreedyChoice, cache: RowCache, graphs: Graphs, device: torch.device) -> None:
        self.cache, self._best, self._graphs, self._device = cache, best, graphs, device

    @abstractmethod
    def embedded(self, ids: Tensor, spans: Spans, slots: Tensor) -> Tensor:
        """Packed ids [N] of streams in these slots -> [N, D]."""

    @abstractmethod
    def run(self, x: Tensor, spans: Spans, keys: int, asked: Tensor) -> tuple[Tensor, Tensor]:
        """Rows [N, D] -> hidden states [N, D], alignment scores [heads, B, W, units] of the rows `asked` [B, W]."""

    @abstractmethod
    def vocabulary(self, hidden: Tensor) -> Tensor:
        """Hidden states [N, D] -> logits float32[N, V]."""

    def __call__(self, asks: Sequence[Ask]) -> list[Choices]:
        """Answer each, in order; rows in between that are not asked for write where nobody reads."""
        if all(len(ask.tokens) == 1 and ask.start for ask in asks):
            return self._step(asks)
        asked = {ask.place.row: ask for ask in asks}
        idle = (0,), self.cache.positions - 1, 1, 1, 1, False, None
        found = self._prompts([asked.get(row) or Ask(Place(row, 0), *idle) for row in range(max(asked) + 1)])
        return [found[ask.place.row] for ask in asks]

    # prompts

    def _prompts(self, asks: Sequence[Ask]) -> list[Choices]:
        sizes = [len(ask.tokens) for ask in asks]
        spans, ends = Spans.of([ask.start for ask in asks], sizes, self._device), np.cumsum(sizes)
        aligned = _last(ends, [ask.aligned for ask in asks])
        wanted = np.concatenate([np.arange(end - ask.wanted, end) for end, ask in zip(ends, asks, strict=True)])
        ids, asked, chosen, slots = map(
            self._put, (np.concatenate([ask.tokens for ask in asks]), aligned, wanted, np.array([ask.place.slot for ask in asks]))
        )
        ends_at = [ask.start + size for ask, size in zip(asks, sizes, strict=True)]
        keys = self._keys(max(end for end in ends_at if end < self.cache.positions))
        hidden, scores = self.run(self.embedded(ids, spans, slots), spans, keys, asked)
        is_first = self._put(np.concatenate([[ask.is_first and i == 0 for i in range(ask.wanted)] for ask in asks]))
        best = [
            self._best.best(self.vocabulary(rows), first)
            for rows, first in zip(hidden[chosen].split(_LOGITS), is_first.bool().split(_LOGITS), strict=True)
        ]
        tokens, log_probabilities = (torch.cat(each) for each in zip(*best, strict=True))
        openings = [e - n + ask.opening for e, n, ask in zip(ends, sizes, asks, strict=True) if ask.opening is not None]
        logits = iter(self.vocabulary(hidden[self._put(np.array(openings))]).cpu() if openings else ())
        return self._found(asks, torch.stack([tokens.float(), log_probabilities]), scores, [
            next(logits) if ask.opening is not None else None for ask in asks
        ])  # fmt: skip

    def _put(self, numbers: NDArray[Any]) -> Tensor:
        return put(numbers.astype(np.int64), self._device)

    # steps

    def _step(self, asks: Sequence[Ask]) -> list[Choices]:
        """All rows of the cache up to the last that is asked for; the others write where nobody reads."""
        rows = step_rows(max(ask.place.row for ask in asks) + 1, self.cache.rows)
        keys = self._keys(max(ask.start for ask in asks) + 1)
        numbers = np.zeros((2, rows), np.int64)
        numbers[1] = self.cache.positions - 1
        at = [ask.place.row for ask in asks]
        numbers[:, at] = [[ask.tokens[0] for ask in asks], [ask.start for ask in asks]]
        chosen, scores = self._graphs(("step", rows, keys, self.variant), self._stepped(rows, keys), torch.from_numpy(numbers))
        return self._found(asks, chosen[:, at], scores[:, at], [None] * len(asks))

    def _stepped(self, rows: int, keys: int) -> Function:
        def step(numbers: Tensor) -> tuple[Tensor, Tensor]:
            ids, positions = numbers.unbind(0)
            spans = Spans.single(positions)
            hidden, scores = self.run(self.embedded(ids, spans, spans.stream), spans, keys, spans.padded)
            tokens, log_probabilities = self._best.best(self.vocabulary(hidden))
            return torch.stack([tokens.float(), log_probabilities]), scores

        return step

    def steps(self) -> Iterator[tuple[Hashable, Function, Tensor]]:
        """What a step may be, for graphs to be made of: key, function, example of its argument."""
        last, sizes = self.cache.positions - 1, sorted({step_rows(n, self.cache.rows) for n in range(1, self.cache.rows + 1)})
        for n, k in itertools.product(sizes, self.key_buckets):
            yield ("step", n, k, self.variant), self._stepped(n, k), torch.tensor([[0] * n, [last] * n])

    @property
    def key_buckets(self) -> list[int]:
        """Positions that attention may span: few, so that graphs are."""
        return [*range(KEY_BUCKET, self.cache.positions, KEY_BUCKET), self.cache.positions]

    def _keys(self, length: int) -> int:
        return next(k for k in self.key_buckets if k >= length)

    # answers

    def _found(self, asks: Sequence[Ask], chosen: Tensor, scores: Tensor, openings: Sequence[Tensor | None]) -> list[Choices]:
        """`chosen` float32[2, sum of wanted]: tokens (exact in float32 up to 16 million) and log-probabilities."""
        attended, (_, count) = self._attended(asks, scores), chosen.shape
        flat = torch.cat([chosen.ravel(), attended.ravel().float()]).cpu()
        tokens, log_probabilities = flat[:count].long().tolist(), flat[count : 2 * count].tolist()
        looked, found, at = flat[2 * count :].long().view(attended.shape).tolist(), [], 0
        for i, (ask, opening) in enumerate(zip(asks, openings, strict=True)):
            span = slice(at, at + ask.wanted)
            own = scores[:, i, -ask.aligned :, : ask.heard]
            found.append(Choices(tokens[span], log_probabilities[span], looked[i][-ask.aligned :], own, opening))
            at += ask.wanted
        return found

    def _attended(self, asks: Sequence[Ask], scores: Tensor) -> Tensor:
        """The unit that each row looked at most, int64[B, W]."""
        if not scores.numel():
            return torch.zeros(len(asks), max(ask.aligned for ask in asks), dtype=torch.long, device=scores.device)
        heard = self._put(np.array([ask.heard for ask in asks]))
        unheard = torch.arange(scores.shape[3], device=scores.device) >= heard[:, None]
        return scores.masked_fill(unheard[:, None], float("-inf")).softmax(-1).mean(0).argmax(-1)


def _last(ends: NDArray[np.int64], counts: Sequence[int]) -> NDArray[np.int64]:
    """The last `counts` rows of each stream, int64[B, W]; on the left the first of them again."""
    back = np.arange(max(counts), 0, -1)
    rows: NDArray[np.int64] = ends[:, None] - np.minimum(back, np.asarray(counts)[:, None])
    return rows


def step_rows(rows: int, most: int) -> int:
    """The next power of two."""
    return min(most, 1 << (rows - 1).bit_length())
