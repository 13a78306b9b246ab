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
from model.decoding import EDGE, Ask, Choices, following_tokens
from model.devices import put
from model.graphs import Function, Graphs
from model.kv_cache import RowCache
from model.sampling import GreedyChoice

_NEAR = 32  # tokens beside the best one that are told, where they are wanted
_LOGITS = 512  # rows whose logits are held at a time
KEY_BUCKET = 128


class Place(NamedTuple):
    """Where a stream is in this step's cache, and where in the stores."""

    row: int
    slot: int


class BatchDecoder(ABC):
    """A Chooser on any device; one device → host copy for each call, one more where openings are asked for."""

    variant: Hashable = ()  # what else the shapes of a step depend on
    reads_ahead = can_branch = False

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
        following, near = self._put(np.array(following_tokens(asks))), any(ask.margin for ask in asks)
        chunks = zip(*(each.split(_LOGITS) for each in (hidden[chosen], is_first.bool(), following)), strict=True)
        found = torch.cat([self._chosen(self.vocabulary(rows), first, given, near=near) for rows, first, given in chunks], 1)
        openings = [e - n + ask.opening for e, n, ask in zip(ends, sizes, asks, strict=True) if ask.opening is not None]
        logits = iter(self.vocabulary(hidden[self._put(np.array(openings))]).cpu() if openings else ())
        return self._found(asks, found, scores, [
            next(logits) if ask.opening is not None else None for ask in asks
        ])  # fmt: skip

    def _chosen(self, logits: Tensor, first: Tensor | None, given: Tensor | None, *, near: bool) -> Tensor:
        """float32[3 + 2K, N]: best tokens and log-probabilities, those of given tokens, then K other tokens and theirs."""
        tokens, best = self._best.best(logits, first)
        total = logits.gather(1, tokens[:, None])[:, 0] - best
        of_given = logits.gather(1, given.clamp(min=0)[:, None])[:, 0] - total if given is not None else torch.zeros_like(best)
        rows = [tokens.float(), best, of_given]
        if near:
            values, ids = logits.topk(_NEAR, 1)
            rows += [*ids.float().unbind(1), *(values - total[:, None]).unbind(1)]
        return torch.stack(rows)

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
        near = any(ask.margin for ask in asks)  # of which no graphs are made
        key = ("step", rows, keys, self.variant, *(["near"] if near else []))
        chosen, scores = self._graphs(key, self._stepped(rows, keys, near=near), torch.from_numpy(numbers))
        return self._found(asks, chosen[:, at], scores[:, at], [None] * len(asks))

    def _stepped(self, rows: int, keys: int, *, near: bool = False) -> Function:
        def step(numbers: Tensor) -> tuple[Tensor, Tensor]:
            ids, positions = numbers.unbind(0)
            spans = Spans.single(positions)
            hidden, scores = self.run(self.embedded(ids, spans, spans.stream), spans, keys, spans.padded)
            return self._chosen(self.vocabulary(hidden), None, None, near=near), scores

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
        """`chosen` as `_chosen` gives it, for all that is wanted; tokens are exact in float32 up to 16 million."""
        attended, size = self._attended(asks, scores), chosen.numel()
        flat = torch.cat([chosen.ravel(), attended.ravel().float()]).cpu()
        tokens, log_probabilities, given, *others = flat[:size].view(chosen.shape).unbind(0)
        looked, found, at = flat[size:].long().view(attended.shape).tolist(), list[Choices](), 0
        for i, (ask, opening) in enumerate(zip(asks, openings, strict=True)):
            span = slice(at, at + ask.wanted)
            own = scores[:, i, -ask.aligned :, : ask.heard]
            found.append(
                Choices(
                    tokens[span].long().tolist(),
                    log_probabilities[span].tolist(),
                    looked[i][-ask.aligned :],
                    own,
                    opening,
                    given[span].tolist()[:-1] if ask.is_scored else (),
                    _near([row[span].tolist() for row in others], ask.margin) if ask.margin else (),
                )
            )
            at += ask.wanted
        return found

    def _attended(self, asks: Sequence[Ask], scores: Tensor) -> Tensor:
        """The unit that each row looked at most (see most_attended), int64[B, W]."""
        if not scores.numel():
            return torch.zeros(len(asks), max(ask.aligned for ask in asks), dtype=torch.long, device=scores.device)
        heard = self._put(np.array([ask.heard for ask in asks]))[:, None]
        units = torch.arange(scores.shape[3], device=scores.device)
        seen = scores.masked_fill((units >= heard)[:, None], float("-inf")).softmax(-1).mean(0)
        return seen.masked_fill((units == heard - 1)[:, None] & (seen <= EDGE), 0.0).argmax(-1)


def _near(rows: Sequence[Sequence[float]], margin: float) -> list[list[tuple[int, float]]]:
    """K rows of tokens and K of log-probabilities, the likeliest first -> those within the margin, of each position."""
    ids, values = rows[: len(rows) // 2], rows[len(rows) // 2 :]
    return [
        [(int(t), p) for t, p in zip(tokens, found, strict=True) if p >= found[0] - margin]
        for tokens, found in zip(zip(*ids, strict=True), zip(*values, strict=True), strict=True)
    ]


def _last(ends: NDArray[np.int64], counts: Sequence[int]) -> NDArray[np.int64]:
    """The last `counts` rows of each stream, int64[B, W]; on the left the first of them again."""
    back = np.arange(max(counts), 0, -1)
    rows: NDArray[np.int64] = ends[:, None] - np.minimum(back, np.asarray(counts)[:, None])
    return rows


def step_rows(rows: int, most: int) -> int:
    """The next power of two."""
    return min(most, 1 << (rows - 1).bit_length())
