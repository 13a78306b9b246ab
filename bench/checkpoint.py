"""Writes a complete GLM-ASR (or Whisper) checkpoint with random weights: `python -m bench.checkpoint DIR --size tiny`.

Such a model hears nothing; it stands in where the published weights cannot be had. The tokenizer has the published layout
(bytes first, special tokens at their published ids), with vocabulary of its own, so what it says can be read.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor

from model.glm_asr.configuration import EncoderConfig, GlmAsrConfig, LanguageModelConfig
from model.glm_asr.weights import OUTPUT, expected_shapes

EOS = (59246, 59253, 59255)
SPECIAL = {
    59246: "<|endoftext|>",
    59252: "<|system|>",
    59253: "<|user|>",
    59254: "<|assistant|>",
    59255: "<|observation|>",
    59260: "<|pad|>",
    59261: "<|begin_of_audio|>",
    59262: "<|end_of_audio|>",
}
_VOCAB, _FIRST_SPECIAL = 59264, 59246
PROMPT = "Please transcribe this audio into text"

FULL = GlmAsrConfig(
    audio=EncoderConfig(1280, 5120, 32, 20, 128, 1500, 10_000.0, 0.5),
    text=LanguageModelConfig(2048, 6144, 28, 16, 4, _VOCAB, 8192, 128, 1e-5, 10_000.0),
    audio_token_id=59260,
    eos_token_ids=EOS,
    is_tied=False,
    alignment_heads=(),
)
TINY = replace(
    FULL,
    audio=EncoderConfig(64, 256, 3, 4, 128, 1500, 10_000.0, 0.5),
    text=LanguageModelConfig(64, 128, 3, 4, 2, _VOCAB, 8192, 16, 1e-5, 10_000.0),
    alignment_heads=((1, 0), (2, 3)),
)
SIZES = {"tiny": TINY, "full": FULL}

_TEMPLATE = """{%- for message in messages -%}
{%- if message.role == "user" -%}<|user|>
{% for part in message.content -%}
{%- if part.type == "audio" -%}<|begin_of_audio|><|pad|><|end_of_audio|>
{%- else -%}<|user|>
{{ part.text }}{%- endif -%}
{%- endfor -%}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}<|assistant|>
{% endif -%}"""


def write(directory: Path, config: GlmAsrConfig = TINY, *, seed: int = 7, dtype: torch.dtype = torch.float32) -> Path:
    """All files of a checkpoint; the same ones for the same arguments."""
    directory.mkdir(parents=True, exist_ok=True)
    save_file(dict(random_weights(config, seed, dtype)), directory / "model.safetensors", {"format": "pt"})
    for name, content in _documents(config).items():
        (directory / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    (directory / "chat_template.jinja").write_text(_TEMPLATE, encoding="utf-8")
    tokenizer().save(str(directory / "tokenizer.json"))
    return directory


def write_size(directory: Path, size: str) -> Path:
    """One of ALL_SIZES, large ones in bfloat16."""
    if size in SIZES:
        return write(directory, SIZES[size], dtype=torch.bfloat16 if size == "full" else torch.float32)
    return write_whisper(directory, WHISPER[size])


def random_weights(c: GlmAsrConfig, seed: int = 7, dtype: torch.dtype = torch.float32) -> Iterator[tuple[str, Tensor]]:
    """By published name; scaled so that activations neither vanish nor explode and one token does not win for ever."""
    generator = torch.Generator().manual_seed(seed)
    for name, shape in expected_shapes(c).items():
        published = name if name == OUTPUT else f"model.{name}"
        noise = torch.randn(shape, generator=generator)
        if len(shape) == 1:
            tensor = noise * 0.05 + (1.0 if "norm" in name and name.endswith("weight") else 0.0)
        else:
            fan_in = shape[1] * (shape[2] if len(shape) == 3 else 1)
            tensor = noise * (1.0 if "embed_tokens" in name else 1.5 * fan_in**-0.5)
        yield published, tensor.to(dtype)


def _documents(c: GlmAsrConfig) -> dict[str, Any]:
    audio = {
        "model_type": "glmasr_encoder",
        "hidden_act": "gelu",
        "rope_parameters": {"rope_theta": 10_000.0, "rope_type": "default", "partial_rotary_factor": 0.5},
        **{n: getattr(c.audio, n) for n in ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")},
        **{n: getattr(c.audio, n) for n in ("num_mel_bins", "max_position_embeddings")},
    }
    names = [f for f in LanguageModelConfig.__dataclass_fields__ if f != "rope_theta"]
    rope = {"rope_theta": 10_000.0, "rope_type": "default"}
    text = {"model_type": "llama", "eos_token_id": list(EOS), "rope_parameters": rope, **{n: getattr(c.text, n) for n in names}}
    return {
        "config.json": {
            "architectures": ["GlmAsrForConditionalGeneration"],
            "model_type": "glmasr",
            "audio_config": audio,
            "text_config": text,
            "audio_token_id": c.audio_token_id,
            "projector_hidden_act": "gelu",
            "tie_word_embeddings": c.is_tied,
        },
        "generation_config.json": {"eos_token_id": list(EOS), "alignment_heads": [list(pair) for pair in c.alignment_heads]},
        "processor_config.json": {
            "processor_class": "GlmAsrProcessor",
            "audio_token": "<|pad|>",
            "default_transcription_prompt": PROMPT,
            "max_audio_len": 655,
            "feature_extractor": _FEATURES,
        },
        "preprocessor_config.json": _FEATURES,
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "eos_token": "<|endoftext|>",
            "pad_token": "<|endoftext|>",
            "model_max_length": 65536,
        },
    }


_FEATURES = {
    "feature_extractor_type": "WhisperFeatureExtractor",
    "feature_size": 128,
    "sampling_rate": 16_000,
    "hop_length": 160,
    "n_fft": 400,
    "chunk_length": 30,
    "padding_side": "right",
    "padding_value": 0.0,
    "return_attention_mask": True,
}


WHISPER = {
    "whisper-tiny-2": (64, 2, 4, 80),
    "whisper-base": (512, 6, 8, 80),
    "whisper-small": (768, 12, 12, 80),
    "whisper-large-v3": (1280, 32, 20, 128),
}  # width, layers, heads, mels
ALL_SIZES = (*SIZES, *WHISPER)


def write_whisper(directory: Path, size: tuple[int, int, int, int], seed: int = 7) -> Path:
    """A Whisper with random weights, made by transformers; the tokenizer has the published special tokens."""
    from transformers import WhisperConfig, WhisperForConditionalGeneration
    from transformers.models.whisper.tokenization_whisper import LANGUAGES

    width, layers, heads, mels = size
    torch.manual_seed(seed)
    config = WhisperConfig(
        d_model=width,
        encoder_layers=layers,
        decoder_layers=layers,
        encoder_attention_heads=heads,
        decoder_attention_heads=heads,
        encoder_ffn_dim=4 * width,
        decoder_ffn_dim=4 * width,
        num_mel_bins=mels,
        vocab_size=51866,
        suppress_tokens=None,
        begin_suppress_tokens=None,
        bos_token_id=50257,
        eos_token_id=50257,
        pad_token_id=50257,
        decoder_start_token_id=50258,
    )
    model = WhisperForConditionalGeneration(config).to(torch.bfloat16 if width > 64 else torch.float32)
    named = dict(zip(_whisper_special(LANGUAGES), range(50257, 51866), strict=False))
    g = model.generation_config
    g._from_model_config = False  # else loading forgets what follows
    g.is_multilingual, g.no_timestamps_token_id = True, named["<|notimestamps|>"]
    g.alignment_heads = [[layers - 1, head] for head in range(min(4, heads))]
    g.lang_to_id = {f"<|{code}|>": named[f"<|{code}|>"] for code in LANGUAGES}
    g.task_to_id = {task: named[f"<|{task}|>"] for task in ("transcribe", "translate")}
    model.save_pretrained(directory)
    made = _with_vocabulary(50257)
    made.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in named])
    made.save(str(directory / "tokenizer.json"))
    return directory


def _whisper_special(languages: Iterable[str]) -> list[str]:
    tasks = ("translate", "transcribe", "startoflm", "startofprev", "nospeech", "notimestamps")
    times = (f"{i * 0.02:.2f}" for i in range(1501))
    return [f"<|{name}|>" for name in ("endoftext", "startoftranscript", *languages, *tasks, *times)]


def tokenizer() -> Tokenizer:
    """That of GLM-ASR: special tokens come last."""
    made = _with_vocabulary(_FIRST_SPECIAL)
    special = (SPECIAL.get(i, f"<|reserved_{i}|>") for i in range(_FIRST_SPECIAL, _VOCAB))
    made.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in special])
    return made


def _with_vocabulary(size: int) -> Tokenizer:
    """Byte-level BPE: ids 0 to 255 are the bytes, then words of our own text, then words never merged to."""
    merged = Tokenizer(models.BPE())
    merged.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(vocab_size=2000, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    merged.train_from_iterator([_TEXT, PROMPT], trainer)
    learned = json.loads(merged.to_str())["model"]
    words = [*_byte_letters(), *(w for w in learned["vocab"] if len(w) > 1)]
    vocab = {word: i for i, word in enumerate(words)}
    for word in _words():
        if len(vocab) == size:
            break
        vocab.setdefault(word, len(vocab))
    made = Tokenizer(models.BPE(vocab=vocab, merges=[tuple(m) for m in learned["merges"]]))
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    return made


def _byte_letters() -> list[str]:
    """The printable stand-in of each byte (GPT-2's table): itself where printable, else the next free letter from 256 on."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = itertools.count(256)
    return [chr(b) if b in printable else chr(next(others)) for b in range(256)]


def _words() -> Iterator[str]:
    """Chinese characters and made-up words with a space before them, as byte letters."""
    letters = _byte_letters()
    syllables = [c + v for c in "bdfgklmnprstvz" for v in ("a", "e", "i", "o", "u")]
    spoken = (" " + "".join(each) for n in (2, 3) for each in itertools.product(syllables, repeat=n))
    chinese = (chr(code) for code in range(0x4E00, 0x9000))
    for pair in zip(chinese, spoken, strict=False):
        yield from ("".join(letters[b] for b in word.encode()) for word in pair)
    yield from ("".join(letters[b] for b in word.encode()) for word in spoken)


_TEXT = (
    "Please transcribe this audio into text. The server listens to many microphones at once and writes down what is said "
    "while it is being said. Words are shown within a second, and what is shown as stable does not change any more. "
    "LoRA and RoPE, the KV cache and CUDA_VISIBLE_DEVICES=0,1 come out as written. "
    "服务器同时听很多麦克风，一边听一边写。我们用显卡做增量编码，文字在一秒之内出现。"
)


def main() -> None:
    """Write one where the command line says."""
    parser = argparse.ArgumentParser(prog="python -m bench.checkpoint", description="Write a checkpoint with random weights.")
    parser.add_argument("directory", type=Path, metavar="DIR")
    parser.add_argument("--size", choices=ALL_SIZES, default="tiny", help="full is 4.5 GB (default: tiny)")
    options = parser.parse_args()
    print(f"wrote {write_size(options.directory, options.size)}")


if __name__ == "__main__":
    main()
