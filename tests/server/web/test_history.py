"""The history, and one transcript in it: made of real speech once, then searched, played, corrected, exported."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import soundfile
from playwright.sync_api import Page, expect

from bench.live import Server
from bench.score import errors, tokens
from tests.accessibility import violations
from tests.browser import chromium
from tests.server.web.conftest import http
from tests.sounds import opening

PATIENCE_MS = 60_000
COLUMNS, LINES, LONGEST_S = 42, 2, 7.0
CHINESE = "今天天气很好，我们一起去公园散步，然后回家写一份关于流式语音识别服务器的报告，明天再把它交给老师看看。"


@dataclass(frozen=True)
class Shelf:
    """A browser whose history holds the opening of the talk and its first sentence."""

    page: Page
    url: str

    def list(self) -> Page:
        self.page.goto(self.url + "#/history")
        self.page.reload()
        self.page.wait_for_selector(".cards")
        return self.page

    def open(self, title: str = "opening") -> Page:
        self.list().get_by_role("link", name=title, exact=True).click()
        self.page.wait_for_selector(".word")
        self.page.get_by_role("button", name="Play", exact=True).wait_for()
        return self.page


@pytest.fixture(scope="module")
def shelf(live: Server, talk_opening: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    first, _ = opening(tmp_path_factory.mktemp("talk") / "sentence.flac", sentences=1)
    faults: list[str] = []
    with chromium(talk_opening[0], bypass_csp=True, viewport={"width": 1280, "height": 800}, locale="en-GB") as browser:
        page = browser.pages[0]
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(http(live.url) + "#/history")
        expect(page.get_by_text("Nothing has been written down yet")).to_be_visible()
        assert violations(page) == []
        page.get_by_role("link", name="Add files").click()
        page.locator("input[type=file]").set_input_files([talk_opening[0], first])
        expect(page.locator(".job.done")).to_have_count(2, timeout=PATIENCE_MS)
        yield Shelf(page, http(live.url))
    assert faults == []


def exported(page: Page, form: str) -> str:
    page.get_by_text("Export", exact=True).click()
    with page.expect_download() as download:
        page.get_by_role("button", name=f"(.{form})").click()
    assert download.value.suggested_filename == f"opening.{form}"
    return Path(download.value.path()).read_text(encoding="utf-8")


def words_of(document: str) -> list[tuple[str, float, float]]:
    return [(word["text"], word["start"], word["end"]) for segment in json.loads(document)["segments"] for word in segment["words"]]


def spoken(page: Page) -> int:
    """Place of the word that is marked; -1: none is."""
    place: int = page.evaluate("() => [...document.querySelectorAll('.word')].findIndex(word => word.classList.contains('spoken'))")
    return place


def position_s(page: Page) -> float:
    return float(page.get_by_label("Position").input_value())


def test_the_list(shelf: Shelf):
    page = shelf.list()
    cards = page.locator(".cards li")
    expect(cards).to_have_count(2)
    assert [card.locator("h3").inner_text() for card in cards.all()] == ["sentence", "opening"]  # newest first
    facts = cards.nth(1).locator(".facts").inner_text()
    assert "0:11" in facts and "File" in facts and "English" in facts and re.search(r"\b3\d words", facts)
    expect(cards.nth(1).locator(".opening")).to_contain_text("Welcome")
    expect(page.locator(".storage")).to_contain_text("used of")


@pytest.mark.parametrize("query", ["socket pieces", "SOCKET  opening", "ｓｏｃｋｅｔ"])
def test_search_does_not_mind_case_and_width(shelf: Shelf, query: str):
    page = shelf.list()
    page.get_by_role("searchbox").fill(query)
    expect(page.get_by_role("status").filter(has_text="1 found")).to_be_visible()
    expect(page.locator(".hit mark").filter(has_text="socket")).to_be_visible()
    page.locator(".hit a").first.click()
    expect(page.locator(".looked-for")).to_contain_text("socket")
    expect(page.locator(".looked-for")).to_be_in_viewport()
    expect(page.get_by_label("Position")).not_to_have_value("0")


def test_all_words_must_occur(shelf: Shelf):
    page = shelf.list()
    page.get_by_role("searchbox").fill("welcome")
    expect(page.locator(".cards li")).to_have_count(2)
    page.get_by_role("searchbox").fill("welcome giraffe")
    expect(page.get_by_text("Nothing contains all of these words")).to_be_visible()
    expect(page.locator(".cards li")).to_have_count(0)


def test_a_click_seeks_and_the_spoken_word_moves_on(shelf: Shelf):
    page = shelf.open()
    starts = [start for _, start, _ in words_of(exported(page, "json"))]
    page.locator(".word").nth(8).click()
    assert spoken(page) == 8 and position_s(page) == pytest.approx(starts[8], abs=0.05)
    page.keyboard.press(" ")
    page.wait_for_function(
        "() => [...document.querySelectorAll('.word')].findIndex(word => word.classList.contains('spoken')) >= 11"
    )
    page.keyboard.press(" ")
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()
    now, at = spoken(page), position_s(page)
    assert starts[10] < at and (now == -1 or starts[now] <= at + 0.05)
    page.locator(".reading").evaluate("box => document.activeElement.blur()")
    page.keyboard.press("ArrowLeft")
    assert position_s(page) == pytest.approx(max(0, at - 5), abs=0.05)
    page.get_by_label("Speed").select_option("1.5")
    assert page.locator(".word.spoken").count() <= 1


def test_corrections_stay_and_words_that_were_right_keep_their_times(shelf: Shelf):
    page = shelf.open()
    before = words_of(exported(page, "json"))
    page.get_by_role("button", name="Edit text").click()
    assert violations(page) == []
    field = page.get_by_role("textbox", name="Text from").first
    text = field.input_value()
    assert "server listens" in text
    field.press("Home")
    field.fill(text.replace("server listens", "tiny server hears"))
    page.reload()  # at once: what was typed is there
    expect(page.locator(".reading")).to_contain_text("tiny server hears")
    after = words_of(exported(page, "json"))
    kept = [word for word in before if word[0] != " listens"]
    assert [word for word in after if word[0] not in (" tiny", " hears")] == kept
    assert all(a[1] <= a[2] <= b[1] + 1e-6 for a, b in zip(after, after[1:], strict=False)), "times go on"
    listens = next(word for word in before if word[0] == " listens")
    assert next(word for word in after if word[0] == " hears")[1:] == pytest.approx(listens[1:], abs=0.01)


def test_chinese_is_found_and_its_subtitles_fit(shelf: Shelf):
    page = shelf.open()
    page.get_by_role("button", name="Edit text").click()
    page.get_by_role("textbox", name="Text from").last.fill(CHINESE)
    page.get_by_role("button", name="Done editing").click()
    words = [text for text, *_ in words_of(exported(page, "json"))]
    assert "".join(words).endswith(CHINESE)
    cues = parsed_srt(exported(page, "srt"))
    assert "".join("".join(lines) for *_, lines in cues).replace(" ", "").endswith(CHINESE)
    check(cues)
    page = shelf.list()
    page.get_by_role("searchbox").fill("公园 天气")
    expect(page.locator(".cards li")).to_have_count(1)
    expect(page.locator(".hit mark").filter(has_text="天气")).to_be_visible()


Cue = tuple[float, float, list[str]]


def seconds(stamp: str) -> float:
    hours, minutes, rest = stamp.replace(",", ".").split(":")
    return 3600 * int(hours) + 60 * int(minutes) + float(rest)


def parsed_srt(document: str) -> list[Cue]:
    cues: list[Cue] = []
    for number, block in enumerate(document.strip().split("\n\n"), 1):
        first, times, *lines = block.split("\n")
        assert int(first) == number and re.fullmatch(r"\d\d:\d\d:\d\d,\d{3} --> \d\d:\d\d:\d\d,\d{3}", times)
        start, end = map(seconds, times.split(" --> "))
        cues.append((start, end, lines))
    return cues


def parsed_vtt(document: str) -> list[Cue]:
    head, *blocks = document.strip().split("\n\n")
    assert head == "WEBVTT"
    return parsed_srt("\n\n".join(f"{number}\n{block.replace('.', ',', 2)}" for number, block in enumerate(blocks, 1)))


def check(cues: list[Cue]) -> None:
    """As players and eyes want them."""
    assert all(0 < end - start <= LONGEST_S + 0.001 for start, end, _ in cues)
    assert all(one[1] <= next[0] + 0.001 for one, next in zip(cues, cues[1:], strict=False))
    for *_, lines in cues:
        assert 1 <= len(lines) <= LINES and all(lines)
        assert all(sum(2 if ord(letter) > 0x2E80 else 1 for letter in line) <= COLUMNS for line in lines)


def test_exports(shelf: Shelf):
    page = shelf.open()
    page.get_by_role("button", name="Edit text").click()
    field = page.get_by_role("textbox", name="Text from").first
    field.fill("Is 2 < 3 & *this* bold? --> No. " + field.input_value())
    page.get_by_role("button", name="Done editing").click()
    document = json.loads(exported(page, "json"))
    text = " ".join(segment["text"] for segment in document["segments"])
    assert document["title"] == "opening" and document["language"] == "en" and 11 < document["duration"] < 14
    assert all("".join(w["text"] for w in s["words"]).strip() == s["text"] for s in document["segments"])
    assert text == page.evaluate("() => [...document.querySelectorAll('.paragraph p')].map(p => p.textContent).join(' ')")

    cues = parsed_srt(exported(page, "srt"))
    check(cues)
    assert plain(" ".join(" ".join(lines) for *_, lines in cues)) == plain(text)
    vtt = exported(page, "vtt")
    assert "2 &lt; 3 &amp; *this*" in vtt and "--&gt; No" in vtt
    unescaped = [(start, end, [unescape(line) for line in lines]) for start, end, lines in parsed_vtt(vtt)]
    assert unescaped == cues
    spans = [(word["start"], word["end"]) for segment in document["segments"] for word in segment["words"]]
    assert cues[0][0] == pytest.approx(spans[0][0], abs=0.001) and cues[-1][1] >= spans[-1][1] - 0.001

    assert plain(exported(page, "txt")) == plain(text)
    title, facts, *paragraphs = exported(page, "md").strip().split("\n\n")
    assert title == "# opening" and re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d · 00:00:11 · en", facts)
    assert all(re.match(r"\*\*\d\d:\d\d:\d\d\*\* \S", paragraph) for paragraph in paragraphs)
    assert r"\*this\*" in paragraphs[0]
    assert plain(re.sub(r"\\(.)", r"\1", " ".join(part.split("** ", 1)[1] for part in paragraphs))) == plain(text)

    page.get_by_text("Export", exact=True).click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Sound", exact=True).click()
    assert download.value.suggested_filename == "opening.flac" and Path(download.value.path()).read_bytes()[:4] == b"fLaC"


def plain(text: str) -> str:
    """Chinese cues and lines have no spaces between them that a comparison should mind."""
    return "".join(text.split())


def unescape(line: str) -> str:
    return line.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def test_written_down_again(shelf: Shelf, talk_opening: tuple[Path, str]):
    page = shelf.open()
    page.get_by_role("button", name="Edit text").click()
    page.get_by_role("textbox", name="Text from").first.fill("Nonsense.")
    page.get_by_role("button", name="Done editing").click()
    page.get_by_role("button", name="Write down again").click()
    expect(page.get_by_role("group").get_by_role("button", name="Cancel")).to_be_focused()  # nothing is lost by pressing Enter
    page.get_by_role("button", name="Write down again").click()
    expect(page.locator(".reading")).to_contain_text("Nonsense.")  # until the new text is complete
    expect(page.locator(".reading")).to_contain_text("Welcome", timeout=PATIENCE_MS)
    heard = " ".join(page.locator(".paragraph p").all_inner_texts())
    assert errors(tokens(talk_opening[1]), tokens(heard)) <= 0.15 * len(tokens(talk_opening[1]))


def test_another_title(shelf: Shelf):
    page = shelf.open("sentence")
    page.get_by_role("textbox", name="Title").fill("第一句话")
    expect(page).to_have_title("第一句话 · Stenoline")
    page = shelf.open("第一句话")
    page.get_by_role("textbox", name="Title").fill("sentence")


def test_nothing_stands_in_anybodys_way(shelf: Shelf):
    page = shelf.open()
    page.locator(".word").nth(3).click()
    page.get_by_label("Confidence").check()
    assert page.locator(".word[class*=doubt]").count() == page.locator(".word").count()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert violations(page) == []
        shelf.list().get_by_role("searchbox").fill("socket")
        page.wait_for_selector("mark")
        assert violations(page) == []
        shelf.open()
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 360, "height": 740})
    for view in ("#/history", "#/files"):
        page.goto(shelf.url + view)
        assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    page.set_viewport_size({"width": 1280, "height": 800})


def test_a_recording_of_the_microphone(shelf: Shelf, tmp_path: Path):
    page = shelf.page
    page.goto(shelf.url + "#/live")
    page.reload()
    page.get_by_role("button", name="Start listening").click()
    page.locator(".finals span[lang]").nth(1).wait_for(timeout=PATIENCE_MS)  # the first may be the end of a sentence only
    page.get_by_role("link", name="History", exact=True).click()
    expect(page.locator(".cards .state")).to_have_text("Being recorded")
    page.locator(".cards a").first.click()
    expect(page.get_by_text("This recording is still going on")).to_be_visible()
    expect(page.locator(".reading .word").first).to_be_visible()
    page.get_by_role("link", name="Live", exact=True).click()
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("link", name="Open in history").click()
    page.get_by_role("button", name="Play", exact=True).press("Enter")
    page.wait_for_function("() => document.querySelectorAll('.word')[3]?.classList.contains('spoken')")
    expect(page.locator(".facts")).to_contain_text("Microphone")
    page.get_by_text("Export", exact=True).click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Sound", exact=True).click()
    download.value.save_as(tmp_path / "sound.wav")
    assert soundfile.info(tmp_path / "sound.wav").channels == 1
    assert soundfile.info(tmp_path / "sound.wav").duration > 5
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("group", name="Delete it").get_by_role("button", name="Delete").click()
    expect(page.locator(".cards li")).to_have_count(2)


def test_a_transcript_that_is_not_there(shelf: Shelf):
    shelf.page.goto(shelf.url + "#/history/nobody")
    expect(shelf.page.get_by_text("There is no such transcript in this browser")).to_be_visible()


def tab_to(page: Page, name: str, key: str = "Tab") -> None:
    """With this key only."""
    for _ in range(40):
        page.keyboard.press(key)
        said = page.evaluate("() => document.activeElement.ariaLabel || document.activeElement.textContent.trim()")
        if said == name:
            return
    pytest.fail(f"Tab does not lead to {name}")


def test_with_the_keyboard_only_and_deletion(shelf: Shelf):
    page = shelf.list()
    tab_to(page, "Search titles and texts")
    page.keyboard.type("welcome")
    page.wait_for_selector("mark")
    tab_to(page, "sentence")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Play", exact=True).wait_for()
    first = page.locator(".word").first.inner_text()
    tab_to(page, first)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert spoken(page) == 2
    tab_to(page, "All transcripts", "Shift+Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector(".cards")

    tab_to(page, "Delete: sentence")
    page.keyboard.press("Enter")
    expect(page.get_by_role("group", name="Delete it with its sound?")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Delete: sentence")).to_be_focused()
    page.keyboard.press("Enter")
    tab_to(page, "Delete")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="Deleted: sentence")).to_be_attached()
    shelf.list()
    expect(page.locator(".cards li")).to_have_count(1)
