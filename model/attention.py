"""Attention of packed rows over the keys of their own stream: the one seam between layouts and kernels."""

from __future__ import annotations

import torch
from torch import Tensor


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
