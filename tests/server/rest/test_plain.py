from __future__ import annotations

import base64
import codecs
import contextlib
import itertools
import json
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, BinaryIO

import numpy as np
import pytest
import requests

from server.media import duration_s
from server.rest import plain
from tests.helpers import s16, talk
from tests.server.conftest import Running, Serve, wait_for
from tests.server.rest.conftest import SPEECH, SPEECH_S, WAV, Held, Post, form
from tests.sounds import encoded

AUDIO = base64.b64encode(WAV).decode()


def test_as_json(post: Post):
    answer = post("/asr", json={"audio": AUDIO, "language": "auto", "temperature": 0.2}).json()
    assert set(answer) == {"text", "segments", "confidence", "language", "duration"}
    assert answer["text"] == " ".join(s["text"] for s in answer["segments"]) and len(answer["segments"]) == 2
    assert answer["language"] == "en" and answer["duration"] == pytest.approx(SPEECH_S, abs=0.01)
    assert 0 < answer["confidence"] <= 1 and all(0 <= s["start"] < s["end"] <= SPEECH_S for s in answer["segments"])


def test_as_a_form(post: Post):
    assert post("/asr", **form(language="en")).json() == post("/asr", json={"audio": f"data:audio/wav;base64,{AUDIO}"}).json()


def several(*audio: str) -> dict[str, Any]:
    return {"files": [{"name": name, "audio": each} for name, each in zip(("a.wav", "b.wav", "c.wav"), audio, strict=True)]}


def test_one_bad_file_does_not_spoil_the_rest(post: Post):
    wanted = post("/asr", json={"audio": AUDIO}).json()
    for answer in (
        post("/asr", **form([("a.wav", WAV), ("b.wav", b"no sound"), ("c.wav", WAV)])).json(),
        post("/asr", json=several(AUDIO, "bm8=", AUDIO)).json(),
        post("/asr", json=several(AUDIO, "not base64!", AUDIO)).json(),
    ):
        first, second, third = answer["results"]
        assert first == {"file": "a.wav", **wanted} and third == {"file": "c.wav", **wanted}
        assert second["file"] == "b.wav" and second["error"]["code"] in ("invalid_file", "invalid_value")


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ({}, "audio"),
        ({"audio": ""}, "audio"),
        ({"audio": "not base64!"}, "audio"),
        ({"audio": 5}, "audio"),
        ({"audio": AUDIO, "langage": "en"}, "langage"),
        ({"audio": AUDIO, "language": 7}, "language"),
        ({"audio": AUDIO, "temperature": 2}, "temperature"),
        ({"audio": AUDIO, "temperature": True}, "temperature"),
        ({"audio": AUDIO, "text": {"redact": ["names"]}}, "redact"),
        ({"audio": AUDIO, "hotwords": ["x" * 101]}, "hotwords"),
        ({"audio": AUDIO, "prompt": 1}, "prompt"),
        ({"audio": AUDIO, "model": {}}, "model"),
        ({"audio": AUDIO, "hotwords": 0}, "hotwords"),
        ({"audio": AUDIO, "stream": "true"}, "stream"),
        ({"audio": AUDIO, "files": [{"audio": AUDIO}]}, "audio"),
        ({"files": []}, "files"),
        ({"files": [{"name": 1, "audio": AUDIO}]}, "files[0]"),
        ({"files": [{"audio": 1}]}, "files[0].audio"),
        ([], "message"),
    ],
)
def test_what_cannot_be_used_is_named(post: Post, content: Any, name: str):
    answer = post("/asr", json=content)
    assert answer.status_code == 400 and answer.json()["error"]["field"] in (name, f"text.{name}")


def test_base64_in_lines_and_json_with_a_byte_order_mark(post: Post):
    content = json.dumps({"audio": base64.encodebytes(WAV).decode()}).encode()
    answer = post("/asr", data=codecs.BOM_UTF8 + content, headers={"content-type": "application/json"})
    assert answer.json() == post("/asr", json={"audio": AUDIO}).json()


def test_json_is_taken_into_memory_so_it_is_small(post: Post):
    answer = post("/asr", data=b" " * (33 << 20), headers={"content-type": "application/json"})
    assert answer.status_code == 413 and "form" in answer.json()["error"]["message"]


@pytest.mark.parametrize(("charset", "text"), [("utf-7", b"+2AA-"), ("undefined", b"en")])
def test_forms_in_odd_charsets(post: Post, charset: str, text: bytes):
    body = b'--b\r\ncontent-disposition: form-data; name="language"\r\n\r\n' + text + b"\r\n--b--\r\n"
    answer = post("/asr", data=body, headers={"content-type": f"multipart/form-data; charset={charset}; boundary=b"})
    assert answer.status_code == 400 and answer.json()["error"]["code"] == "invalid_form"


