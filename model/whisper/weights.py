"""Whisper's parameters: names and shapes, and loading them from a directory."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, equal

from model.checkpoint import BadCheckpoint, Checkpoint, check, in_float32, read_tensors
from model.whisper.configuration import WhisperConfig

_EMBEDDING, _OUTPUT = "decoder.embed_tokens.weight", "proj_out.weight"

Shapes = dict[str, tuple[int, ...]]


def load_weights(directory: Path, config: WhisperConfig) -> dict[str, Tensor]:
    """Float32 tensors by Hugging Face name without the leading "model.". Raises BadCheckpoint."""
    tensors = {name.removeprefix("model."): tensor for name, tensor in read_tensors(directory).items()}
    output = tensors.pop(_OUTPUT, None)
    if output is not None and not equal(output, tensors.get(_EMBEDDING, output)):
        raise BadCheckpoint(f"{directory}: {_OUTPUT} differs from {_EMBEDDING}; Whisper ties the two")
    check(tensors, expected_shapes(config), directory)
    return in_float32(tensors)


def open_weights(directory: Path, config: WhisperConfig) -> Checkpoint:
    """The checkpoint under the same names, checked, nothing read yet. Raises BadCheckpoint."""
    checkpoint = Checkpoint(directory, lambda name: name.removeprefix("model."), ignored=(_OUTPUT,))
    checkpoint.check(expected_shapes(config))
    return checkpoint


def expected_shapes(c: WhisperConfig) -> Shapes:
    """Every parameter of a Whisper of this size."""
    width = c.d_model
    shapes: Shapes = {
        "encoder.conv1.weight": (width, c.num_mel_bins, 3),
        "encoder.conv1.bias": (width,),
        "encoder.conv2.weight": (width, width, 3),
        "encoder.conv2.bias": (width,),
        "encoder.embed_positions.weight": (c.max_source_positions, width),
        _EMBEDDING: (c.vocab_size, width),
        "decoder.embed_positions.weight": (c.max_target_positions, width),
        **_norm("encoder.layer_norm", width),
        **_norm("decoder.layer_norm", width),
    }
    for i in range(c.encoder_layers):
        shapes |= _layer(f"encoder.layers.{i}", width, c.encoder_ffn_dim, ("self_attn",))
    for i in range(c.decoder_layers):
        shapes |= _layer(f"decoder.layers.{i}", width, c.decoder_ffn_dim, ("self_attn", "encoder_attn"))
    return shapes


def _layer(name: str, width: int, ffn: int, attentions: tuple[str, ...]) -> Shapes:
    shapes: Shapes = {
        f"{name}.fc1.weight": (ffn, width),
        f"{name}.fc1.bias": (ffn,),
        f"{name}.fc2.weight": (width, ffn),
        f"{name}.fc2.bias": (width,),
        **_norm(f"{name}.final_layer_norm", width),
    }
    for attention in attentions:
        shapes |= _norm(f"{name}.{attention}_layer_norm", width)
        shapes |= {f"{name}.{attention}.{p}.weight": (width, width) for p in ("q_proj", "k_proj", "v_proj", "out_proj")}
        shapes |= {f"{name}.{attention}.{p}.bias": (width,) for p in ("q_proj", "v_proj", "out_proj")}
    return shapes


def _norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}
