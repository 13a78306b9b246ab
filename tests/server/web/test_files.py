"""The files view: recordings are handed in to a real browser, and what becomes of them is read."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
import soundfile
from playwright.sync_api import Locator, Page, expect

from bench.live import Server
from model.interfaces import Hypothesis, StepRequest
from model.scripted import ScriptedRecogniser
from tests.accessibility import violations
from tests.client_examples.proxy import proxy
from tests.helpers import talk
from tests.server.conftest import Running, Serve, wait_for
from tests.server.web.conftest import Open, error_rate, http
from tests.sounds import encoded

ALLOWED = 0.15
PATIENCE_MS = 60_000
FORMS = ("flac", "mp3", "ogg", "m4a")


class Halting(ScriptedRecogniser):
    """After its first final it answers only while it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.let, self.has_told = threading.Event(), False

    def step(self, batch: Sequence[StepRequest]) -> list[Hypothesis]:
        if self.has_told:
            self.let.wait(30)
        self.has_told = self.has_told or any(request.is_final for request in batch)
        return super().step(batch)


@pytest.fixture
def halting() -> Iterator[Halting]:
    """Let go when the test is over, so that the server can stop."""
    recogniser = Halting()
    yield recogniser
    recogniser.let.set()


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Three utterances for the scripted recogniser."""
    path = tmp_path / "Meeting.wav"
    soundfile.write(path, talk(0.3, 1.5, 0.8, 1.2, 0.8, 1.4, 0.6), 16_000)
    return path


@contextmanager
def breakable(address: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """(address to use instead, what breaks all connections over it)."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    made = proxy(address)
    between = asyncio.run_coroutine_threadsafe(made.__aenter__(), loop).result(30)
    try:
        yield f"http://{between.url.split('/')[2]}", lambda: loop.call_soon_threadsafe(between.cut)
    finally:
        asyncio.run_coroutine_threadsafe(made.__aexit__(None, None, None), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def open_files(open_page: Open, running: Running) -> Page:
    return open_page(f"http://{running.address}/#/files")


def hand_in(page: Page, *files: Path) -> None:
    page.locator("input[type=file]").set_input_files(list(files))


def card(page: Page, title: str) -> Locator:
    return page.locator(".job").filter(has=page.get_by_role("heading", name=title, exact=True))


def is_done(page: Page, title: str) -> None:
    expect(card(page, title).locator(".state")).to_have_text("Done", timeout=PATIENCE_MS)


def text_of(page: Page, title: str) -> str:
    """As the history has it."""
    card(page, title).get_by_role("link", name="Open").click()
    page.wait_for_selector(".reading .word")
    text = page.inner_text(".reading")
    page.go_back()
    page.wait_for_selector(".jobs")
    return " ".join(line.strip() for line in text.splitlines() if line.strip() and ":" not in line)


def written(running: Running, recording: Path) -> str:
    """What the server makes of it, asked without a browser."""
    with recording.open("rb") as file:
        answer = requests.post(f"http://{running.address}/asr", files={"file": file}, timeout=30)
    text: str = answer.json()["text"]
    return text


def test_five_files_of_which_one_is_broken(live: Server, talk_opening: tuple[Path, str], tmp_path: Path, open_page: Open):
    path, text = talk_opening
    sound, rate = soundfile.read(path, dtype="float32")
    files = [tmp_path / f"talk {form}.{form}" for form in FORMS]
    for file, form in zip(files, FORMS, strict=True):
        file.write_bytes(encoded(sound, form, rate))
    broken = tmp_path / "broken.wav"
    broken.write_text("There is no sound in here.\n")

    page = open_page(http(live.url) + "#/files")
    assert violations(page) == []
    hand_in(page, files[0], broken, *files[1:])
    expect(page.locator(".job progress").first).to_be_visible()
    assert violations(page) == []
    for file in files:
        is_done(page, file.stem)
    expect(page.get_by_role("status").filter(has_text="4 of 5 written down")).to_be_visible()
    expect(card(page, "broken").get_by_role("alert")).to_contain_text("convert it to one of them")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert violations(page) == []
    for file in files:
        assert error_rate(text, text_of(page, file.stem)) <= ALLOWED

    page.reload()
    expect(page.locator(".job")).to_have_count(1)  # those that are done are in the history
    expect(card(page, "broken").get_by_role("alert")).to_be_visible()
    card(page, "broken").get_by_role("button", name="Delete").press("Enter")
    expect(page.locator(".job")).to_have_count(0)
    page.goto(http(live.url) + "#/history")
    expect(page.locator(".cards li")).to_have_count(4)


def test_cancelled_in_the_middle_and_tried_again(serve: Serve, halting: Halting, recording: Path, open_page: Open):
    running = serve(halting)
    page = open_files(open_page, running)
    other = recording.with_name("Other.wav")
    other.write_bytes(recording.read_bytes())
    hand_in(page, recording, other)
    expect(card(page, "Meeting").locator(".tail")).not_to_be_empty()
    card(page, "Other").get_by_role("button", name="Cancel").click()
    expect(card(page, "Other").locator(".state")).to_have_text("Cancelled")
    card(page, "Meeting").get_by_role("button", name="Cancel").click()
    expect(card(page, "Meeting").locator(".state")).to_have_text("Cancelled")
    assert wait_for(lambda: running.service.engines[0].sessions == 0)
    page.reload()
    expect(card(page, "Meeting").locator(".state")).to_have_text("Cancelled")  # and it stays so
    halting.let.set()
    card(page, "Meeting").get_by_role("button", name="Try").click()
    is_done(page, "Meeting")
    assert text_of(page, "Meeting") == written(running, recording)


def test_the_page_is_loaded_again_in_the_middle(serve: Serve, halting: Halting, recording: Path, open_page: Open):
    running = serve(halting)
    page = open_files(open_page, running)
    hand_in(page, recording)
    expect(card(page, "Meeting").locator(".tail")).not_to_be_empty()
    page.reload()
    expect(card(page, "Meeting").locator(".state")).to_contain_text("Being written down")  # once more
    halting.let.set()
    is_done(page, "Meeting")
    assert text_of(page, "Meeting") == written(running, recording)


def test_a_full_server_is_asked_again(serve: Serve, halting: Halting, recording: Path, open_page: Open):
    running = serve(halting, max_files=1, max_files_waiting=0)
    page = open_files(open_page, running)
    halting.has_told = True
    with recording.open("rb") as file:
        other = requests.post(
            f"http://{running.address}/asr", files={"file": file}, data={"stream": "true"}, stream=True, timeout=30
        )
    with other:
        assert wait_for(lambda: running.service.engines[0].sessions == 1)
        hand_in(page, recording)
        expect(card(page, "Meeting").locator(".state")).to_contain_text("Trying again")
        expect(card(page, "Meeting").locator(".trouble")).to_contain_text("as much to do as it can take")
    halting.let.set()
    is_done(page, "Meeting")


def test_without_a_network_it_waits_and_goes_on_by_itself(serve: Serve, recording: Path, open_page: Open):
    page = open_files(open_page, serve())
    page.context.set_offline(True)
    hand_in(page, recording)
    expect(card(page, "Meeting").locator(".trouble")).to_contain_text("does not answer")
    page.context.set_offline(False)
    is_done(page, "Meeting")


def test_the_network_goes_in_the_middle(serve: Serve, halting: Halting, recording: Path, open_page: Open):
    running = serve(halting)
    with breakable(running.address) as (url, cut):
        page = open_page(f"{url}/#/files")
        hand_in(page, recording)
        expect(card(page, "Meeting").locator(".tail")).not_to_be_empty()
        cut()
        expect(card(page, "Meeting").locator(".state")).to_contain_text("Trying again")
        assert wait_for(lambda: running.service.engines[0].sessions == 0)
        halting.let.set()
        is_done(page, "Meeting")
        assert text_of(page, "Meeting") == written(running, recording)


def test_cancelled_on_its_way_up(serve: Serve, tmp_path: Path, open_page: Open):
    large = tmp_path / "large.wav"
    soundfile.write(large, talk(0.3, 60.0), 16_000)
    running = serve()
    page = open_files(open_page, running)
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 300_000}
    page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", slow)
    hand_in(page, large)
    expect(card(page, "large").locator(".state")).to_have_text(re.compile(r"Going up: [1-9]\d? %"))
    card(page, "large").get_by_role("button", name="Cancel").click()
    expect(card(page, "large").locator(".state")).to_have_text("Cancelled")
    assert wait_for(lambda: running.service.engines[0].sessions == 0)


