from __future__ import annotations

import base64
import codecs
import json
from typing import Any

import pytest

from tests.server.rest.conftest import SPEECH_S, WAV, Post, form

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
