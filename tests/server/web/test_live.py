"""The microphone view: a recording is spoken into a real browser, and the page is read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import requests
import soundfile
from playwright.sync_api import Page, expect

from bench.live import Server
from model.scripted import ScriptedRecogniser
from tests.accessibility import violations
from tests.helpers import s16, talk
from tests.server.conftest import Serve
from tests.server.web.conftest import Open, error_rate, http, until_heard

ALLOWED = 0.15
# What the page shows, in order; a partial is (stable, unstable).
WATCH = """() => {
  window.shown = [];
  new MutationObserver(() => {
    const text = (of) => [...document.querySelectorAll(of)].map(each => each.textContent).join('');
    window.shown.push([text('.finals span[lang]'), text('.saying .stable'), text('.saying .unstable')]);
  }).observe(document.querySelector('.captions'), {subtree: true, childList: true, characterData: true});
}"""


def start(page: Page) -> None:
    page.get_by_role("button", name="Start listening").click()
    page.get_by_role("button", name="Stop").wait_for()


def stop(page: Page) -> str:
    """Gives what was written down."""
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("link", name="Open in history").wait_for()
    return page.inner_text(".finals")


def length_s(sound: Path) -> float:
    return soundfile.info(sound).duration


def test_speaking(live: Server, talk_opening: tuple[Path, str], open_page: Open):
    sound, text = talk_opening
    page = open_page(http(live.url), sound)
    assert violations(page) == []
    start(page)
    page.evaluate(WATCH)
    page.wait_for_selector(".saying .unstable:not(:empty)")
    assert violations(page) == []
    until_heard(page, length_s(sound) + 1)
    assert re.fullmatch(r"\d+ ms", page.inner_text("#latency"))
    assert 0 < float(page.inner_text("#rtf")) < 10
    heard = stop(page)
    assert error_rate(text, heard) <= ALLOWED
    shown = page.evaluate("() => window.shown")
    first_final = next(i for i, (finals, _, _) in enumerate(shown) if finals)
    assert any(unstable for _, _, unstable in shown[:first_final]), "a partial comes before its final"
    assert any(stable for _, stable, _ in shown)
    assert page.get_by_role("log").inner_text() in heard, "read aloud is what stays"
    page.get_by_label("Confidence").check()
    assert page.locator(".finals [class^=doubt]").count() == len(heard.split())
    assert violations(page) == []


def test_the_keyboard_is_enough(live: Server, talk_opening: tuple[Path, str], open_page: Open):
    page = open_page(http(live.url), talk_opening[0])
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("r")
    page.get_by_role("button", name="Stop").wait_for()
    page.wait_for_selector(".saying")
    page.keyboard.press("r")
    page.get_by_role("link", name="Open in history").wait_for()


def kept_sound(page: Page) -> np.ndarray:
    """The samples in the page's database."""
    return np.array(
        page.evaluate(
            """() => new Promise(resolve => {
              const opening = indexedDB.open('stenoline');
              opening.onsuccess = () => {
                const all = opening.result.transaction('sounds').objectStore('sounds').getAll();
                all.onsuccess = () => resolve(all.result.flatMap(each => [...each.data]));
              };
            })"""
        ),
        np.int16,
    )


def test_a_reload_in_the_middle_loses_nothing(live: Server, talk_opening: tuple[Path, str], open_page: Open, tmp_path: Path):
    page = open_page(http(live.url), talk_opening[0])
    start(page)
    until_heard(page, 8)
    page.reload()
    page.get_by_role("link", name="Open in history").wait_for()  # the rest has been written down by itself
    heard = page.inner_text(".finals")
    sound = kept_sound(page)
    assert len(sound) / 16_000 >= 7.5
    soundfile.write(tmp_path / "kept.wav", sound, 16_000)
    with (tmp_path / "kept.wav").open("rb") as file:
        again = requests.post(http(live.url) + "asr", files={"file": file}, data={"language": "en"}).json()["text"]
    said = talk_opening[1].split()[: len(again.split())]  # as far as it got: read at once, some of it may be misheard
    assert error_rate(" ".join(said), heard) <= ALLOWED
    page.reload()
    expect(page.locator(".invitation")).to_be_visible()  # once is enough


def test_without_a_network_it_goes_on_recording(live: Server, talk_opening: tuple[Path, str], open_page: Open):
    sound, text = talk_opening
    page = open_page(http(live.url), sound)
    start(page)
    until_heard(page, 4)
    page.context.set_offline(True)
    page.get_by_text("Still recording").wait_for()
    until_heard(page, 8)
    page.context.set_offline(False)
    page.get_by_text("Still recording").wait_for(state="detached")
    until_heard(page, length_s(sound) + 1)
    assert error_rate(text, stop(page)) <= ALLOWED


# The mechanics, on a server whose recogniser is scripted: its words depend on the length of the sound alone.