def test_two_pages_do_not_do_it_twice(serve: Serve, halting: Halting, recording: Path, open_page: Open):
    page = open_files(open_page, running := serve(halting))
    hand_in(page, recording)
    expect(card(page, "Meeting").locator(".tail")).not_to_be_empty()
    other = page.context.new_page()
    other.goto(f"http://{running.address}/#/history")
    expect(other.locator(".cards .state")).to_have_text("Being written down")
    other.get_by_role("link", name="Files", exact=True).click()
    expect(other.get_by_text("Drop recordings here")).to_be_visible()
    expect(other.locator(".job")).to_have_count(0)
    other.get_by_role("link", name="History", exact=True).click()
    halting.let.set()
    is_done(page, "Meeting")
    expect(other.locator(".cards .facts")).to_contain_text("words")
    expect(other.locator(".cards .state")).to_have_count(0)  # told by the page that does it


def test_a_key_is_asked_for(serve: Serve, recording: Path, open_page: Open):
    page = open_files(open_page, serve(keys=(b"secret",)))
    hand_in(page, recording)
    expect(card(page, "Meeting").get_by_role("alert")).to_contain_text("valid API key")
    page.evaluate("() => localStorage.setItem('stenoline.key', JSON.stringify('secret'))")
    page.reload()
    card(page, "Meeting").get_by_role("button", name="Try").click()
    is_done(page, "Meeting")


