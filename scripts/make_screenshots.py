"""How docs/images/ was made: each view of the page in a real Chromium, light and dark, on a desktop and on a phone.

pip install --constraint constraints.txt '.[dev]'
python -m scripts.make_screenshots
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from playwright.sync_api import Page

from bench.browser import chromium
from bench.live import serving
from tests.sounds import opening

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "docs" / "images"
TALK = ROOT / "data" / "talk.flac"
SHAPES = {"desktop": {"width": 1280, "height": 800}, "phone": {"width": 375, "height": 740}}
_HOTWORDS = "NCCL | nickel\nRoPE\nkubectl | cube control | cube cuddle\n通义千问 | weight=2"
_HEARD = "least => { const [m, s] = document.querySelector('.figures .time').textContent.split(':'); return 60 * m + +s >= least }"


def main() -> None:
    """All of them, from one run."""
    IMAGES.mkdir(exist_ok=True)
    with serving() as server, chromium(TALK, viewport=SHAPES["desktop"], locale="en-GB") as browser:
        url = re.sub(r"^ws(.*)/v1/stream$", r"http\1/", server.url)
        page = browser.pages[0]
        page.goto(url)
        _settings(page, url)
        _live(page, url)
        _files(page, url)
        _history(page, url)


def _shoot(page: Page, name: str) -> None:
    """In each look."""
    for shape, size in SHAPES.items():
        page.set_viewport_size(size)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.wait_for_timeout(150)
            page.screenshot(path=IMAGES / f"{name}-{shape}-{scheme}.png")
    page.set_viewport_size(SHAPES["desktop"])
    page.emulate_media(color_scheme="light")
    print(f"docs/images/{name}-*.png", flush=True)


def _settings(page: Page, url: str) -> None:
    page.goto(f"{url}#/settings")
    page.get_by_label("Words to expect").fill(_HOTWORDS)
    page.get_by_label("machine-learning").check()
    _shoot(page, "settings")


def _live(page: Page, url: str) -> None:
    """While the talk goes on; then the captions view of one who follows it."""
    page.goto(f"{url}#/live")
    page.get_by_role("button", name="Share captions").click()
    page.get_by_role("button", name="Start listening").click()
    viewer = page.context.new_page()
    viewer.goto(page.get_by_label("Link for viewers").input_value())
    page.bring_to_front()
    page.wait_for_function(_HEARD, arg=17, timeout=60_000)
    _shoot(page, "live")
    viewer.bring_to_front()
    _shoot(viewer, "captions")
    viewer.close()
    page.wait_for_function(_HEARD, arg=40, timeout=60_000)
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_role("link", name="Open in history").wait_for()


def _files(page: Page, url: str) -> None:
    page.goto(f"{url}#/files")
    with tempfile.TemporaryDirectory() as folder:
        first, _ = opening(Path(folder) / "Opening remarks.flac", sentences=2)
        second, _ = opening(Path(folder) / "Stand-up.flac", sentences=4)
        broken = Path(folder) / "Budget.wav"
        broken.write_text("These are figures and no sound.")
        page.locator("input[type=file]").set_input_files([first, second, broken, TALK])
        page.get_by_text("Budget").first.wait_for()
        page.wait_for_timeout(6_000)
        _shoot(page, "files")
        page.wait_for_function("() => document.querySelectorAll('progress').length === 0", timeout=120_000)


def _history(page: Page, url: str) -> None:
    page.goto(f"{url}#/history")
    page.get_by_role("link", name="Recording of").first.wait_for()
    _shoot(page, "history")
    page.get_by_role("link", name="Recording of").first.click()
    page.get_by_role("button", name="Play", exact=True).click()
    page.wait_for_timeout(4_000)
    _shoot(page, "transcript")


if __name__ == "__main__":
    main()
