"""Whisper's configuration, read from the files of a Hugging Face style directory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.checkpoint import BadCheckpoint, read_json

_REQUIRED = (
    "d_model",
    "encoder_layers",
    "decoder_layers",
    "encoder_attention_heads",
    "decoder_attention_heads",
    "encoder_ffn_dim",
    "decoder_ffn_dim",
    "max_source_positions",
    "max_target_positions",
    "num_mel_bins",
    "vocab_size",
)


@dataclass(frozen=True, slots=True)
class WhisperConfig:
    """Sizes and ids; names as in config.json and generation_config.json."""

    d_model: int
    encoder_layers: int
    decoder_layers: int
    encoder_attention_heads: int
    decoder_attention_heads: int
    encoder_ffn_dim: int
    decoder_ffn_dim: int
    max_source_positions: int
    max_target_positions: int
    num_mel_bins: int
    vocab_size: int
    is_multilingual: bool
    suppress_tokens: tuple[int, ...]
    begin_suppress_tokens: tuple[int, ...]
    alignment_heads: tuple[tuple[int, int], ...]

    @classmethod
    def load(cls, directory: Path) -> WhisperConfig:
        """Read config.json and, where there is one, generation_config.json. Raises BadCheckpoint."""
        config, generation = read_json(directory / "config.json"), read_json(directory / "generation_config.json", required=False)
        kind = config.get("model_type")
        if kind != "whisper":
            raise BadCheckpoint(f"{directory}/config.json: model_type is {kind!r}, expected 'whisper'")
        missing = [name for name in _REQUIRED if type(config.get(name)) is not int]
        if missing:
            raise BadCheckpoint(f"{directory}/config.json: {', '.join(missing)} missing or not a whole number")
        both = {**config, **generation}
        return cls(
            **{name: config[name] for name in _REQUIRED},
            is_multilingual=bool(generation.get("is_multilingual", config["vocab_size"] >= 51865)),
            suppress_tokens=tuple(t for t in both.get("suppress_tokens") or () if t >= 0),
            begin_suppress_tokens=tuple(both.get("begin_suppress_tokens") or ()),
            alignment_heads=_alignment_heads(generation, config),
        )


def _alignment_heads(generation: dict[str, Any], config: dict[str, Any]) -> tuple[tuple[int, int], ...]:
    """As given, else every head of the upper half of the decoder, as openai/whisper does for unknown models."""
    layers, heads = config["decoder_layers"], config["decoder_attention_heads"]
    there = [(layer, head) for layer in range(layers) for head in range(heads)]
    given = generation.get("alignment_heads")
    if not given:
        return tuple(each for each in there if each[0] >= layers // 2)
    found = tuple(each for each in there if list(each) in given) if isinstance(given, list) else ()
    if len(found) != len(given):
        raise BadCheckpoint(
            f"generation_config.json: alignment_heads is {given}, expected [layer, head] pairs of {layers} x {heads}"
        )
    return found
