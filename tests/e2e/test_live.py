"""The whole of it: a server process with the embedded model, real sockets, speech."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from rich.console import Console
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import connect

from bench.live import Server, serving
from bench.score import errors, tokens
from server.stream import Heard, converse
from tests.sounds import clip

QUIET = Console(quiet=True)


def error_rate(text: str, heard: str, language: str = "en") -> float:
    reference = tokens(text, language)
    return errors(reference, tokens(heard, language)) / len(reference)


@pytest.fixture(scope="module")
def heard(live: Server, talk_opening: tuple[Path, str]) -> Heard:
    """The opening over /v1/stream, three times as fast as it was spoken."""
    return asyncio.run(converse(talk_opening[0], live.url, speed=3.0, console=QUIET))


def of(heard: Heard, kind: str) -> list[dict[str, Any]]:
    return [message for _, message in heard.messages if message["type"] == kind]


def test_the_words_are_right(heard: Heard, talk_opening: tuple[Path, str]):
    assert error_rate(talk_opening[1], heard.text) <= 0.15
    assert of(heard, "error") == []
    assert {final["language"] for final in of(heard, "final") if final["text"]} == {"en"}


def test_words_are_shown_before_they_are_final(heard: Heard):
    assert len(of(heard, "partial")) > len(of(heard, "final")) > 1


def test_each_utterance_gets_one_final(heard: Heard):
    started = [m["utterance"] for m in of(heard, "speech_started")]
    assert Counter(m["utterance"] for m in of(heard, "final")) == Counter(started) == Counter(set(started))
    assert [message["seq"] for _, message in heard.messages] == list(range(1, len(heard.messages) + 1))


def test_stable_words_never_change(heard: Heard):
    for final in of(heard, "final"):
        stable: list[Any] = []
        for partial in of(heard, "partial"):
            if partial["utterance"] == final["utterance"]:
                assert partial["stable"][: len(stable)] == stable
                stable = partial["stable"]
        assert final["words"][: len(stable)] == stable


def test_words_are_in_order_within_their_utterance(heard: Heard):
    for final in of(heard, "final"):
        times = [t for word in final["words"] for t in (word["start"], word["end"])]
        assert times == sorted(times)
        assert not times or final["start"] <= times[0] and times[-1] <= final["end"] + 0.02
        assert all(0 <= word["confidence"] <= 1 for word in final["words"])


def test_the_totals_are_those_of_the_session(heard: Heard):
    closed = heard.messages[-1][1]
    assert (closed["type"], closed["code"]) == ("closed", 1000)
    assert closed["audio"] == pytest.approx(heard.audio_s, abs=0.001)
    assert closed["words"] == sum(len(final["words"]) for final in of(heard, "final"))


def pcm(path: Path) -> tuple[bytes, int]:
    """s16le; not read as integers, since soundfile does not scale a file of floats then."""
    sound, rate = soundfile.read(path, dtype="float32")
    return (sound.clip(-1, 1) * 32767).astype("<i2").tobytes(), rate


def test_a_flush_marker_comes_back_after_the_words_before_it(live: Server):
    sound, rate = pcm(clip("en", "counting")[0])
    with connect(live.url, compression=None) as socket:
        socket.send(json.dumps({"type": "start", "sample_rate": rate, "language": "en"}))
        socket.send(sound)
        socket.send(json.dumps({"type": "flush", "marker": "here"}))
        before = []
        while (message := json.loads(socket.recv(60)))["type"] != "flushed":
            before.append(message)
        assert message["marker"] == "here"
        assert [m["type"] for m in before if m["type"] in ("final", "speech_started")] == ["speech_started", "final"]
        socket.send(json.dumps({"type": "stop"}))
        assert json.loads(socket.recv(60))["type"] == "closed"


@pytest.mark.parametrize(("language", "name"), [("es", "pangrama"), ("fr", "pangrama"), ("zh", "nihao_shijie"), ("zh", "pangrama")])
def test_other_languages_are_found_from_the_audio(live: Server, language: str, name: str):
    path, text = clip(language, name)
    heard = asyncio.run(converse(path, live.url, speed=8.0, console=QUIET))
    assert {final["language"] for final in of(heard, "final") if final["text"]} == {language}
    assert error_rate(text, heard.text, language) <= 0.5


def listen(live: Server, path: Path, query: str) -> list[dict[str, Any]]:
    """All answers of /v1/listen, the file sent in one go."""
    sound, rate = pcm(path)
    url = live.url.replace("/v1/stream", f"/v1/listen?encoding=linear16&sample_rate={rate}&{query}")
    with connect(url, compression=None, max_size=None) as socket:
        for i in range(0, len(sound), 6400):
            socket.send(sound[i : i + 6400])
        socket.send(json.dumps({"type": "CloseStream"}))
        return [json.loads(message) for message in socket]


def test_the_same_over_deepgrams_protocol(live: Server, talk_opening: tuple[Path, str]):
    answers = listen(live, talk_opening[0], "language=en&interim_results=true")
    results = [a for a in answers if a["type"] == "Results"]
    finals = [r for r in results if r["is_final"]]
    said = " ".join(r["channel"]["alternatives"][0]["transcript"] for r in finals)
    assert error_rate(talk_opening[1], said) <= 0.15
    assert sum(r["speech_final"] for r in finals) >= 2
    assert answers[-1]["type"] == "Metadata"
    assert [round(r["start"], 2) for r in finals[1:]] == [round(r["start"] + r["duration"], 2) for r in finals[:-1]]


def test_noise_makes_no_words(live: Server, tmp_path: Path):
    noise = np.random.default_rng(0).standard_normal(5 * 16_000).astype(np.float32)
    hum = np.sin(2 * np.pi * 100 * np.arange(5 * 16_000) / 16_000).astype(np.float32)
    soundfile.write(tmp_path / "noise.flac", np.concatenate([0.05 * noise, 0.2 * hum, 0.3 * noise]), 16_000)
    heard = asyncio.run(converse(tmp_path / "noise.flac", live.url, speed=8.0, console=QUIET))
    assert heard.text == ""
    assert heard.messages[-1][1]["words"] == 0


def test_a_signal_lets_it_finish_what_was_said():
    sound, rate = pcm(clip("en", "counting")[0])
    with serving() as server, connect(server.url, compression=None) as socket:
        socket.send(json.dumps({"type": "start", "sample_rate": rate, "language": "en"}))
        socket.send(sound)
        while json.loads(socket.recv(60))["type"] != "partial":
            pass
        server.process.terminate()
        got = []
        with pytest.raises(ConnectionClosedError):
            while True:
                got.append(json.loads(socket.recv(60)))
        assert [m["type"] for m in got if m["type"] in ("final", "closed")] == ["final", "closed"]
        assert next(m["text"] for m in got if m["type"] == "final")
        assert socket.close_code == got[-1]["code"] == 1012
        assert server.process.wait(30) == 0
