"""CTranslate2's Whisper variables → Hugging Face names; fused projections are taken apart again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.ctranslate2 import BadModelFile, Ctranslate2Model

Arrays = dict[str, NDArray[Any]]

_TOP = {
    "decoder/embeddings/weight": "decoder.embed_tokens.weight",
    "decoder/position_encodings/encodings": "decoder.embed_positions.weight",
    "encoder/position_encodings/encodings": "encoder.embed_positions.weight",
}
_SETTINGS = {
    "activation",
    "alibi",
    "alignment_heads",
    "alignment_layer",
    "num_heads",
    "pre_norm",
    "scale_embeddings",
    "start_from_zero_embedding",
}
_NORMS = {"gamma": "weight", "beta": "bias"}


def hugging_face_tensors(model: Ctranslate2Model) -> Arrays:
    """Every tensor of `model` under its Hugging Face name. Raises BadModelFile for one that has no place."""
    if model.spec != "WhisperSpec":
        raise BadModelFile(f"specification is {model.spec}, expected WhisperSpec")
    found: Arrays = {}
    for name, array in model.variables.items():
        if name.rsplit("/", 1)[-1] not in _SETTINGS:
            found.update(_placed(name, array))
    return found


def _placed(name: str, array: NDArray[Any]) -> Iterator[tuple[str, NDArray[Any]]]:
    if name in _TOP:
        yield _TOP[name], array
        return
    match name.split("/"):
        case [stack, conv, kind] if conv.startswith("conv"):
            yield f"{stack}.{conv}.{kind}", array
        case [stack, "layer_norm", kind] if kind in _NORMS:
            yield f"{stack}.layer_norm.{_NORMS[kind]}", array
        case [stack, layer, block, part, kind] if (block, part) in _BLOCKS:
            yield from _in_layer(f"{stack}.layers.{layer.removeprefix('layer_')}", _BLOCKS[block, part], kind, array, name)
        case _:
            raise BadModelFile(f"{name}: no such parameter in Whisper")


_BLOCKS: dict[tuple[str, str], tuple[str, ...]] = {
    ("self_attention", "linear_0"): ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    ("self_attention", "linear_1"): ("self_attn.out_proj",),
    ("self_attention", "layer_norm"): ("self_attn_layer_norm",),
    ("attention", "linear_0"): ("encoder_attn.q_proj",),
    ("attention", "linear_1"): ("encoder_attn.k_proj", "encoder_attn.v_proj"),
    ("attention", "linear_2"): ("encoder_attn.out_proj",),
    ("attention", "layer_norm"): ("encoder_attn_layer_norm",),
    ("ffn", "linear_0"): ("fc1",),
    ("ffn", "linear_1"): ("fc2",),
    ("ffn", "layer_norm"): ("final_layer_norm",),
}


def _in_layer(
    layer: str, targets: tuple[str, ...], kind: str, array: NDArray[Any], name: str
) -> Iterator[tuple[str, NDArray[Any]]]:
    if len(array) % len(targets):
        raise BadModelFile(f"{name}: {len(array)} rows, expected a multiple of {len(targets)}")
    for target, piece in zip(targets, np.split(array, len(targets)), strict=True):
        if target.endswith("k_proj") and kind == "bias":
            _check_zero(name, piece)
        else:
            yield f"{layer}.{target}.{_NORMS.get(kind, kind)}", piece


def _check_zero(name: str, bias: NDArray[Any]) -> None:
    if np.any(bias):
        raise BadModelFile(f"{name}: the keys have a bias, but Whisper's keys have none")
