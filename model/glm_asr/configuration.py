"""GLM-ASR's configuration, read from the files of a Hugging Face style directory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.checkpoint import BadCheckpoint, read_json

_OLD = ("whisper_config", "lm_config", "adapter_type")
MERGED_FRAMES = 4  # encoder frames that make one audio token

INTERLEAVED = (
    "an old checkpoint whose rotary weights are interleaved; it would load and speak nonsense. "
    "Expected GLM-ASR in the layout for transformers 5 (published since 27 December 2025)"
)


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """Of the audio tower; names as in config.json."""

    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_mel_bins: int
    max_position_embeddings: int
    rope_theta: float
    partial_rotary_factor: float


@dataclass(frozen=True, slots=True)
class LanguageModelConfig:
    """Of the text part; names as in config.json."""

    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    vocab_size: int
    max_position_embeddings: int
    head_dim: int
    rms_norm_eps: float
    rope_theta: float


@dataclass(frozen=True, slots=True)
class GlmAsrConfig:
    """Sizes and ids."""

    audio: EncoderConfig
    text: LanguageModelConfig
    audio_token_id: int
    eos_token_ids: tuple[int, ...]
    is_tied: bool  # only if the checkpoint has no output matrix of its own
    alignment_heads: tuple[tuple[int, int], ...]  # (layer, head) of the text part; none: word times are interpolated

    @classmethod
    def load(cls, directory: Path) -> GlmAsrConfig:
        """Read config.json and, where there is one, generation_config.json. Raises BadCheckpoint."""
        config, generation = read_json(directory / "config.json"), read_json(directory / "generation_config.json", required=False)
        where = f"{directory}/config.json"
        if any(name in config for name in _OLD):
            raise BadCheckpoint(f"{where}: {INTERLEAVED}")
        if config.get("model_type") != "glmasr":
            raise BadCheckpoint(f"{where}: model_type is {config.get('model_type')!r}, expected 'glmasr'")
        audio, text = _section(config, "audio_config", where), _section(config, "text_config", where)
        _expect_plain(audio, text, where)
        return cls(
            audio=_encoder(audio, where),
            text=_language_model(text, where),
            audio_token_id=_number(config, "audio_token_id", where),
            eos_token_ids=_ends(generation.get("eos_token_id", text.get("eos_token_id")), where),
            is_tied=bool(config.get("tie_word_embeddings", True)),
            alignment_heads=_alignment_heads(generation.get("alignment_heads"), text, directory),
        )


def _section(config: Mapping[str, Any], name: str, where: str) -> Mapping[str, Any]:
    section = config.get(name)
    if not isinstance(section, dict):
        raise BadCheckpoint(f"{where}: {name} is missing, expected an object")
    return section


def _number(section: Mapping[str, Any], name: str, where: str) -> int:
    value = section.get(name)
    if type(value) is not int or value <= 0:
        raise BadCheckpoint(f"{where}: {name} is {value!r}, expected a whole number above 0")
    return value


def _numbers(section: Mapping[str, Any], names: tuple[str, ...], where: str) -> dict[str, int]:
    return {name: _number(section, name, where) for name in names}


_SIZES = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "max_position_embeddings")


def _encoder(audio: Mapping[str, Any], where: str) -> EncoderConfig:
    sizes = _numbers(audio, (*_SIZES, "num_mel_bins"), where)
    rope = audio.get("rope_parameters") or {}
    factor = rope.get("partial_rotary_factor", audio.get("partial_rotary_factor", 0.5))
    if sizes["intermediate_size"] != MERGED_FRAMES * sizes["hidden_size"]:
        raise BadCheckpoint(f"{where}: audio intermediate_size is {sizes['intermediate_size']}, expected 4 times hidden_size")
    return EncoderConfig(**sizes, rope_theta=float(rope.get("rope_theta", 10_000.0)), partial_rotary_factor=float(factor))


def _language_model(text: Mapping[str, Any], where: str) -> LanguageModelConfig:
    sizes = _numbers(text, (*_SIZES, "num_key_value_heads", "vocab_size"), where)
    width = text.get("head_dim") or sizes["hidden_size"] // sizes["num_attention_heads"]
    theta = (text.get("rope_parameters") or {}).get("rope_theta", text.get("rope_theta", 10_000.0))
    return LanguageModelConfig(
        **sizes, head_dim=int(width), rms_norm_eps=float(text.get("rms_norm_eps", 1e-5)), rope_theta=float(theta)
    )


def _expect_plain(audio: Mapping[str, Any], text: Mapping[str, Any], where: str) -> None:
    """What the modules here compute, and nothing else."""
    found = {
        "audio hidden_act": (audio.get("hidden_act", "gelu"), "gelu"),
        "text hidden_act": (text.get("hidden_act", "silu"), "silu"),
        "text model_type": (text.get("model_type", "llama"), "llama"),
        "text attention_bias": (text.get("attention_bias", False), False),
        "audio rope_type": ((audio.get("rope_parameters") or {}).get("rope_type", "default"), "default"),
        "text rope_type": ((text.get("rope_parameters") or {}).get("rope_type", "default"), "default"),
    }
    odd = [f"{name} is {value!r}, expected {expected!r}" for name, (value, expected) in found.items() if value != expected]
    heads = (audio.get("num_attention_heads"), audio.get("num_key_value_heads"))
    if heads[1] not in (None, heads[0]):
        odd.append(f"audio num_key_value_heads is {heads[1]}, expected {heads[0]}")
    if odd:
        raise BadCheckpoint(f"{where}: {'; '.join(odd)}")


def _ends(given: Any, where: str) -> tuple[int, ...]:
    ids = [given] if isinstance(given, int) else given
    if not isinstance(ids, list) or not ids or not all(isinstance(i, int) for i in ids):
        raise BadCheckpoint(f"{where}: eos_token_id is {given!r}, expected one or several ids")
    return tuple(ids)


def _alignment_heads(given: Any, text: Mapping[str, Any], directory: Path) -> tuple[tuple[int, int], ...]:
    layers, heads = text["num_hidden_layers"], text["num_attention_heads"]
    there = {(layer, head) for layer in range(layers) for head in range(heads)}
    pairs = tuple(tuple(pair) for pair in given) if isinstance(given, list) and all(isinstance(p, list) for p in given) else given
    if pairs is None or (isinstance(pairs, tuple) and there.issuperset(pairs)):
        return tuple(sorted(pairs or ()))
    raise BadCheckpoint(
        f"{directory}/generation_config.json: alignment_heads is {given}, expected [layer, head] pairs of {layers} x {heads}"
    )
