"""Pages in a real Chromium, on the real server; whatever a page reports as an error fails its test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Page

from bench.score import errors, tokens
from tests.browser import chromium
from tests.server.conftest import serve

__all__ = ["serve"]  # a fixture

Open = Callable[..., Page]


@pytest.fixture
def open_page() -> Iterator[Open]:
    """`open_page(url, sound)`: a page of a new browser whose microphone hears the sound."""
    faults: list[str] = []
    with ExitStack() as stack:

        def open(url: str, sound: Path | None = None, **options: object) -> Page:
            shape = {"bypass_csp": True, "viewport": {"width": 1280, "height": 800}, "locale": "en-GB", **options}
            page = stack.enter_context(chromium(sound, **shape)).pages[0]
            page.on("pageerror", lambda error: faults.append(str(error)))
            page.set_default_timeout(30_000)
            page.goto(url)
            return page

        yield open
    assert faults == []


def http(url: str) -> str:
    """The page's address, of a server whose socket's is given."""
    return url.replace("ws://", "http://").replace("/v1/stream", "/")


def error_rate(text: str, heard: str) -> float:
    """Of words; printed, to be seen with -s."""
    rate = errors(tokens(text), tokens(heard)) / len(tokens(text))
    print(f"word errors: {rate:.1%}")
    return rate


def until_heard(page: Page, seconds: float) -> None:
    """On the page's own clock."""
    page.wait_for_function(
        "least => { const [m, s] = document.querySelector('.figures .time').textContent.split(':'); return 60 * m + +s >= least }",
        arg=seconds,
        timeout=60_000,
    )
