from __future__ import annotations

import pytest
import torch
from torch import Tensor

from model.attention import attend, by_head

HEADS, WIDTH, KEYS, ROWS = 3, 8, 11, 5


def random(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


Q, K, V = random(ROWS, HEADS * WIDTH, seed=0), random(HEADS, KEYS, WIDTH, seed=1), random(HEADS, KEYS, WIDTH, seed=2)


def by_hand(q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
    """The formula, head by head, in float64."""
    heads = []
    for h in range(HEADS):
        scores = q[:, h * WIDTH : (h + 1) * WIDTH].double() @ k[h].double().T / WIDTH**0.5 + bias
        heads.append(scores.softmax(-1) @ v[h].double())
    return torch.cat(heads, 1).float()


@pytest.mark.parametrize(
    "bias", [None, random(KEYS, seed=3), random(ROWS, KEYS, seed=4), torch.full((ROWS, KEYS), -torch.inf).triu(KEYS - ROWS + 1)]
)
def test_it_is_scaled_dot_product_attention(bias):
    expected = by_hand(Q, K, V, torch.zeros(KEYS) if bias is None else bias)
    torch.testing.assert_close(attend(Q, K, V, bias), expected, atol=1e-6, rtol=1e-5)


def test_a_key_that_counts_n_times_is_n_equal_keys():
    """What the silent tail rests on."""
    bias = torch.zeros(KEYS)
    bias[4] = torch.log(torch.tensor(3.0))
    repeated = [0, 1, 2, 3, 4, 4, 4, *range(5, KEYS)]
    torch.testing.assert_close(attend(Q, K, V, bias), attend(Q, K[:, repeated], V[:, repeated]), atol=1e-6, rtol=1e-5)


def test_by_head_takes_heads_apart():
    x = torch.arange(ROWS * HEADS * WIDTH).view(ROWS, -1)
    parts = by_head(x, HEADS)
    assert parts.shape == (HEADS, ROWS, WIDTH)
    assert torch.equal(torch.cat(list(parts), 1), x)