@pytest.fixture
def voice(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "voice.wav", np.frombuffer(s16(talk(0.3, 1.5, 0.8, 2.0, 1.0, 1.5, 0.8)), "<i2"), 16_000)
    return tmp_path / "voice.wav"


@contextmanager
def sent(page: Page) -> Iterator[list[dict[str, object]]]:
    """JSON messages that the page sends from now on."""
    messages: list[dict[str, object]] = []

    def keep(frame: str | bytes) -> None:
        if isinstance(frame, str):
            messages.append(json.loads(frame))

    page.on("websocket", lambda socket: socket.on("framesent", keep))
    yield messages


def test_settings_reach_the_session_and_outlast_the_page(serve: Serve, voice: Path, open_page: Open):
    page = open_page(f"http://{serve().address}/#/settings", voice)
    page.get_by_label("Words to expect").fill("NCCL | nickel | weight=2\n# not said\nRoPE")
    page.get_by_label("Languages spoken").select_option("zh")
    page.get_by_label("machine-learning").check()
    page.get_by_label("Numbers, units").check()
    page.reload()
    assert "nickel" in page.get_by_label("Words to expect").input_value()
    page.goto(page.url.replace("settings", "live"))
    with sent(page) as messages:
        start(page)
        page.wait_for_selector(".saying")
    begun = next(message for message in messages if message["type"] == "start")
    assert begun["hotwords"] == [{"text": "NCCL", "weight": 2, "sounds_like": ["nickel"]}, {"text": "RoPE"}]
    assert begun["language"] == ["zh"] and begun["hotword_lists"] == ["machine-learning"]
    assert begun["text"] == {"itn": True, "fillers": True, "script": None}


def test_hotwords_are_marked_as_inactive_where_they_do_nothing(serve: Serve, open_page: Open):
    recogniser = ScriptedRecogniser()
    assert not recogniser.has_hotwords
    page = open_page(f"http://{serve(recogniser).address}/#/settings")
    page.get_by_text("Not active").wait_for()


def test_a_key_is_asked_for_and_judged(serve: Serve, voice: Path, open_page: Open):
    page = open_page(f"http://{serve(keys=(b'open-sesame',)).address}/", voice)
    page.get_by_role("link", name="Enter it in the settings").click()
    page.get_by_label("API key").fill("wrong")
    page.get_by_text("The key is not accepted.").wait_for()
    page.goto(page.url.replace("settings", "live"))
    page.get_by_role("button", name="Start listening").click()
    page.get_by_text("The server wants a valid API key").wait_for()
    page.goto(page.url.replace("live", "settings"))
    page.get_by_label("API key").fill("open-sesame")
    page.get_by_text("The key is accepted.").wait_for()
    page.goto(page.url.replace("settings", "live"))
    start(page)
    page.wait_for_selector(".saying")


def test_what_could_not_be_sent_is_kept(serve: Serve, voice: Path, open_page: Open):
    page = open_page(f"http://{serve(keys=(b'open-sesame',)).address}/", voice)
    page.get_by_role("button", name="Start listening").click()
    page.get_by_text("The server wants a valid API key").wait_for()
    page.goto(page.url.split("#")[0] + "#/history")
    page.get_by_text("Recording of").first.wait_for()


def test_a_full_server_is_waited_for(serve: Serve, voice: Path, open_page: Open):
    running = serve(max_sessions=1)
    with running.session() as other:
        other.start()
        page = open_page(f"http://{running.address}/", voice)
        start(page)
        page.get_by_text("All places of the server are taken").wait_for()
    page.wait_for_selector(".saying, .finals p:not(:empty)")


def test_a_server_that_stops_costs_no_words(serve: Serve, voice: Path, open_page: Open):
    """The page says so, keeps recording, and is told the rest by the one that takes its place."""
    first = serve()
    page = open_page(f"http://{first.address}/", voice)
    start(page)
    page.wait_for_selector(".saying")
    first.stop()
    page.get_by_text("Still recording").wait_for()
    serve(port=int(first.address.rpartition(":")[2]))
    page.get_by_text("Still recording").wait_for(state="detached")
    until_heard(page, 8)
    heard = stop(page)
    assert heard and len(kept_sound(page)) / 16_000 >= 7.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_in_the_way_of_anyone(serve: Serve, open_page: Open, scheme: str):
    page = open_page(f"http://{serve().address}/", color_scheme=scheme, viewport={"width": 360, "height": 740})
    for view in ("live", "settings"):
        page.goto(f"{page.url.split('#')[0]}#/{view}")
        page.locator(f".{view}").wait_for()
        assert violations(page) == []
        assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out"


def test_it_speaks_chinese(serve: Serve, open_page: Open):
    page = open_page(f"http://{serve().address}/", locale="zh-CN")
    page.get_by_role("button", name="开始聆听").wait_for()
    assert page.evaluate("() => document.documentElement.lang") == "zh-Hans"
