"""A Whisper with random weights, small enough for exact comparisons; transformers makes it and is the reference."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from transformers import WhisperConfig, WhisperForConditionalGeneration

from model.kv_cache import FrameCache, SelfCache, SilentTail
from model.whisper import configuration
from model.whisper.decoder import Decoder
from model.whisper.encoder import Encoder
from model.whisper.weights import load_weights

SIZES = {
    "d_model": 64,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 128,
    "decoder_ffn_dim": 128,
    "num_mel_bins": 80,
}
HEADS = [[0, 1], [1, 0], [1, 3]]  # for alignment
SILENCE = -0.75


def write(directory: Path, tokenizer: Path, **changes: Any) -> Path:
    """Save it, with the tokenizer of `tokenizer` (a file); the weights are always the same."""
    torch.manual_seed(7)
    config = WhisperConfig(**{**SIZES, "init_std": 0.15, **changes}, suppress_tokens=None, begin_suppress_tokens=None)
    model = WhisperForConditionalGeneration(config)
    model.model.decoder.embed_positions.weight.data *= 8  # else it says one token for ever, as its embeddings are tied
    model.generation_config.alignment_heads = HEADS
    model.save_pretrained(directory)
    shutil.copy(tokenizer, directory)
    return directory


def reference(directory: Path) -> WhisperForConditionalGeneration:
    """The same by transformers, float32, with attention that can be looked at."""
    return WhisperForConditionalGeneration.from_pretrained(directory, dtype=torch.float32, attn_implementation="eager").eval()


class Tiny:
    """Our modules with its weights."""

    def __init__(self, directory: Path, precision: str = "float32") -> None:
        self.directory = directory
        self.config = configuration.WhisperConfig.load(directory)
        weights = load_weights(directory, self.config)
        self.encoder = Encoder(weights, self.config, precision)
        self.decoder = Decoder(weights, self.config, precision)
        self.silence, self.silent_states = self.encoder.silence(SILENCE)

    def frame_cache(self, stride: int = 1) -> FrameCache:
        """For the encoder's own keys and values."""
        return FrameCache(SilentTail(self.silence, stride))

    def cross_cache(self, states: torch.Tensor, stride: int = 1) -> FrameCache:
        """For the decoder, with the keys and values of states [n, D]."""
        cache = FrameCache(SilentTail(self.decoder.project(self.silent_states), stride))
        self.decoder.remember(cache, 0, states)
        return cache

    def self_cache(self) -> SelfCache:
        """For the decoder's own keys and values."""
        c = self.config
        return SelfCache(
            c.decoder_layers, c.decoder_attention_heads, c.max_target_positions, c.d_model // c.decoder_attention_heads
        )


def edit_json(path: Path, **changes: Any) -> None:
    """Change keys of a JSON object in a file; None removes one."""
    content = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))
