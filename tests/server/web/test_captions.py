"""The captions page: rooms that are watched in real browsers, the own microphone, and how the lines look."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Page, expect
from websockets.sync.client import connect

from bench.live import Server
from model.interfaces import Hypothesis, StepRequest, Word
from model.scripted import ScriptedRecogniser
from tests.accessibility import violations
from tests.helpers import cut, s16, talk
from tests.server.conftest import Peer, Running, Serve, wait_for
from tests.server.web.conftest import Open, error_rate, http, until_heard

ALLOWED = 0.15
SOCKETS = 17  # viewers beside the three pages
ROOM = "bT7wq0vXk3mZ9aPfL2ydUw"
KEY = "a-key-that-the-speaker-made-up"
# What the transcript says, without its times.
SAID = """() => [...document.querySelectorAll('[role=log] p')].map(
  each => each.textContent.slice(each.querySelector('time').textContent.length + 1))"""
# Notes after each change: of each line its place, what stays of it, and whether it is in sight.
WATCH = """() => {
  window.seen = [];
  new MutationObserver(() => {
    const box = document.querySelector('.roll')?.getBoundingClientRect();
    window.seen.push([...document.querySelectorAll('.rolled p')].map(line => {
      const at = line.getBoundingClientRect();
      const unstable = line.querySelector('.unstable')?.textContent ?? '';
      return {
        place: line.style.top, text: line.textContent, firm: line.textContent.slice(0, line.textContent.length - unstable.length),
        isInSight: at.top >= box.top - 1 && at.bottom <= box.bottom + 1, sticksOut: line.scrollWidth > box.width,
      };
    }));
  }).observe(document.querySelector('.space'), {subtree: true, childList: true, characterData: true, attributes: true});
}"""


class Viewer(threading.Thread):
    """Reads along until the speaker has gone."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.first: dict[str, Any] = {}
        self.finals: list[str] = []
        self.start()
        assert wait_for(lambda: bool(self.first))

    def run(self) -> None:
        with connect(self.url) as socket:
            for content in map(json.loads, socket):
                if content["type"] == "room":
                    self.finals += [each["text"] for each in content["history"]]
                    self.first = content
                elif content["type"] == "final":
                    self.finals.append(content["text"])
                elif content == {"type": "speaker", "live": False}:
                    return


def room_url(link: str) -> str:
    """The socket of the room that a link leads to."""
    parts = urlsplit(link)
    return f"ws://{parts.netloc}/v1/captions/{parts.query.removeprefix('room=')}"


