"""Attention of packed rows over the keys of their own stream: the one seam between layouts and kernels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from model.devices import put
from model.ranges import ranges


def attend(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None = None) -> Tensor:
    """float32[n, H * d] of queries over keys and values [H, S, d] -> [n, H * d]; `bias` is [S] or [n, S], added to the scores."""
    heads, keys, width = k.shape
    rows = q.shape[0]
    mask = None if bias is None else bias.expand(1, 1, rows, keys)
    out = torch.nn.functional.scaled_dot_product_attention(
        q.view(1, rows, heads, width).transpose(1, 2), k[None], v[None], attn_mask=mask
    )
    return out.transpose(1, 2).reshape(rows, heads * width)


def by_head(x: Tensor, heads: int) -> Tensor:
    """[n, H * d] -> [H, n, d]."""
    return x.view(x.shape[0], heads, -1).transpose(0, 1)


@dataclass(frozen=True, slots=True)
class Spans:
    """Rows of B streams packed one after another, and the same rows as padded queries [B, Q].

    Linear layers see packed rows, so nothing is computed for padding; attention sees padded queries, so it is one call.
    """

    stream: Tensor  # int64[N]: which of the B
    position: Tensor  # int64[N]
    padded: Tensor  # int64[B, Q]: the packed row of each query; a stream's last row fills its padding
    packed: Tensor  # int64[N]: the place of each row among the B * Q queries

    @classmethod
    def of(cls, starts: Sequence[int], sizes: Sequence[int], device: torch.device) -> Spans:
        """`sizes` rows of each stream, at positions from `starts`; every size at least 1."""
        size = np.asarray(sizes, np.int64)
        first, longest = np.cumsum(size) - size, int(size.max())
        stream, position = ranges(starts, sizes)
        padded = first[:, None] + np.minimum(np.arange(longest), size[:, None] - 1)
        each = np.stack([stream, position, stream * longest + np.arange(len(stream)) - first[stream]])
        on_device = put(each, device)
        return cls(on_device[0], on_device[1], put(padded, device), on_device[2])

    @classmethod
    def regular(cls, starts: Tensor, size: int, last: int) -> Spans:
        """`size` rows of each stream from int64[B], nothing known to the host; positions beyond `last` are `last`."""
        each = torch.arange(len(starts) * size, device=starts.device).view(len(starts), size)
        positions = (starts[:, None] + torch.arange(size, device=starts.device)).clamp_max(last)
        return cls(each.flatten() // size, positions.flatten(), each, each.flatten())

    @classmethod
    def single(cls, positions: Tensor) -> Spans:
        """One row of each stream, at int64[B]."""
        return cls.regular(positions, 1, torch.iinfo(torch.int64).max)


def attend_padded(q: Tensor, k: Tensor, v: Tensor, mask: Tensor, spans: Spans) -> Tensor:
    """Queries [N, H, d] over keys and values [B, S, G, d] of their stream -> [N, H * d]; H is a multiple of G.

    `mask` is added to the scores: [B, 1, 1 or H/G * Q, S]. Queries that share keys count as further queries, so that no copy
    of the keys is made for them (grouped-query attention, Ainslie et al. 2023).
    """
    (batch, queries), (_, heads, width), groups = spans.padded.shape, q.shape, k.shape[2]
    shared = heads // groups
    rows = q[spans.padded].view(batch, queries, groups, shared, width).permute(0, 2, 3, 1, 4)
    rows = rows.reshape(batch, groups, shared * queries, width)
    out = torch.nn.functional.scaled_dot_product_attention(rows, k.transpose(1, 2), v.transpose(1, 2), attn_mask=mask)
    out = out.view(batch, groups, shared, queries, width).permute(0, 3, 1, 2, 4)
    return out.reshape(batch * queries, heads * width)[spans.packed]
