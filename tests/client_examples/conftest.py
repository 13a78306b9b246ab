from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import soundfile

from tests.client_examples.programs import FOLDER
from tests.server.conftest import serve

sys.path.append(str(FOLDER))  # where a program finds its helpers

__all__ = ["serve"]  # a fixture

BLOCK = 1_600  # bytes: 50 ms
ASOUND = """
pcm.nothing {{ type null }}
pcm.speaker {{
  type file
  slave.pcm "nothing"
  file "/dev/null"
  infile "{fifo}"
  format "raw"
}}
pcm.!default {{ type plug slave.pcm speaker }}
"""

Speaker = Callable[[Path], Iterator[dict[str, str]]]


@contextmanager
def _speaking(folder: Path, recording: Path) -> Iterator[dict[str, str]]:
    """ALSA's default microphone hears a recording, at twice its pace, then silence; gives the environment of the listener."""
    fifo, asound, is_over = folder / "microphone", folder / "asound.conf", threading.Event()
    os.mkfifo(fifo)
    asound.write_text(ASOUND.format(fifo=fifo))
    sound, rate = soundfile.read(recording, dtype="int16")
    assert rate == 16_000
    pcm, end = sound.tobytes(), os.open(fifo, os.O_RDWR)  # both ends: opening never waits

    def speak() -> None:
        at = 0
        while not is_over.wait(0.025):
            os.write(end, pcm[at : at + BLOCK].ljust(BLOCK, b"\0"))
            at += BLOCK

    speaker = threading.Thread(target=speak)
    speaker.start()
    try:
        yield {"ALSA_CONFIG_PATH": str(asound)}
    finally:
        is_over.set()
        os.set_blocking(end, False)
        speaker.join(30)
        os.close(end)


@pytest.fixture
def microphone_hears(tmp_path: Path) -> Speaker:
    """A real PortAudio whose microphone is a recording."""
    try:
        import sounddevice  # noqa: F401
    except OSError:
        pytest.skip("PortAudio is missing: apt-get install libportaudio2")
    return lambda recording: _speaking(tmp_path, recording)