def test_text_forms_and_hotwords(post: Post):
    plain = post("/asr", json={"audio": AUDIO}).json()["text"]
    first = plain.split()[0]
    answer = post("/asr", json={"audio": AUDIO, "hotwords": [{"text": "ZZ-9", "sounds_like": [first]}], "hotword_lists": ["gpu"]})
    assert answer.json()["text"].startswith("ZZ-9")


@pytest.mark.parametrize("place", ['"language": "\\ud800"', '"prompt": "\\ud800"', '"\\uD800": 1'])
def test_half_a_character_is_refused(post: Post, place: str):
    answer = post("/asr", data=f'{{"audio": "{AUDIO}", {place}}}', headers={"content-type": "application/json"})
    assert answer.status_code == 400 and answer.json()["error"]["code"] == "invalid_json"


def test_a_whole_character_in_escapes_is_not(post: Post):
    content = f'{{"audio": "{AUDIO}", "prompt": "\\ud83d\\ude00"}}'
    assert post("/asr", data=content, headers={"content-type": "application/json"}).ok


def events(answer: requests.Response) -> list[tuple[str, dict[str, Any]]]:
    """(name, content) of server-sent events."""
    assert answer.headers["content-type"].startswith("text/event-stream"), answer.text
    parts = [part.split("\n") for part in answer.content.decode().strip().split("\n\n")]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in parts]


@pytest.mark.parametrize("way", [form(stream="true"), form(stream="1"), {"json": {"audio": AUDIO, "stream": True}}])
def test_events_while_it_is_heard(post: Post, way: dict[str, Any]):
    told = events(post("/asr", **way))
    assert told[0] == ("progress", {"heard_s": 0.0, "duration_s": pytest.approx(SPEECH_S, abs=0.01)})
    heard = [content["heard_s"] for name, content in told if name == "progress"]
    assert heard == sorted(heard) and heard[-1] == pytest.approx(SPEECH_S, abs=0.01)
    finals = [content for name, content in told if name == "final"]
    assert len(finals) == 2 and all(final["words"] and final["text"] for final in finals)
    assert told[-1] == ("done", post("/asr", json={"audio": AUDIO}).json())


def test_events_tell_an_utterance_as_the_native_protocol_does(post: Post, running: Running):
    (_, told), *_ = [event for event in events(post("/asr", **form(stream="true"))) if event[0] == "final"]
    with running.session() as peer:
        peer.start()
        peer.socket.send(s16(SPEECH))
        peer.send("stop")
        peer.until("closed")
    final = peer.of("final")[0]
    del final["seq"]
    assert told.keys() == final.keys() and told["words"][0].keys() == final["words"][0].keys()
    assert (told["type"], told["utterance"], told["reason"]) == ("final", 0, "endpoint")


def test_the_length_is_told_only_where_the_container_has_it(post: Post):
    whole = encoded(talk(0.3, 1.5, 0.5, rate=48_000), "webm", 48_000)
    as_recorded = whole.replace(b"\x44\x89\x88", b"\xec\x81\x88", 1)  # browsers do not know it when they begin
    for data, length_s in ((whole, pytest.approx(2.3, abs=0.1)), (as_recorded, None)):
        told = events(post("/asr", **form([("a.webm", data)], stream="true")))
        assert [content["duration_s"] for name, content in told if name == "progress"][-1] == length_s
        assert told[-1][0] == "done" and told[-1][1]["text"]


def test_what_is_no_recording_is_refused_before_the_first_event(post: Post):
    answer = post("/asr", **form([("a.wav", b"no sound")], stream="true"))
    assert answer.status_code == 400 and answer.json()["error"]["code"] == "invalid_file"


def test_a_fault_under_way_is_an_event(serve: Serve):
    running = serve(max_file_s=2.0)
    answer = requests.post(f"http://{running.address}/asr", timeout=30, **form(stream="true"))
    name, content = events(answer)[-1]
    assert name == "error" and content["error"]["code"] == "invalid_file" and "2 s" in content["error"]["message"]


def test_who_waits_for_a_turn_is_told_so_and_who_goes_leaves_nothing_behind(serve: Serve):
    running = serve(recogniser := Held(), max_files=1)
    url, engine = f"http://{running.address}/asr", running.service.engines[0]
    with requests.post(url, stream=True, timeout=30, **form(stream="true")) as first:
        told = first.iter_lines()
        assert b"progress" in next(told)
        assert wait_for(lambda: engine.sessions == 1)
        with requests.post(url, stream=True, timeout=30, **form(stream="true")) as second:
            lines = second.iter_lines()
            assert [next(lines), json.loads(next(lines).removeprefix(b"data: "))["heard_s"]] == [b"event: progress", 0.0]
        assert wait_for(lambda: running.service.desk.turns._waiting == 0)
    assert wait_for(lambda: engine.sessions == 0)
    recogniser.let.set()


