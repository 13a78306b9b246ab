"""GLM-ASR's modules with the weights of a checkpoint: encoder, projector, language model."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from model.audio_encoder import AudioEncoder, AudioEncoderLayer, Convolutions, LayerNames
from model.checkpoint import Checkpoint
from model.glm_asr.configuration import MERGED_FRAMES, GlmAsrConfig
from model.glm_asr.language_model import LanguageModel
from model.glm_asr.tokenizer import GlmAsrTokenizer
from model.glm_asr.weights import open_weights
from model.linear import FloatLinear, Norm
from model.rotary import Rotary

_NAMES = LayerNames("input_layernorm", "o_proj", "post_attention_layernorm", "mlp.fc1", "mlp.fc2")


class Projector:
    """Four encoder states side by side → one audio token's embedding."""

    def __init__(self, checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype) -> None:
        name = "multi_modal_projector"
        weights = checkpoint.read(checkpoint.under(name), device, dtype)
        self._one, self._two = (
            FloatLinear(weights[f"{name}.linear_{i}.weight"], weights[f"{name}.linear_{i}.bias"]) for i in (1, 2)
        )

    def __call__(self, states: Tensor) -> Tensor:
        """[4 * M, D] -> [M, D of the language model]."""
        return self._two(F.gelu(self._one(states.reshape(len(states) // MERGED_FRAMES, -1))))


class GlmAsr:
    """Everything that has weights. Raises BadCheckpoint."""

    def __init__(self, directory: Path, device: torch.device, dtype: torch.dtype) -> None:
        self.config = c = GlmAsrConfig.load(directory)
        self.tokenizer = GlmAsrTokenizer.load(directory, c)
        self.device, self.dtype = device, dtype
        checkpoint = open_weights(directory, c)
        self.rotary = self._rotary()
        self.encoder = self._encoder(checkpoint)
        self.projector = Projector(checkpoint, device, dtype)
        self.language_model = LanguageModel(checkpoint, c.text, c.alignment_heads, device, dtype)

    def _rotary(self) -> Rotary:
        a = self.config.audio
        width = int(a.hidden_size // a.num_attention_heads * a.partial_rotary_factor)
        return Rotary(width, a.rope_theta, a.max_position_embeddings, self.device, self.dtype)

    def _encoder(self, checkpoint: Checkpoint) -> AudioEncoder:
        a, names = self.config.audio, [f"audio_tower.layers.{i}" for i in range(self.config.audio.num_hidden_layers)]
        layers = [AudioEncoderLayer(checkpoint.read(checkpoint.under(n), self.device, self.dtype), n, _NAMES) for n in names]
        outer = [n for part in ("conv1", "conv2", "norm") for n in checkpoint.under(f"audio_tower.{part}")]
        weights = checkpoint.read(outer, self.device, self.dtype)
        stem, norm = Convolutions(weights, "audio_tower"), Norm(weights, "audio_tower.norm")
        return AudioEncoder(stem, layers, norm, a.num_attention_heads, rotary=self.rotary)
