"""The browser page in Chromium, as a person uses it: with the keyboard, and a talk in the microphone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from bench.live import Server
from tests.browser import chromium
from tests.client_examples.outside import ALLOWED, EXAMPLES, NOWHERE, error_rate
from tests.server.conftest import Serve, serve  # noqa: F401

PAGE = EXAMPLES / "browser" / "index.html"
PATIENCE_MS = 60_000
# Notes what the page shows, in order, each time that it changes.
WATCH = """
  window.seen = [];
  const look = () => seen.push([finals.innerText, stable.innerText, unstable.innerText]);
  for (const each of [finals, stable, unstable]) new MutationObserver(look).observe(each, { childList: true, characterData: true });
"""


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[str]:
    """The page on a web server of its own, as the file says."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=str(PAGE.parent))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def fill(page: Page, url: str, key: str = "") -> None:
    """Found by their labels, as a screen reader finds them."""
    page.get_by_label("Server").fill(url)
    page.get_by_label("API key").fill(key)
    page.get_by_label("Language").fill("en")


def speak(page: Page, sentences: int) -> str:
    """Start with Enter in a field, stop with the keyboard as well once so many finals are there; the text."""
    page.evaluate(WATCH)
    page.get_by_label("Language").press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Listening", timeout=PATIENCE_MS)
    expect(page.locator("#finals p").nth(sentences - 1)).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_role("button", name="Stop").press("Enter")
    expect(page.get_by_role("button", name="Start")).to_be_enabled(timeout=PATIENCE_MS)
    assert page.get_by_role("alert").inner_text() == ""
    return page.get_by_role("log", name="Transcript").inner_text()


def test_a_talk(live: Server, talk_opening: tuple[Path, str], site: str):
    with chromium(talk_opening[0]) as browser:
        page = browser.new_page()
        page.goto(site)
        fill(page, live.url)
        assert error_rate(talk_opening[1], speak(page, sentences=3)) <= ALLOWED
        seen = page.evaluate("seen")
    assert any(stable or unstable for finals, stable, unstable in seen if not finals), "partials come before the first final"
    assert any(stable and unstable for _, stable, unstable in seen)
    assert seen[-1][1:] == ["", ""]


def test_from_disk_with_the_origin_that_browsers_give_files(serve: Serve, talk_opening: tuple[Path, str]):  # noqa: F811
    with chromium(talk_opening[0]) as browser:
        page = browser.new_page()
        page.goto(PAGE.as_uri())
        fill(page, serve(allow_origin=("null",)).url())
        assert speak(page, sentences=1)


def test_what_goes_wrong_is_said(serve: Serve, site: str):  # noqa: F811
    running = serve(keys=(b"right",))
    with chromium() as browser:
        page = browser.new_page()
        for url, key, address, says in [
            (NOWHERE, "", site, "No server answers"),
            (running.url(), "wrong", site, "is the key right"),
            (running.url(), "right", PAGE.as_uri(), "allow-origin null"),
        ]:
            page.goto(address)
            fill(page, url, key)
            page.get_by_role("button", name="Start").click()
            expect(page.get_by_role("alert")).to_contain_text(says)
            expect(page.get_by_role("button", name="Start")).to_be_enabled()


def test_what_the_server_does_not_know_is_said(live: Server, site: str):
    with chromium() as browser:
        page = browser.new_page()
        page.goto(site)
        fill(page, live.url)
        page.get_by_label("Language").fill("klingon")
        page.get_by_role("button", name="Start").click()
        expect(page.get_by_role("alert")).to_contain_text("klingon")


def test_start_and_stop_again_and_again(serve: Serve, site: str):  # noqa: F811
    running = serve()
    with chromium() as browser:
        page = browser.new_page()
        page.goto(site)
        fill(page, running.url())
        for _ in range(3):
            page.get_by_role("button", name="Start").click()
            expect(page.get_by_role("status")).to_contain_text("Listening")
            page.get_by_role("button", name="Stop").click()
            expect(page.get_by_role("status")).to_contain_text("Press Start")
        assert page.get_by_role("alert").inner_text() == ""
    assert running.service.metrics.registry.get_sample_value("stenoline_sessions_closed_total", {"code": "1000"}) == 3


def test_without_access_to_microphones_it_says_what_to_do(site: str):
    with chromium() as browser:
        page = browser.new_page()
        for error, says in [
            ("NotAllowedError", "allow it"),
            ("NotFoundError", "connect one"),
            ("NotReadableError", "another program"),
        ]:
            page.goto(site)
            page.evaluate(f"navigator.mediaDevices.getUserMedia = async () => {{ throw new DOMException('no', '{error}') }}; 0")
            page.get_by_role("button", name="Start").click()
            expect(page.get_by_role("alert")).to_contain_text(says)
