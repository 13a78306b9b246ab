"""GLM-ASR's parameters: names and shapes, in both layouts that are published."""

from __future__ import annotations

import re
from pathlib import Path

from model.checkpoint import BadCheckpoint, Checkpoint
from model.glm_asr.configuration import INTERLEAVED, MERGED_FRAMES, EncoderConfig, GlmAsrConfig, LanguageModelConfig

Shapes = dict[str, tuple[int, ...]]

OUTPUT, EMBEDDING = "lm_head.weight", "language_model.embed_tokens.weight"
_OLD = re.compile(r"audio_encoder\.|audio_tower\.layers\.\d+\.self_attn\.out_proj\.|audio_tower\.layer_norm\.")
_RENAMED = (("model.", ""), ("language_model.lm_head.", "lm_head."), ("language_model.model.", "language_model."))
_UNUSED = "audio_tower.embed_positions.weight"  # left over from Whisper; the encoder is rotary


def open_weights(directory: Path, config: GlmAsrConfig) -> Checkpoint:
    """The checkpoint under the names of `expected_shapes`, checked, nothing read yet. Raises BadCheckpoint."""
    checkpoint = Checkpoint(directory, canonical, ignored=(_UNUSED,))
    old = next((name for name in checkpoint.shapes if _OLD.match(name)), None)
    if old:
        raise BadCheckpoint(f"{directory}: tensor {old} shows {INTERLEAVED}")
    expected = expected_shapes(config)
    if OUTPUT not in checkpoint.shapes and config.is_tied:
        del expected[OUTPUT]
    checkpoint.check(expected)
    return checkpoint


def canonical(name: str) -> str:
    """The name without what differs between the layouts: those of transformers 5 begin with "model."."""
    for old, new in _RENAMED:
        if name.startswith(old):
            name = new + name.removeprefix(old)
    return name


def expected_shapes(c: GlmAsrConfig) -> Shapes:
    """Every parameter of a GLM-ASR of this size."""
    merged, width = MERGED_FRAMES * c.audio.hidden_size, c.text.hidden_size
    shapes = _encoder(c.audio) | _linear("multi_modal_projector.linear_1", 2 * width, merged)
    shapes |= _linear("multi_modal_projector.linear_2", width, 2 * width)
    return shapes | _language_model(c.text)


def _encoder(c: EncoderConfig) -> Shapes:
    width = c.hidden_size
    shapes: Shapes = {
        "audio_tower.conv1.weight": (width, c.num_mel_bins, 3),
        "audio_tower.conv1.bias": (width,),
        "audio_tower.conv2.weight": (width, width, 3),
        "audio_tower.conv2.bias": (width,),
        **_norm("audio_tower.norm", width),
    }
    for i in range(c.num_hidden_layers):
        name = f"audio_tower.layers.{i}"
        shapes |= _norm(f"{name}.input_layernorm", width) | _norm(f"{name}.post_attention_layernorm", width)
        for p in ("q_proj", "v_proj", "o_proj"):
            shapes |= _linear(f"{name}.self_attn.{p}", width, width)
        shapes[f"{name}.self_attn.k_proj.weight"] = (width, width)
        shapes |= _linear(f"{name}.mlp.fc1", c.intermediate_size, width) | _linear(f"{name}.mlp.fc2", width, c.intermediate_size)
    return shapes


def _language_model(c: LanguageModelConfig) -> Shapes:
    width, q, kv = c.hidden_size, c.num_attention_heads * c.head_dim, c.num_key_value_heads * c.head_dim
    shapes: Shapes = {EMBEDDING: (c.vocab_size, width), "language_model.norm.weight": (width,), OUTPUT: (c.vocab_size, width)}
    for i in range(c.num_hidden_layers):
        name = f"language_model.layers.{i}"
        shapes |= {f"{name}.{p}.weight": (width,) for p in ("input_layernorm", "post_attention_layernorm")}
        sizes = {"q_proj": (q, width), "k_proj": (kv, width), "v_proj": (kv, width), "o_proj": (width, q)}
        shapes |= {f"{name}.self_attn.{p}.weight": size for p, size in sizes.items()}
        shapes |= {f"{name}.mlp.{p}_proj.weight": (c.intermediate_size, width) for p in ("gate", "up")}
        shapes[f"{name}.mlp.down_proj.weight"] = (width, c.intermediate_size)
    return shapes


def _linear(name: str, outputs: int, inputs: int) -> Shapes:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}
