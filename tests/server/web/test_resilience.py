"""What goes wrong around the page: no storage, no room, no server, no microphone, odd settings, several tabs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Page, expect

from tests.accessibility import violations
from tests.helpers import s16, talk
from tests.server.conftest import Serve
from tests.server.web.conftest import Open

NO_STORAGE = """for (const name of ['localStorage', 'sessionStorage', 'indexedDB'])
  Object.defineProperty(window, name, {get() { throw new DOMException('forbidden', 'SecurityError') }})"""
# Sound contexts of the page, so that a test can do to them what a telephone call does.
CONTEXTS = """window.contexts = [];
window.AudioContext = class extends AudioContext { constructor(...of) { super(...of); contexts.push(this) } }"""
# Connections of the page that have not been closed.
SOCKETS = """window.sockets = [];
window.WebSocket = class extends WebSocket { constructor(...of) { super(...of); sockets.push(this) } };
window.open_sockets = () => sockets.filter(each => each.readyState < 2).length"""


@pytest.fixture
def voice(tmp_path: Path) -> Path:
    sound = talk(0.3, 1.5, 0.8, 2.0, 1.0, 1.5, 0.8)
    sound[np.abs(sound) < 1e-3] = 0  # noise would be made as loud as speech: the browser controls the gain
    soundfile.write(tmp_path / "voice.wav", np.frombuffer(s16(sound), "<i2"), 16_000)
    return tmp_path / "voice.wav"


def prepared(page: Page, script: str) -> Page:
    """Loaded again, with the script before the page's own."""
    page.context.add_init_script(script)
    page.reload()
    return page


def start(page: Page) -> None:
    page.get_by_role("button", name="Start listening").click()
    page.get_by_role("button", name="Stop", exact=True).wait_for()


def finals(page: Page, least: int = 1) -> list[str]:
    page.locator(".finals p > [lang]").nth(least - 1).wait_for()
    return page.locator(".finals p > [lang]").all_inner_texts()


def stop(page: Page) -> None:
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_role("button", name="Start listening").wait_for()


def test_without_any_storage_there_are_captions(serve: Serve, voice: Path, open_page: Open):
    page = prepared(open_page(f"http://{serve().address}/", voice), NO_STORAGE)
    expect(page.get_by_role("alert")).to_contain_text("keeps nothing")
    start(page)
    finals(page)
    stop(page)
    assert finals(page), "what was said stays on the page"
    assert page.get_by_role("link", name="Open in history").count() == 0, "there is nothing to open"
    for view in ("Files", "History", "Settings"):
        page.get_by_role("link", name=view).click()
        page.get_by_role("heading", name=view, level=1).wait_for()


def test_a_full_disk_is_told_and_captions_go_on(serve: Serve, voice: Path, open_page: Open):
    page = open_page(f"http://{serve().address}/", voice)
    start(page)
    finals(page)
    page.evaluate("() => { IDBTransaction.prototype.commit = function () { this.abort() } }")
    expect(page.get_by_role("alert")).to_contain_text("full disk")
    finals(page, 2)
    stop(page)


def test_nobody_has_to_wait_for_a_server_that_is_gone(serve: Serve, voice: Path, open_page: Open):
    running = serve()
    page = open_page(f"http://{running.address}/", voice)
    start(page)
    page.locator(".saying .unstable:not(:empty)").wait_for()
    running.stop()
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_role("button", name="Do not wait").wait_for()
    assert violations(page) == []
    page.get_by_role("button", name="Do not wait").click()
    page.get_by_role("link", name="Open in history").click()
    page.get_by_role("button", name="Write down again").wait_for()  # there is sound to do it with


def test_a_page_that_is_loaded_again_and_again_finishes_once(serve: Serve, voice: Path, open_page: Open):
    page = open_page(f"http://{serve().address}/", voice)
    start(page)
    finals(page)
    page.locator(".saying .stable:not(:empty)").wait_for()
    page.reload(wait_until="domcontentloaded")
    page.reload()
    page.get_by_role("link", name="Open in history").wait_for()
    said = finals(page, 2)
    assert len(said) == len(set(said))
    assert page.inner_text("#latency") == "–", "nobody is waiting for these words"


def test_sound_that_was_suspended_goes_on_by_itself(serve: Serve, voice: Path, open_page: Open):
    page = prepared(open_page(f"http://{serve().address}/", voice), CONTEXTS)
    start(page)
    page.locator(".saying").wait_for()
    page.evaluate("() => contexts.at(-1).suspend()")
    page.wait_for_function("() => contexts.at(-1).state === 'running'")
    finals(page)
    expect(page.get_by_text("gives no sound")).to_have_count(0)


