"""The whole of it with GLM-ASR: a checkpoint of random weights, so what it says means nothing, but all of it must hold together."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile
from rich.console import Console
from websockets.sync.client import connect

from bench.checkpoint import write
from bench.live import Server, serving
from server.stream import Heard, converse

QUIET = Console(quiet=True)
RUNS = {
    "exact": (),
    "windowed": ("--encoder-policy", "windowed"),
    "frozen-kv, two engines": ("--encoder-policy", "frozen-kv", "--device", "cpu,cpu"),
    "utterances that roll": ("--encoder-policy", "frozen-kv", "--silence-ms", "10000"),
}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("glm") / "tiny-glm-asr")


TALK = Path(__file__).parents[2] / "data" / "talk.flac"


@pytest.fixture(scope="module", params=RUNS)
def run(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def glm_live(run: str, directory: Path) -> Iterator[Server]:
    with serving("--model", str(directory), *RUNS[run]) as server:
        yield server


@pytest.fixture(scope="module")
def heard(run: str, glm_live: Server, talk_opening: tuple[Path, str]) -> list[Heard]:
    """Three sessions at once, of which one names a language; the whole talk for utterances that must roll."""
    path, speed = (TALK, 6.0) if "roll" in run else (talk_opening[0], 2.0)
    return asyncio.run(together(glm_live.url, path, speed))


async def together(url: str, path: Path, speed: float) -> list[Heard]:
    languages = ("", "", "zh")
    return await asyncio.gather(*(converse(path, url, language=code, speed=speed, console=QUIET) for code in languages))


def of(heard: Heard, kind: str) -> list[dict[str, Any]]:
    return [message for _, message in heard.messages if message["type"] == kind]


def test_every_session_is_served_to_its_end(heard: list[Heard]):
    for each in heard:
        assert of(each, "error") == [] and each.messages[-1][1]["code"] == 1000
        started = [m["utterance"] for m in of(each, "speech_started")]
        assert Counter(m["utterance"] for m in of(each, "final")) == Counter(started) and started
        assert any(m["text"] for m in of(each, "final"))


def test_partials_come_and_what_is_stable_stays(heard: list[Heard]):
    for each in heard:
        assert len(of(each, "partial")) > 5
        for final in of(each, "final"):
            stable: list[Any] = []
            for partial in (p for p in of(each, "partial") if p["utterance"] == final["utterance"]):
                assert partial["stable"][: len(stable)] == stable
                stable = partial["stable"]
            assert final["words"][: len(stable)] == stable


def test_words_are_in_order_within_their_utterance(heard: list[Heard]):
    for final in (m for each in heard for m in of(each, "final")):
        times = [t for word in final["words"] for t in (word["start"], word["end"])]
        assert times == sorted(times) and (not times or times[-1] <= final["end"] + 0.02)


def test_an_utterance_may_be_longer_than_a_window(run: str, heard: list[Heard]):
    """Beyond 16 s the window rolls, and the utterance goes on."""
    longest = max(final["end"] - final["start"] for each in heard for final in of(each, "final"))
    assert (longest > 30) is ("roll" in run)


def test_a_language_is_never_required_and_kept_when_given(heard: list[Heard]):
    languages = [{final["language"] for final in of(each, "final")} for each in heard]
    assert languages == [{None}, {None}, {"zh"}]


def test_over_the_protocol_of_deepgram(glm_live: Server, talk_opening: tuple[Path, str]):
    samples, rate = soundfile.read(talk_opening[0], dtype="int16")
    url = glm_live.url.replace("/v1/stream", f"/v1/listen?encoding=linear16&sample_rate={rate}&interim_results=true")
    messages = []
    with connect(url) as socket:
        for start in range(0, len(samples), rate // 2):
            socket.send(samples[start : start + rate // 2].tobytes())
        socket.send(json.dumps({"type": "CloseStream"}))
        messages = [json.loads(message) for message in socket]
    finals = [m for m in messages if m["type"] == "Results" and m["is_final"]]
    assert any(m["channel"]["alternatives"][0]["transcript"] for m in finals) and messages[-1]["type"] == "Metadata"


def test_it_says_what_it_runs(glm_live: Server):
    url = glm_live.url.replace("ws:", "http:").replace("/v1/stream", "/v1/info")
    with urllib.request.urlopen(url) as answer:
        told = json.load(answer)
    assert "tiny-glm-asr" in told["model"] and told["hotwords"]["active"]
