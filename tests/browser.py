"""The real browser of bench/browser.py; a test that wants it is skipped where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext

from bench import browser


@contextmanager
def chromium(sound: Path | None = None, **options: object) -> Iterator[BrowserContext]:
    """As there."""
    if browser.program() is None:
        pytest.skip("Chromium is missing: apt-get install chromium")
    with browser.chromium(sound, **options) as context:
        yield context
