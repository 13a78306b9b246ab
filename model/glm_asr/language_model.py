"""GLM-ASR's language model (a Llama: Touvron et al. 2023) over packed rows of many streams, each at its own position."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from model.attention import Spans, attend_padded
from model.checkpoint import Checkpoint
from model.glm_asr.configuration import LanguageModelConfig
from model.glm_asr.weights import EMBEDDING, OUTPUT
from model.kv_cache import RowCache
from model.linear import Weights, fused
from model.rotary import Rotary


class RootMeanSquare:
    """Normalisation by the root mean square (Zhang and Sennrich 2019)."""

    def __init__(self, weight: Tensor, epsilon: float) -> None:
        self._weight, self._epsilon = weight, epsilon

    def __call__(self, x: Tensor) -> Tensor:
        """[N, D] -> [N, D]."""
        return F.rms_norm(x, self._weight.shape, self._weight, self._epsilon)


class LanguageModelLayer:
    """Self-attention with shared keys, then the gated feed-forward part."""

    def __init__(self, weights: Weights, name: str, c: LanguageModelConfig) -> None:
        self._sizes = (c.num_attention_heads, c.num_key_value_heads, c.num_key_value_heads)
        self._width = c.head_dim
        self.norm = RootMeanSquare(weights[f"{name}.input_layernorm.weight"], c.rms_norm_eps)
        self.qkv = fused(weights, [f"{name}.self_attn.{p}_proj" for p in "qkv"])
        self.out = fused(weights, [f"{name}.self_attn.o_proj"])
        self.wide_norm = RootMeanSquare(weights[f"{name}.post_attention_layernorm.weight"], c.rms_norm_eps)
        self.gate_up = fused(weights, [f"{name}.mlp.{p}_proj" for p in ("gate", "up")])
        self.down = fused(weights, [f"{name}.mlp.down_proj"])

    def project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """[N, D] -> queries [N, H, d], keys and values [N, G, d]."""
        heads = self.qkv(self.norm(x)).view(len(x), sum(self._sizes), self._width)
        q, k, v = heads.split(self._sizes, 1)
        return q, k, v

    def feed_forward(self, x: Tensor) -> Tensor:
        """[N, D] -> [N, D], to be added."""
        gate, up = self.gate_up(self.wide_norm(x)).chunk(2, 1)
        return self.down(F.silu(gate) * up)


class LanguageModel:
    """The stack; holds weights only, keys and values are in the rows of a cache."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        c: LanguageModelConfig,
        alignment_heads: Sequence[tuple[int, int]],
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        names = [f"language_model.layers.{i}" for i in range(c.num_hidden_layers)]
        outer = [n for n in (EMBEDDING, OUTPUT, "language_model.norm.weight") if n in checkpoint.shapes]
        weights = checkpoint.read(outer, device, dtype)
        self.embedding = weights[EMBEDDING]
        self._output = weights.get(OUTPUT, self.embedding)
        self._norm = RootMeanSquare(weights["language_model.norm.weight"], c.rms_norm_eps)
        self.layers = [LanguageModelLayer(checkpoint.read(checkpoint.under(n), device, dtype), n, c) for n in names]
        self._rotary = Rotary(c.head_dim, c.rope_theta, c.max_position_embeddings, device, dtype)
        self._shared, self._scale = c.num_attention_heads // c.num_key_value_heads, c.head_dim**-0.5
        self._aligned = {
            layer: torch.tensor([h for at, h in alignment_heads if at == layer], device=device) for layer, _ in alignment_heads
        }

    def __call__(self, x: Tensor, spans: Spans, cache: RowCache, keys: int, asked: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Embeddings [N, D] of streams in the first B rows of the cache -> hidden states [N, D], alignment scores.

        `keys`: positions of the cache that attention spans. `asked` int64[B, W]: packed rows whose alignment scores are
        wanted, [heads, B, W, keys] before softmax.
        """
        mask = cache.mask(spans, keys, self._shared, x.dtype)
        angles, scores = self._rotary.at(spans.position), []
        for index, layer in enumerate(self.layers):
            q, k, v = layer.project(x)
            q, k = self._rotary.turned(q, angles), self._rotary.turned(k, angles)
            cache.write(index, spans, k, v)
            k, v = cache.read(index, len(spans.padded), keys)
            x = x + layer.out(attend_padded(q, k, v, mask, spans))
            x = x + layer.feed_forward(x)
            if asked is not None and index in self._aligned:
                scores.append(self._alignment(q[asked], k, self._aligned[index]))
        hidden: Tensor = self._norm(x)
        return hidden, torch.cat(scores) if scores else x.new_zeros(0, len(spans.padded), 1, keys)

    @property
    def has_alignment(self) -> bool:
        """There are heads whose attention tells where in the audio a token is."""
        return bool(self._aligned)

    def _alignment(self, q: Tensor, k: Tensor, heads: Tensor) -> Tensor:
        """Queries [B, W, H, d], keys [B, S, G, d] -> scores float32[heads, B, W, S]."""
        own, shared = q.index_select(2, heads), k.index_select(2, heads // self._shared)
        scores: Tensor = torch.einsum("bwhd,bshd->hbws", own, shared).float() * self._scale
        return scores

    def vocabulary(self, hidden: Tensor) -> Tensor:
        """Hidden states [N, D] -> logits float32[N, V]."""
        logits: Tensor = F.linear(hidden, self._output).float()
        return logits
