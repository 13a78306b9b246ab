"""Against the implementation in transformers, whole and in part, and the property that it exists for."""

from __future__ import annotations

import pytest
import torch
from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding, apply_rotary_pos_emb

from model.rotary import Rotary

CPU = torch.device("cpu")


def rotary(width: int = 16, dtype: torch.dtype = torch.float32) -> Rotary:
    return Rotary(width, 10_000.0, 64, CPU, dtype)


def rows(width: int = 16) -> torch.Tensor:
    return torch.randn(5, 3, width, generator=torch.Generator().manual_seed(3))


def turned(r: Rotary, x: torch.Tensor, positions: list[int]) -> torch.Tensor:
    return r.turned(x, r.at(torch.tensor(positions)))


def test_it_is_that_of_transformers():
    config = LlamaConfig(
        hidden_size=48, num_attention_heads=3, head_dim=16, rope_parameters={"rope_type": "default", "rope_theta": 10_000.0}
    )
    x, positions = rows(), [0, 3, 9, 20, 63]
    cos, sin = LlamaRotaryEmbedding(config)(x, torch.tensor([positions]))
    expected, _ = apply_rotary_pos_emb(x.transpose(0, 1)[None], x.transpose(0, 1)[None], cos, sin)
    assert torch.allclose(turned(rotary(), x, positions), expected[0].transpose(0, 1), atol=1e-6)


def test_dimensions_beyond_its_width_are_left_alone():
    x = rows(24)
    found = turned(rotary(), x, [1, 2, 3, 4, 5])
    assert torch.equal(found[..., 16:], x[..., 16:])
    assert torch.equal(found[..., :16], turned(rotary(), x[..., :16], [1, 2, 3, 4, 5]))


def test_scores_depend_on_distance_only():
    q, k = rows(), rows().flip(0)
    near = turned(rotary(), q, [7] * 5) * turned(rotary(), k, [2] * 5)
    far = turned(rotary(), q, [47] * 5) * turned(rotary(), k, [42] * 5)
    assert torch.allclose(near.sum(-1), far.sum(-1), atol=1e-4)


@pytest.mark.parametrize("dropped", [1, 12])
def test_what_is_turned_back_stands_earlier(dropped: int):
    r, x = rotary(), rows()
    later, earlier = ([dropped + i for i in range(5)], list(range(5)))
    assert torch.allclose(r.turned_back(turned(r, x, later), dropped), turned(r, x, earlier), atol=1e-5)