def deaf(url: str) -> socket.socket:
    """A viewer that never reads."""
    parts = urlsplit(url)
    peer = socket.socket()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1_024)
    peer.connect((parts.hostname, parts.port))
    peer.sendall(
        f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    return peer


def beside(page: Page, url: str) -> Page:
    """Another page of the same browser."""
    other = page.context.new_page()
    other.goto(url)
    return other


def shared(page: Page) -> str:
    """The link for viewers."""
    page.get_by_role("button", name="Share captions").click()
    return page.get_by_label("Link for viewers").input_value()


@contextmanager
def speaking(running: Running, room: str = ROOM) -> Iterator[Peer]:
    """Into a room, through a socket."""
    with running.session(f"/v1/captions/{room}?role=speaker", additional_headers={"authorization": f"Bearer {KEY}"}) as peer:
        peer.start()
        yield peer


def say(peer: Peer, *lengths_s: float) -> list[str]:
    """Speech in utterances of these lengths; what the speaker is told of it."""
    peer.socket.send(s16(talk(*(each for length in lengths_s for each in (0.8, length)), 0.8)))
    return [peer.until("final")["text"] for _ in lengths_s]


def address(running: Running, query: str = f"?room={ROOM}") -> str:
    return f"http://{running.address}/captions{query}"


def test_a_meeting(live: Server, talk_opening: tuple[Path, str], open_page: Open):
    sound, text = talk_opening
    speaker = open_page(http(live.url), sound)
    link = shared(speaker)
    url = room_url(link)
    viewers = [Viewer(url) for _ in range(SOCKETS)]
    assert not viewers[0].first["live"]
    with deaf(url):
        pages = [beside(speaker, link), beside(speaker, link + "&theme=dark")]
        for page in pages:
            page.get_by_text("Waiting for the speaker").wait_for()
        speaker.get_by_role("button", name="Start listening").click()
        speaker.get_by_text(f"Shared: {SOCKETS + 3} watching").wait_for()
        pages[0].locator(".rolled .unstable").first.wait_for()
        pages[0].locator("[role=log] p").first.wait_for(state="attached")
        pages.append(beside(speaker, link))  # late, as is this one:
        viewers.append(Viewer(url))
        assert viewers[-1].first["live"] and viewers[-1].finals
        pages[2].locator("[role=log] p").first.wait_for(state="attached")
        speaker.bring_to_front()
        until_heard(speaker, soundfile.info(sound).duration + 1)
        speaker.get_by_role("button", name="Stop", exact=True).click()
        speaker.get_by_role("link", name="Open in history").wait_for()
    for page in pages:
        page.get_by_text("The speaker has stopped.").wait_for()
    for viewer in viewers:
        viewer.join(20)
    said = viewers[0].finals
    assert error_rate(text, " ".join(said)) <= ALLOWED
    assert all(viewer.finals == said for viewer in viewers)
    assert [page.evaluate(SAID) for page in pages] == [said] * 3


def test_a_speaker_who_reloads_comes_back_to_the_room(live: Server, talk_opening: tuple[Path, str], open_page: Open):
    speaker = open_page(http(live.url), talk_opening[0])
    link = shared(speaker)
    speaker.get_by_role("button", name="Start listening").click()
    viewer = beside(speaker, link)
    viewer.locator("[role=log] p").first.wait_for(state="attached")
    viewer.locator(".rolled .unstable").first.wait_for()  # in the middle of the second sentence
    speaker.bring_to_front()
    speaker.reload()
    speaker.get_by_role("link", name="Open in history").wait_for()
    assert speaker.get_by_label("Link for viewers").input_value() == link
    kept = speaker.evaluate("() => [...document.querySelectorAll('.finals p > [lang]')].map(each => each.textContent.trim())")
    viewer.get_by_text("The speaker has stopped.").wait_for()
    assert len(kept) >= 2
    assert viewer.evaluate(SAID) == kept, "what the room was told while the speaker was gone is told to both, and once"
    speaker.get_by_role("button", name="Start listening").click()
    viewer.locator("[role=log] p").nth(len(kept)).wait_for(state="attached")
    speaker.get_by_role("button", name="Stop sharing").click()
    viewer.get_by_text("The speaker has stopped.").wait_for()
    speaker.reload()
    speaker.get_by_role("button", name="Share captions").wait_for()


class Chinese(ScriptedRecogniser):
    """The same, in another script."""

    def step(self, batch: Sequence[StepRequest]) -> list[Hypothesis]:
        return [replace(each, words=tuple(map(_in_chinese, each.words))) for each in super().step(batch)]


def _in_chinese(word: Word) -> Word:
    number = word.tokens[0]
    character = "春眠不觉晓处闻啼鸟夜来风雨声花落知多少"[number % 19]
    return replace(word, text=character * 2 + "，。、"[number % 3] * (number % 4 == 0))


@pytest.mark.parametrize("make", [ScriptedRecogniser, Chinese])
def test_lines_roll_up_and_nothing_jumps(serve: Serve, open_page: Open, make: type[ScriptedRecogniser]):
    running = serve(make())
    page = open_page(address(running, f"?room={ROOM}&lines=2"), viewport={"width": 360, "height": 740}, reduced_motion="reduce")
    with speaking(running) as peer:
        page.get_by_text("The speaker is here").wait_for()
        page.evaluate(WATCH)
        for piece in cut(s16(talk(*(0.8, 3.0) * 4, 0.8)), [6_400] * 80):
            peer.socket.send(piece)  # 0.2 s, at some multiple of the pace of speech
            page.wait_for_timeout(50)
        said = [peer.until("final")["text"] for _ in range(4)]
        page.locator("[role=log] p").nth(3).wait_for(state="attached")
    seen = page.evaluate("() => window.seen")
    assert len({line["place"] for lines in seen for line in lines}) > 4, "it has rolled"
    assert all(sum(line["isInSight"] for line in lines) <= 2 for lines in seen)
    assert all(lines[-1]["isInSight"] for lines in seen if lines), "the newest are in sight"
    assert not any(line["sticksOut"] or line["text"][:1] in ("，", "。", "、", " ") for lines in seen for line in lines)
    firm: dict[str, str] = {}
    for lines in seen:
        for line in lines:
            assert line["firm"].startswith(firm.get(line["place"], "")), "what stays has left its line"
            firm[line["place"]] = line["firm"]
    shown = "".join(firm[place] for place in sorted(firm, key=lambda place: float(place.removesuffix("px"))))
    assert re.sub(r"\s", "", shown) == re.sub(r"\s", "", "".join(said))


def test_after_a_pause_the_lines_go_and_the_transcript_stays(serve: Serve, open_page: Open, tmp_path: Path):
    running = serve()
    page = open_page(address(running, f"?room={ROOM}&hold=0.2"))
    with speaking(running) as peer:
        first = say(peer, 2)
        page.locator(".roll.quiet").wait_for(state="attached")
        peer.socket.send(s16(talk(0.3, 3)))
        page.locator(".roll:not(.quiet) .unstable").first.wait_for()
        assert first[0].split()[0] not in page.inner_text(".roll").split()[:1], "they do not come back"
        peer.send("finalize")
        said = first + [peer.until("final")["text"]]
    page.keyboard.press("t")
    expect(page.get_by_role("log")).to_contain_text(said[-1])
    page.locator(".roll.quiet").wait_for(state="attached")
    assert violations(page) == []
    with page.expect_download() as saving:
        page.get_by_role("button", name="Save as text").click()
    saving.value.save_as(tmp_path / "captions.txt")
    lines = (tmp_path / "captions.txt").read_text().splitlines()
    assert [re.sub(r"^\[[\d:]+\] ", "", line) for line in lines] == said


def test_a_connection_that_breaks_is_made_again_and_nothing_is_missed(serve: Serve, open_page: Open):
    running = serve()
    page = open_page(address(running))
    with speaking(running) as peer:
        said = say(peer, 1.5)
        page.locator("[role=log] p").first.wait_for(state="attached")
        page.context.set_offline(True)
        page.get_by_text("No network").wait_for()
        said += say(peer, 2, 1)
        page.context.set_offline(False)
        page.locator("[role=log] p").nth(2).wait_for(state="attached")
        said += say(peer, 1)
        page.locator("[role=log] p").nth(3).wait_for(state="attached")
        assert page.evaluate(SAID) == said
    running.stop()
    page.get_by_text(re.compile("server (restarts|does not answer)")).wait_for()
    assert page.evaluate(SAID) == said


@pytest.mark.parametrize("width", [1280, 360])
def test_every_theme_can_be_read_by_everybody(serve: Serve, open_page: Open, width: int):
    running = serve()
    with speaking(running) as peer:
        say(peer, 2)
        peer.socket.send(s16(talk(0.3, 2)))
        peer.until("partial")
        page = open_page(address(running), viewport={"width": width, "height": 740})
        for theme in ("light", "dark", "transparent"):
            page.goto(address(running, f"?room={ROOM}&theme={theme}"))
            page.locator(".rolled .unstable").first.wait_for()
            assert violations(page) == []
            page.get_by_role("button", name="Look and link").focus()
            page.keyboard.press("Enter")
            expect(page.locator(".tools")).to_have_css("opacity", "1")
            assert violations(page) == []
            page.keyboard.press("Escape")
            page.keyboard.press("t")
            page.get_by_role("button", name="Save as text").wait_for()
            assert violations(page) == []
            assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out"
            page.keyboard.press("Escape")
    colours = """() => [document.documentElement, document.body, ...document.querySelectorAll('.stage, main, .space, .roll')].map(
      each => getComputedStyle(each).backgroundColor)"""
    assert set(page.evaluate(colours)) == {"rgba(0, 0, 0, 0)"}
    assert page.evaluate("() => getComputedStyle(document.querySelector('.rolled p')).textShadow") != "none"
    page.locator(".space").hover()
    page.evaluate("() => document.activeElement.blur()")
    expect(page.locator(".tools")).to_have_css("opacity", "0")
    page.locator(".tools").hover()
    expect(page.locator(".tools")).to_have_css("opacity", "1")


def test_the_look_is_in_the_address(serve: Serve, open_page: Open):
    page = open_page(address(serve(), f"?room={ROOM}&size=64&lines=many"))
    page.get_by_text("lines=many in the address is not known").wait_for()
    page.get_by_role("button", name="Look and link").click()
    assert page.get_by_role("combobox", name="Size").input_value() == "64"
    for label, choice in [("Theme", "dark"), ("Lines", "2"), ("Place", "top"), ("Alignment", "center"), ("After a pause", "0")]:
        page.get_by_role("combobox", name=label, exact=True).select_option(choice)
    page.get_by_role("combobox", name="Page language").select_option("zh")
    wanted = address_of(page)
    assert urlsplit(wanted).query == f"room={ROOM}&theme=dark&lines=2&size=64&position=top&align=center&hold=0&lang=zh"
    assert page.get_by_label("带此外观的链接").input_value() == wanted
    page.reload()
    page.get_by_role("button", name="外观与链接").click()
    assert page.get_by_role("combobox", name="对齐").input_value() == "center"
    assert page.evaluate("() => document.documentElement.dataset.theme") == "dark"
    assert page.evaluate("() => localStorage.getItem('stenoline.locale')") != '"zh"', "of this page alone"


def address_of(page: Page) -> str:
    found: str = page.evaluate("() => location.href")
    return found


def test_tools_come_with_a_movement_and_go(serve: Serve, open_page: Open):
    page = open_page(address(serve()))
    page.mouse.move(300, 500)
    expect(page.locator(".tools")).to_have_css("opacity", "1")
    expect(page.locator(".tools")).to_have_css("opacity", "0")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Transcript")).to_be_focused()
    expect(page.locator(".tools")).to_have_css("opacity", "1")
    page.keyboard.press("f")
    page.wait_for_function("() => document.fullscreenElement !== null")
    page.get_by_role("button", name="Leave full screen").click()
    page.wait_for_function("() => document.fullscreenElement === null")


def test_links_that_lead_nowhere(serve: Serve, open_page: Open):
    page = open_page(address(serve(), "?room=no%20room"))
    expect(page.get_by_role("alert")).to_contain_text("“no room” should be 1 to 64 letters")
    assert violations(page) == []
    page.goto(address(serve(max_rooms=0)))
    expect(page.get_by_role("alert")).to_contain_text("--max-rooms")


def test_a_name_that_can_be_guessed_wants_a_key(serve: Serve, open_page: Open):
    running = serve(keys=(b"open-sesame",))
    page = open_page(address(running, "?room=hall"))
    page.get_by_label("API key").fill("wrong")
    page.get_by_role("button", name="Read along").click()
    page.get_by_role("button", name="Read along").wait_for()
    assert violations(page) == []
    page.get_by_label("API key").fill("open-sesame")
    page.get_by_role("button", name="Read along").click()
    page.get_by_text("Waiting for the speaker").wait_for()
    page.goto(address(running))  # its name is a secret
    page.get_by_text("Waiting for the speaker").wait_for()


@pytest.fixture
def voice(tmp_path: Path) -> Path:
    sound = talk(0.3, 1.5, 0.8, 2.0, 1.0, 1.5, 0.8)
    sound[np.abs(sound) < 1e-3] = 0  # noise would be made as loud as speech: the browser controls the gain
    soundfile.write(tmp_path / "voice.wav", np.frombuffer(s16(sound), "<i2"), 16_000)
    return tmp_path / "voice.wav"


def test_the_own_microphone(serve: Serve, open_page: Open, voice: Path):
    running = serve()
    page = open_page(address(running, ""), voice, viewport={"width": 360, "height": 740})
    page.get_by_text("appears here in large type").wait_for()
    assert violations(page) == []
    page.keyboard.press("r")
    page.locator("[role=log] p").first.wait_for(state="attached")
    assert violations(page) == []
    page.mouse.move(100, 300)
    page.get_by_role("button", name="Look and link").click()
    page.get_by_role("button", name="Share these captions").click()
    viewer = Viewer(room_url(page.get_by_label("Link for viewers").input_value()))
    page.get_by_text("1 reading along").wait_for()
    page.mouse.click(180, 730)  # beside the panel, which closes it
    page.keyboard.press("r")
    page.get_by_role("link", name="Open it").click()
    expect(page).to_have_url(re.compile("#/history/"))
    viewer.join(20)


def test_a_speaker_whose_network_breaks_is_not_heard_twice(serve: Serve, open_page: Open, voice: Path):
    page = open_page(f"http://{serve().address}/", voice)
    url = room_url(shared(page))
    page.get_by_role("button", name="Start listening").click()
    page.locator(".finals p > [lang]").first.wait_for()
    page.locator(".saying .stable:not(:empty)").wait_for()  # in the middle of an utterance
    page.context.set_offline(True)
    page.get_by_text("Still recording").wait_for()
    page.context.set_offline(False)
    page.get_by_text("Still recording").wait_for(state="detached")
    page.locator(".finals p > [lang]").nth(2).wait_for()
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_role("link", name="Open in history").wait_for()
    kept = page.evaluate("() => [...document.querySelectorAll('.finals p > [lang]')].map(each => each.textContent.trim())")
    with connect(url) as viewer:
        assert [each["text"] for each in json.loads(viewer.recv(20))["history"]] == kept


def test_who_takes_over_a_room_gets_it(serve: Serve, open_page: Open, voice: Path):
    running = serve()
    page = open_page(f"http://{running.address}/", voice)
    url = room_url(shared(page))
    page.get_by_role("button", name="Start listening").click()
    page.locator(".saying .unstable:not(:empty)").wait_for()
    key = page.evaluate("() => JSON.parse(sessionStorage.getItem('stenoline.room')).key")
    with ExitStack() as stack:
        other = Peer(stack.enter_context(connect(f"{url}?role=speaker", additional_headers={"authorization": f"Bearer {key}"})))
        other.start()
        page.get_by_text("another speaker has taken over the room").wait_for()
        page.get_by_role("button", name="Share captions").wait_for()
        page.locator(".finals p > [lang]").first.wait_for()  # it goes on, for itself
        assert say(other, 1)
