"""How much later the browser page shows words than the native client gets them: the bundled talk into a real Chromium.

The page hears it from a fake microphone; counted is from the sound (the earliest that any of it reached the page) to the frame
that draws the words. The native client is counted as if its pieces of a tenth of a second came from a microphone, so when the
last sample of each has been heard, to the message. Rounds of both take turns on the same server.
"""

from __future__ import annotations

import asyncio
import re
from argparse import ArgumentParser
from typing import Any

import soundfile
from playwright.sync_api import Page
from rich.console import Console

from bench.browser import chromium
from bench.live import serving
from bench.manifest import DATA
from bench.report import report
from bench.score import Timed, percentile, word_latencies
from server.stream import converse

TALK = DATA / "talk.flac"
PIECE_S = 0.1  # of the native client, which sends each when its first sample is due
# In place of the page's socket: the same one, which notes when sound went out and when the frame after a message was drawn.
WATCH = """() => {
  const sent = [], shown = [];
  let samples = 0;
  window.watched = { sent, shown };
  window.WebSocket = class extends WebSocket {
    constructor(...given) {
      super(...given);
      this.addEventListener('message', ({data}) => requestAnimationFrame(
        () => shown.push([performance.now() / 1000, JSON.parse(data)])));
    }
    send(data) {
      if (typeof data !== 'string') sent.push(performance.now() / 1000 - (samples += data.length) / 16000);
      super.send(data);
    }
  };
}"""


def main() -> None:
    """Run it."""
    options = ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=2, help="times each hears the talk (default: 2)")
    given = options.parse_args()
    native: list[float] = []
    page: list[float] = []
    with serving() as server:
        for _ in range(given.rounds):
            heard = asyncio.run(converse(TALK, server.url, console=Console(quiet=True)))
            native += word_latencies([(at + PIECE_S, message) for at, message in heard.messages])
            page += word_latencies(_shown(re.sub(r"^ws(.*)/v1/stream$", r"http\1/", server.url)))
    figures: dict[str, Any] = {"words": f"{len(page)} in the page, {len(native)} natively"}
    for name, p in (("p50", 50), ("p95", 95)):
        theirs, ours = percentile(native, p), percentile(page, p)
        figures |= {f"native {name} (s)": theirs, f"page {name} (s)": ours}
        figures[f"page later {name} (ms)"] = None if theirs is None or ours is None else 1000 * (ours - theirs)
    report("page", figures, vars(given))


def _shown(url: str) -> Timed:
    """(seconds since the first sample was heard, message) of a page that hears the talk."""
    with chromium(TALK) as browser:
        page = browser.pages[0]
        page.add_init_script(f"({WATCH})()")
        page.goto(url)
        page.get_by_role("button", name="Start listening").click()
        _until_heard(page, soundfile.info(TALK).duration)
        page.get_by_role("button", name="Stop").click()
        page.get_by_role("link", name="Open in history").wait_for()
        found = page.evaluate("() => window.watched")
    began = min(found["sent"])
    return [(at - began, message) for at, message in found["shown"]]


def _until_heard(page: Page, seconds: float) -> None:
    page.wait_for_function(
        "least => { const [m, s] = document.querySelector('.figures .time').textContent.split(':'); return 60 * m + +s > least }",
        arg=seconds,
        timeout=1000 * (seconds + 60),
    )


if __name__ == "__main__":
    main()
