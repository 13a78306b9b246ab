from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from model.interfaces import Word
from server.rest.desk import Transcript
from server.rest.openai import Wanted, language_name, rendered
from streaming.commands import SessionConfig
from streaming.events import FinalTranscript
from streaming.text.style import TextStyle
from tests.server.conftest import Running, Serve
from tests.server.rest.conftest import SPEECH_S, Post, form

PATH = "/v1/audio/transcriptions"


def test_json(post: Post):
    answer = post(PATH, **form(model="whisper-1")).json()
    assert answer["text"] and answer["usage"] == {"type": "duration", "seconds": 6}
    assert [language["code"] for language in answer["languages"]] == ["en"]


def test_logprobs(post: Post):
    answer = post(PATH, **form(include__="logprobs")).json()
    assert "".join(each["token"] for each in answer["logprobs"]).split() == answer["text"].split()
    assert all(bytes(each["bytes"]).decode() == each["token"] and each["logprob"] <= 0 for each in answer["logprobs"])


@pytest.mark.parametrize("name", ["timestamp_granularities", "timestamp_granularities__"])
def test_verbose_json(post: Post, name: str):
    answer = post(PATH, **form(response_format="verbose_json", **{name: ["word", "segment"]})).json()
    assert (
        answer["task"] == "transcribe"
        and answer["language"] == "english"
        and answer["duration"] == pytest.approx(SPEECH_S, abs=0.01)
    )
    assert [s["id"] for s in answer["segments"]] == [0, 1]
    assert " ".join(w["word"] for w in answer["words"]) == answer["text"] == "".join(s["text"] for s in answer["segments"]).strip()
    times = [t for w in answer["words"] for t in (w["start"], w["end"])]
    assert times == sorted(times) and times[-1] <= SPEECH_S
    assert all(s["avg_logprob"] <= 0 and s["compression_ratio"] > 0 for s in answer["segments"])


def test_verbose_json_has_segments_unless_words_are_asked_for(post: Post):
    assert "words" not in post(PATH, **form(response_format="verbose_json")).json()
    assert "segments" not in post(PATH, **form(response_format="verbose_json", timestamp_granularities__="word")).json()


@pytest.mark.parametrize("style", [TextStyle(redact=("email",)), TextStyle(profanity=False)])
def test_tokens_do_not_tell_what_the_text_keeps_back(style: TextStyle):
    heard = Transcript([FinalTranscript(0, (Word(" [email]", 0, 16_000, 1.0, (7, 8)),), 0, 16_000, "en")])
    for text, tokens in ((style, []), (TextStyle(), [7, 8])):
        wanted = Wanted("verbose_json", False, frozenset(["segment"]), False, SessionConfig(text=text))
        (segment,) = json.loads(rendered(heard, wanted).body)["segments"]
        assert segment["tokens"] == tokens


def test_texts(post: Post):
    plain = post(PATH, **form(response_format="text"))
    assert plain.headers["content-type"].startswith("text/plain") and plain.text.endswith("\n")
    assert post(PATH, **form(response_format="srt")).text.startswith("1\n00:00:00,")
    assert post(PATH, **form(response_format="vtt")).text.startswith("WEBVTT\n\n00:00:00.")


def events(answer: requests.Response) -> list[dict[str, Any]]:
    lines = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


def test_a_stream_of_events(post: Post):
    answer = post(PATH, **form(stream="true"))
    assert answer.headers["content-type"].startswith("text/event-stream") and answer.headers["x-accel-buffering"] == "no"
    *deltas, done = events(answer)
    assert {d["type"] for d in deltas} == {"transcript.text.delta"} and len(deltas) == 2
    assert done["type"] == "transcript.text.done" and "".join(d["delta"] for d in deltas) == done["text"]
    assert ": 5." in answer.text  # progress, as a comment


