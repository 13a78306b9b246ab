"""Whisper's decoder for all rows of a batch, on any device."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from model.attention import Spans, attend_padded
from model.batch_decoder import BatchDecoder
from model.checkpoint import Checkpoint
from model.graphs import Graphs
from model.kv_cache import RowCache
from model.lengths import WINDOW_FRAMES
from model.linear import Norm, Weights, fused
from model.sampling import GreedyChoice
from model.whisper.configuration import WhisperConfig

FRAME_BUCKETS = (256, 512, 1024, WINDOW_FRAMES)


class WhisperDecoderLayer:
    """Self-attention, cross-attention, feed-forward."""

    def __init__(self, weights: Weights, name: str) -> None:
        self.self_norm = Norm(weights, f"{name}.self_attn_layer_norm")
        self.qkv = fused(weights, [f"{name}.self_attn.{p}_proj" for p in "qkv"])
        self.self_out = fused(weights, [f"{name}.self_attn.out_proj"])
        self.cross_norm = Norm(weights, f"{name}.encoder_attn_layer_norm")
        self.cross_q = fused(weights, [f"{name}.encoder_attn.q_proj"])
        self.cross_kv = fused(weights, [f"{name}.encoder_attn.{p}_proj" for p in "kv"])
        self.cross_out = fused(weights, [f"{name}.encoder_attn.out_proj"])
        self.wide_norm = Norm(weights, f"{name}.final_layer_norm")
        self.widen, self.narrow = fused(weights, [f"{name}.fc1"]), fused(weights, [f"{name}.fc2"])

    def feed_forward(self, x: Tensor) -> Tensor:
        """[N, D] -> [N, D], to be added."""
        return self.narrow(F.gelu(self.widen(self.wide_norm(x))))


class WhisperBatchDecoder(BatchDecoder):
    """Keys and values of the audio: those of silence first, thinned, then those of the frames, a row for each stream."""

    variant: int = FRAME_BUCKETS[0]  # frames that attention spans

    def __init__(
        self, checkpoint: Checkpoint, c: WhisperConfig, best: GreedyChoice, rows: int, silence: tuple[Tensor, int], graphs: Graphs
    ) -> None:
        """`silence`: encoder states [S, D] of every so many-th silent frame, and how many."""
        states, self._stride = silence
        device, dtype = states.device, states.dtype
        self.heads, self._scale = c.decoder_attention_heads, (c.d_model // c.decoder_attention_heads) ** -0.5
        sizes = self.heads, c.d_model // self.heads, device, dtype
        positions = -(-(c.max_target_positions + 1) // 128) * 128
        super().__init__(best, RowCache(c.decoder_layers, rows, positions, *sizes), graphs, device)
        outer = ["embed_tokens.weight", "embed_positions.weight", "layer_norm.weight", "layer_norm.bias"]
        weights = checkpoint.read([f"decoder.{n}" for n in outer], device, dtype)
        self._embedding, self._positions = weights["decoder.embed_tokens.weight"], weights["decoder.embed_positions.weight"]
        self._norm = Norm(weights, "decoder.layer_norm")
        names = [f"decoder.layers.{i}" for i in range(c.decoder_layers)]
        self.layers = [WhisperDecoderLayer(checkpoint.read(checkpoint.under(n), device, dtype), n) for n in names]
        heads = {layer: [h for at, h in c.alignment_heads if at == layer] for layer, _ in c.alignment_heads}
        self._aligned = {layer: torch.tensor(each, device=device) for layer, each in heads.items()}
        self._silent = len(states)
        self._audio = RowCache(c.decoder_layers, rows, self._silent + WINDOW_FRAMES, *sizes)
        self._mask = torch.zeros(rows, 1, 1, self._silent + WINDOW_FRAMES, device=device, dtype=dtype)
        self._write(states.expand(rows, -1, -1), 0)

    @property
    def key_buckets(self) -> list[int]:
        """Texts are short as a rule."""
        return [128, 256, self.cache.positions]

    def hear(self, states: Tensor, frames: Sequence[int]) -> None:
        """Take the states [B, n, D] of this step's streams, of which so many frames count, into the first rows."""
        self.variant = next(b for b in FRAME_BUCKETS if b >= states.shape[1])
        self._write(states, self._silent)
        silent = torch.arange(self._silent, device=states.device) * self._stride + self._stride // 2
        count = torch.tensor(frames, device=states.device)[:, None]
        tail = torch.where(silent < count, -math.inf, math.log(self._stride))
        heard = torch.where(torch.arange(WINDOW_FRAMES, device=states.device) < count, 0.0, -math.inf)
        self._mask[: len(states), 0, 0] = torch.cat([tail, heard], 1).to(self._mask.dtype)

    def _write(self, states: Tensor, first: int) -> None:
        rows, frames, _ = states.shape
        for index, layer in enumerate(self.layers):
            k, v = layer.cross_kv(states.flatten(0, 1)).view(rows, frames, 2, self.heads, -1).unbind(2)
            self._audio.kv[index, 0, :rows, first : first + frames], self._audio.kv[index, 1, :rows, first : first + frames] = k, v

    def embedded(self, ids: Tensor, spans: Spans, slots: Tensor) -> Tensor:
        """Packed ids [N] -> [N, D], positions added."""
        return self._embedding[ids] + self._positions[spans.position.clamp_max(len(self._positions) - 1)]

    def run(self, x: Tensor, spans: Spans, keys: int, asked: Tensor) -> tuple[Tensor, Tensor]:
        """Units are encoder frames."""
        batch, scores, heard = len(spans.padded), [], self._silent + self.variant
        mask = self.cache.mask(spans, keys, 1, x.dtype)
        for index, layer in enumerate(self.layers):
            q, k, v = layer.qkv(layer.self_norm(x)).view(len(x), 3, self.heads, -1).unbind(1)
            self.cache.write(index, spans, k, v)
            x = x + layer.self_out(attend_padded(q, *self.cache.read(index, batch, keys), mask, spans))
            q = layer.cross_q(layer.cross_norm(x)).view(len(x), self.heads, -1)
            k, v = self._audio.read(index, batch, heard)
            x = x + layer.cross_out(attend_padded(q, k, v, self._mask[:batch, :, :, :heard], spans))
            x = x + layer.feed_forward(x)
            if index in self._aligned:
                scores.append(self._alignment(q[asked], k[:, self._silent :], self._aligned[index]))
        return self._norm(x), torch.cat(scores)

    def _alignment(self, q: Tensor, k: Tensor, heads: Tensor) -> Tensor:
        """Queries [B, W, H, d], keys [B, S, H, d] -> scores float32[heads, B, W, S]."""
        scores: Tensor = torch.einsum("bwhd,bshd->hbws", q.index_select(2, heads), k.index_select(2, heads)).float() * self._scale
        return scores

    def vocabulary(self, hidden: Tensor) -> Tensor:
        """Hidden states [N, D] -> logits float32[N, V]."""
        return F.linear(hidden, self._embedding).float()
