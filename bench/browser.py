"""The system's Chromium, without a screen, driven by playwright; its microphone is a sound file."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import soundfile
from playwright.sync_api import BrowserContext, sync_playwright

PROGRAMS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


def program() -> str | None:
    """Where it is, if it is there."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


@contextmanager
def chromium(sound: Path | None = None, **options: object) -> Iterator[BrowserContext]:
    """A browser with a profile of its own that goes with it; without a sound its microphone beeps, with one it plays that once.

    The sound starts when a page asks for the microphone, and silence follows it. `options` are playwright's for contexts.
    Raises FileNotFoundError where no Chromium is installed.
    """
    path = program()
    if path is None:
        raise FileNotFoundError("Chromium is missing: apt-get install chromium")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch_persistent_context(
            Path(folder) / "profile", executable_path=path, args=[*ARGUMENTS, *_microphone(sound, Path(folder))], **options
        )
        try:
            yield browser
        finally:
            browser.close()


def _microphone(sound: Path | None, folder: Path) -> list[str]:
    """Chromium reads 16-bit WAV only."""
    fake = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    if sound is None:
        return fake
    soundfile.write(folder / "microphone.wav", *soundfile.read(sound, dtype="int16"))
    return [*fake, f"--use-file-for-fake-audio-capture={folder / 'microphone.wav'}%noloop"]