def test_what_would_be_refused_does_not_go_up(serve: Serve, tmp_path: Path, open_page: Open):
    large, empty = tmp_path / "large.wav", tmp_path / "empty.wav"
    soundfile.write(large, talk(0.3, 40.0), 16_000)
    empty.touch()
    asked: list[str] = []
    page = open_files(open_page, serve(max_file_mb=1))
    page.on("request", lambda request: asked.append(request.url))
    hand_in(page, large, empty)
    expect(card(page, "large").get_by_role("alert")).to_contain_text("takes up to 1 MB")
    expect(card(page, "empty").get_by_role("alert")).to_contain_text("nothing in this file")
    assert not any(url.endswith("/asr") for url in asked)


def test_a_recording_that_is_too_long(serve: Serve, recording: Path, open_page: Open):
    page = open_files(open_page, serve(max_file_s=2.0))
    hand_in(page, recording)
    expect(card(page, "Meeting").get_by_role("alert")).to_contain_text("Too long")


# A browser's own drag and drop cannot be driven without a screen; from the drop on it is the real thing.
DROP = """() => {
  const given = new DataTransfer();
  for (const name of ['one.wav', 'two.wav']) given.items.add(new File(['no sound'], name));
  const how = {dataTransfer: given, bubbles: true, cancelable: true};
  for (const type of ['dragover', 'drop']) document.body.dispatchEvent(new DragEvent(type, how));
}"""


def test_files_dropped_on_another_view(serve: Serve, open_page: Open):
    page = open_page(f"http://{serve().address}/#/settings")
    page.evaluate(DROP)
    expect(page.get_by_role("heading", name="Files", exact=True)).to_be_visible()
    expect(page.locator(".job")).to_have_count(2)
