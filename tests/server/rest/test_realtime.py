from __future__ import annotations

import json
import re
import time

import pytest
import requests
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.server.conftest import Running, Serve
from tests.server.rest.conftest import Post

SESSION = {"type": "transcription", "audio": {"input": {"transcription": {"language": "en"}, "turn_detection": None}}}


def test_a_key_carries_the_settings_of_its_sessions(serve: Serve):
    running = serve(keys=(b"right",))
    made = secret(running, "right", {"session": SESSION, "expires_after": {"anchor": "created_at", "seconds": 60}}).json()
    assert made["value"].startswith("ek_") and re.fullmatch("sess_[0-9a-f]{32}", made["session"]["id"])
    assert made["session"]["audio"]["input"]["turn_detection"] is None
    offered = ["realtime", f"openai-insecure-api-key.{made['value']}"]
    with connect(running.url("/v1/realtime?intent=transcription"), subprotocols=offered, compression=None) as socket:  # type: ignore[arg-type]
        assert socket.subprotocol == "realtime"
        session = json.loads(socket.recv(10))["session"]
    assert session["audio"]["input"]["transcription"]["language"] == "en" and session["audio"]["input"]["turn_detection"] is None


def secret(running: Running, key: str, content: object) -> requests.Response:
    return requests.post(
        f"http://{running.address}/v1/realtime/client_secrets", json=content, headers={"Authorization": f"Bearer {key}"}, timeout=10
    )


def test_only_who_has_a_real_key_gets_a_short_one(serve: Serve):
    running = serve(keys=(b"right",))
    assert secret(running, "wrong", {}).status_code == 401
    short = secret(running, "right", {}).json()["value"]
    assert secret(running, short, {}).status_code == 401
    for bad in ("ek_made-up", short[:-1]):
        with (
            pytest.raises(InvalidStatus),
            connect(running.url("/v1/realtime"), additional_headers={"Authorization": f"Bearer {bad}"}),
        ):
            pass


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ({"expires_after": {"seconds": 5}}, "seconds"),
        ({"expires_after": {"anchor": "now"}}, "expires_after.anchor"),
        ({"session": []}, "session"),
        (
            {"session": {"type": "transcription", "audio": {"input": {"format": {"type": "audio/midi"}}}}},
            "session.audio.input.format.type",
        ),
    ],
)
def test_what_cannot_be_used_is_named(post: Post, content: object, name: str):
    answer = post("/v1/realtime/client_secrets", json=content)
    assert answer.status_code == 400 and answer.json()["error"]["param"] == name


def test_what_came_before_it(post: Post):
    asked = {"input_audio_format": "g711_ulaw", "client_secret": {"expires_at": {"anchor": "created_at", "seconds": 20}}}
    made = post("/v1/realtime/transcription_sessions", json=asked).json()
    assert made["client_secret"]["value"].startswith("ek_") and made["input_audio_format"] == "g711_ulaw"
    assert 0 < made["client_secret"]["expires_at"] - time.time() <= 20 and "audio" not in made


@pytest.mark.parametrize("path", ["/v1/realtime/client_secrets", "/v1/realtime/transcription_sessions", "/v1/auth/grant"])
def test_no_body_asks_for_what_is_usual_and_a_blank_one_is_no_json(post: Post, path: str):
    assert post(path).status_code == 200
    refused = post(path, data=b" ", headers={"content-type": "application/json"})
    assert refused.status_code == 400 and "JSON" in refused.text
