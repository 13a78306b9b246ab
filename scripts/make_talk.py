"""How data/talk.flac was made: our text, spoken by piper.

pip install --constraint constraints.txt '.[bench]'
python -m scripts.make_talk
"""

from pathlib import Path

import numpy as np
import soundfile

from bench.speech import speak, voice
from model.interfaces import SAMPLE_RATE

DATA = Path(__file__).parent.parent / "data"
PAUSE_S = 0.35


def main() -> None:
    """Speak talk.txt sentence by sentence, with a pause after each."""
    joe = voice()
    text = (DATA / "talk.txt").read_text().strip()
    parts = []
    for sentence in text.replace(". ", ".\n").splitlines():
        parts += [speak(joe, sentence), np.zeros(int(PAUSE_S * SAMPLE_RATE), np.float32)]
    soundfile.write(DATA / "talk.flac", np.concatenate(parts), SAMPLE_RATE, subtype="PCM_16")


if __name__ == "__main__":
    main()