def test_a_title_that_is_typed_while_recording_stays(serve: Serve, voice: Path, open_page: Open):
    page = open_page(f"http://{serve().address}/", voice)
    start(page)
    page.locator(".saying").wait_for()
    page.get_by_role("link", name="History").click()
    page.get_by_role("link", name=re.compile("Recording of")).click()
    page.get_by_role("heading", name="Recording of").wait_for(state="attached")
    page.get_by_label("Title").fill("Standup")
    page.get_by_role("heading", name="Standup").wait_for(state="attached")
    page.get_by_role("link", name="Live", exact=True).click()
    finals(page, 2)
    stop(page)
    page.get_by_role("link", name="Open in history").click()
    expect(page.get_by_label("Title")).to_have_value("Standup")


def test_a_key_that_cannot_be_sent_is_refused_like_any_wrong_one(serve: Serve, voice: Path, open_page: Open):
    page = open_page(f"http://{serve(keys=(b'open-sesame',)).address}/#/settings", voice)
    page.get_by_label("API key").fill("Öffne dich")
    page.get_by_role("link", name="Live", exact=True).click()
    page.get_by_role("button", name="Start listening").click()
    page.get_by_text("The server wants a valid API key").wait_for()
    page.get_by_role("button", name="Start listening").wait_for()


def test_settings_that_the_server_refuses_cost_no_captions(serve: Serve, voice: Path, open_page: Open):
    page = open_page(f"http://{serve().address}/", voice)
    page.evaluate("() => localStorage.setItem('stenoline.silenceMs', '5')")
    page.reload()
    start(page)
    page.get_by_text("silence_ms").wait_for()
    finals(page)


def test_a_key_for_another_server_does_not_keep_a_room_shut(serve: Serve, voice: Path, open_page: Open):
    page = open_page(f"http://{serve().address}/", voice)
    page.evaluate("() => localStorage.setItem('stenoline.key', '\"short\"')")
    page.reload()
    page.get_by_role("button", name="Share captions").click()
    start(page)
    page.get_by_text("Shared: 0 watching").wait_for()
    finals(page)


def test_a_network_that_comes_and_goes_leaves_one_connection(serve: Serve, voice: Path, open_page: Open):
    running = serve()
    page = prepared(open_page(f"http://{running.address}/", voice), SOCKETS)
    start(page)
    page.locator(".saying").wait_for()
    running.stop()
    page.get_by_text("Still recording").wait_for()
    page.evaluate("() => { for (let i = 0; i < 4; i++) dispatchEvent(new Event('offline')) }")
    serve(port=int(running.address.rpartition(":")[2]))
    finals(page)
    expect(page.get_by_text("Still recording")).to_have_count(0)
    finals(page, 2)
    assert page.evaluate("() => open_sockets()") == 1
    said = finals(page)
    assert len(said) == len(set(said))


def test_a_connection_that_is_dead_without_a_word_is_given_up(serve: Serve, voice: Path, open_page: Open):
    page = open_page(f"http://{serve().address}/", voice)
    page.clock.install()
    page.reload()
    start(page)
    page.locator(".saying").wait_for()
    page.route("**/v1/models", lambda route: route.abort())
    page.clock.fast_forward(20_000)
    page.get_by_text("The server does not answer. Still recording").wait_for()
    page.unroute("**/v1/models")
    finals(page, 2)


def test_two_tabs_have_the_same_settings(serve: Serve, open_page: Open):
    page = open_page(f"http://{serve().address}/#/settings")
    other = page.context.new_page()
    other.goto(page.url)
    page.get_by_label("Words to expect").fill("NCCL")
    expect(other.get_by_label("Words to expect")).to_have_value("NCCL")
    other.get_by_label("machine-learning").check()
    other.reload()
    expect(other.get_by_label("Words to expect")).to_have_value("NCCL")


def test_half_a_link_leads_somewhere(serve: Serve, open_page: Open):
    page = open_page(f"http://{serve().address}/#/history/%E4%BD")
    page.get_by_role("heading", name="History").wait_for()


def test_who_follows_a_link_begins_at_the_heading(serve: Serve, open_page: Open):
    page = open_page(f"http://{serve().address}/")
    page.get_by_role("link", name="Settings").press("Enter")
    expect(page.get_by_role("heading", name="Settings", level=1)).to_be_focused()
    page.get_by_role("link", name="History").press("Enter")
    expect(page.get_by_role("heading", name="History", level=1)).to_be_focused()


def test_a_countdown_is_not_read_out(serve: Serve, voice: Path, open_page: Open):
    running = serve()
    page = open_page(f"http://{running.address}/", voice)
    start(page)
    page.locator(".saying").wait_for()
    running.stop()
    alert = page.get_by_role("alert").filter(has_text="Still recording")
    alert.get_by_role("timer").wait_for()
    alert.evaluate("element => { window.first = element }")
    page.wait_for_function(
        "() => performance.getEntriesByType('resource').filter(each => each.name.endsWith('/v1/models')).length > 3"
    )
    assert page.evaluate("() => first.isConnected"), "one alert for one outage, however often it is tried again"