def test_a_stream_tells_what_is_wrong(post: Post):
    answer = post(PATH, **form([("a.wav", b"no sound")], stream="true"))
    (line,) = [line for line in answer.text.splitlines() if line.startswith("data: ")]
    assert json.loads(line.removeprefix("data: "))["error"]["code"] == "invalid_file"


@pytest.mark.parametrize(
    "strategy",
    [
        {"chunking_strategy": "auto"},
        {"chunking_strategy": '{"type": "server_vad", "silence_duration_ms": 2000}'},
        {"chunking_strategy[type]": "server_vad", "chunking_strategy[silence_duration_ms]": "2000"},
    ],
)
def test_chunking(post: Post, strategy: dict[str, str]):
    answer = post(PATH, **form(response_format="verbose_json", **strategy)).json()
    assert len(answer["segments"]) == (2 if strategy == {"chunking_strategy": "auto"} else 1)


@pytest.mark.parametrize(
    ("fields", "name", "shown"),
    [
        ({"response_format": "xml"}, "response_format", "xml"),
        ({"response_format": "diarized_json"}, "response_format", "speakers"),
        ({"temperature": "1.5"}, "temperature", "0 to 1"),
        ({"temperature": "warm"}, "temperature", "warm"),
        ({"model": "large"}, "model", "large"),
        ({"model": "x" * 100_000}, "model", "scripted"),
        ({"timestamp_granularities__": "word"}, "timestamp_granularities", "verbose_json"),
        ({"include__": "speakers"}, "include", "speakers"),
        ({"known_speaker_names__": "Ann"}, "known_speaker_names", "speakers"),
        ({"chunking_strategy": "[1]"}, "chunking_strategy", "server_vad"),
        ({"chunking_strategy": '{"type": "\\ud800"}'}, "chunking_strategy", "server_vad"),
        ({"prompt": "x" * 4_001}, "prompt", "4,000"),
        ({"keywords__": "x" * 101}, "keywords", "keyword of 101"),
        ({"stream": "perhaps"}, "stream", "perhaps"),
    ],
)
def test_what_cannot_be_used_is_named(post: Post, fields: dict[str, str], name: str, shown: str):
    answer = post(PATH, **form(**fields))
    error = answer.json()["error"]
    assert answer.status_code == 400 and error["type"] == "invalid_request_error"
    assert error["param"] == name and shown in error["message"]


def test_files_that_are_not_there_or_no_sound(post: Post):
    assert post(PATH, data={"model": "x"}, files={"other": b"x"}).json()["error"]["param"] == "model"
    assert post(PATH, files={"other": b"x"}).json()["error"]["param"] == "file"
    assert "filename" in post(PATH, files={"file": (None, b"x")}).json()["error"]["message"]
    assert post(PATH, json={}).status_code == 415
    answer = post(PATH, **form([("a.wav", b"no sound")]))
    assert answer.status_code == 400 and "expected WAV, MP3" in answer.json()["error"]["message"]


def test_too_large_a_body(serve: Serve):
    running = serve(max_file_mb=1)
    data = b"0" * (1 << 20)
    for body in (data + b"1", iter([data, b"1" * 1000])):
        answer = requests.post(f"http://{running.address}/v1/listen", data=body, timeout=30)
        assert answer.status_code == 413 and "1 MiB" in answer.json()["error"]["message"]


def test_models(running: Running):
    base = f"http://{running.address}/v1/models"
    listed = requests.get(base, timeout=10).json()
    assert listed["object"] == "list" and {model["object"] for model in listed["data"]} == {"model"}
    name = listed["data"][0]["id"]
    assert requests.get(f"{base}/{name}", timeout=10).json()["id"] == name
    assert requests.get(f"{base}/nothing", timeout=10).status_code == 404


def test_it_does_not_translate(post: Post):
    assert "translate" in post("/v1/audio/translations", **form()).json()["error"]["message"]


@pytest.mark.parametrize(("code", "name"), [("en", "english"), ("yue", "cantonese"), ("zh", "chinese"), ("q1", "q1")])
def test_names_of_languages(code: str, name: str):
    assert language_name(code) == name