def test_the_bound_holds_also_for_those_who_come_at_once(serve: Serve, monkeypatch: pytest.MonkeyPatch):
    running = serve(recogniser := Held(), max_files=1, max_files_waiting=1)
    gates, looking = [threading.Event() for _ in range(3)], itertools.count()

    def looked_at(source: BinaryIO) -> float | None:
        gates[next(looking)].wait(30)
        return duration_s(source)

    monkeypatch.setattr(plain, "duration_s", looked_at)
    with ThreadPoolExecutor() as callers:
        answers = [callers.submit(requests.post, f"http://{running.address}/asr", timeout=30, **form(stream="1")) for _ in gates]
        turns = running.service.desk.turns
        for gate, waiting in zip(gates, (0, 1, 1), strict=True):
            gate.set()
            assert wait_for(lambda waiting=waiting: turns._places.locked() and turns._waiting == waiting)  # type: ignore[misc]
        assert wait_for(lambda: any(answer.done() for answer in answers))
        recogniser.let.set()
    assert sorted(answer.result().status_code for answer in answers) == [200, 200, 503]


@pytest.mark.parametrize("stream", ["true", "false"])
@pytest.mark.parametrize("is_in_time", [True, False])
def test_a_server_that_stops_finishes_recordings_or_says_so(serve: Serve, stream: str, is_in_time: bool):
    running = serve(recogniser := Held(), max_files=1, drain_s=20.0 if is_in_time else 0.0)
    engine, desk = running.service.engines[0], running.service.desk
    with ThreadPoolExecutor() as callers:
        way = form([("a.wav", WAV)] * (1 if stream == "true" else 2), stream=stream)
        first, second = (callers.submit(requests.post, f"http://{running.address}/asr", timeout=30, **way) for _ in range(2))
        assert wait_for(lambda: engine.sessions == 1 and len(desk.working) == 2)
        running.server.handle_exit(signal.SIGTERM, None)
        assert wait_for(lambda: running.service.admission.is_draining)
        if is_in_time:
            recogniser.let.set()
        results = [first.result(), second.result()]
        recogniser.let.set()
    for answer in results:
        last = events(answer)[-1][1] if stream == "true" else answer.json()
        assert last.get("error", {}).get("code") == (None if is_in_time else "shutting_down")
        assert answer.status_code == (200 if stream == "true" or is_in_time else 503)
        assert "error" not in str(last.get("results", ""))


@pytest.mark.parametrize("stream", ["true", "false"])
def test_nothing_is_read_any_more_when_the_recording_is_let_go_of(running: Running, capfd: pytest.CaptureFixture[str], stream: str):
    recording = [("file", ("a.wav", encoded(np.tile(SPEECH, 20), "wav", 16_000)))]
    for _ in range(20):
        with requests.Session() as caller, contextlib.suppress(requests.ReadTimeout):
            url = f"http://{running.address}/asr"
            answer = caller.post(url, stream=True, timeout=(5, 0.05), files=recording, data={"stream": stream})
            next(answer.iter_lines())
    assert wait_for(lambda: running.service.engines[0].sessions == 0)
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize(
    "way", [form([("a.wav", WAV), ("b.wav", WAV)], stream="true"), {"json": {"files": [{"audio": AUDIO}], "stream": True}}]
)
def test_events_are_of_one_recording(post: Post, way: dict[str, Any]):
    error = post("/asr", **way).json()["error"]
    assert error["field"] == "stream" and "one recording" in error["message"]


def test_hotwords_in_a_form_may_be_one_list(post: Post):
    first = post("/asr", **form()).json()["text"].split()[0]
    listed = json.dumps(["LoRA", {"text": "ZZ-9", "sounds_like": [first], "weight": 2}])
    assert post("/asr", **form(hotwords=listed)).json()["text"].startswith("ZZ-9")
    assert post("/asr", **form(hotwords=["LoRA", "RoPE"])).ok
    for bad in ("[1]", "[", '["x", {"txt": 1}]'):
        error = post("/asr", **form(hotwords=bad)).json()["error"]
        assert error["field"] == "hotwords" and "expected" in error["message"]


def test_endpointing(post: Post):
    for way in (lambda e: form(endpointing=json.dumps(e)), lambda e: {"json": {"audio": AUDIO, "endpointing": e}}):
        found = [post("/asr", **way({"silence_ms": silence_ms})).json()["segments"] for silence_ms in (500, 2_000)]
        assert [len(segments) for segments in found] == [2, 1]
        for bad, name in (({"silence_ms": 1}, "endpointing.silence_ms"), ({"x": 1}, "endpointing.x"), ([], "endpointing")):
            assert post("/asr", **way(bad)).json()["error"]["field"] == name
