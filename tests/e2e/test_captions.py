"""Captions of real speech by the embedded model: in a room with viewers, and of a recording while it is heard."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import requests
from websockets.sync.client import ClientConnection, connect

from bench.live import Server
from bench.score import errors, tokens
from server.media import blocks
from tests.helpers import s16


def error_rate(text: str, heard: str) -> float:
    reference = tokens(text, "en")
    return errors(reference, tokens(heard, "en")) / len(reference)


def until(socket: ClientConnection, kind: str) -> list[dict[str, Any]]:
    """Messages up to the first of this kind."""
    got: list[dict[str, Any]] = []
    while not got or got[-1]["type"] != kind:
        got.append(json.loads(socket.recv(60)))
    return got


def test_a_viewer_reads_what_is_said_and_a_late_one_all_of_it(live: Server, talk_opening: tuple[Path, str]):
    room = live.url.replace("/v1/stream", "/v1/captions/a-talk-that-is-tested")
    key = {"additional_headers": {"Authorization": "Bearer the key of this test"}}
    with connect(room, compression=None) as viewer, connect(f"{room}?role=speaker", compression=None, **key) as speaker:
        speaker.send(json.dumps({"type": "start", "language": "en"}))
        for block in blocks(talk_opening[0]):
            speaker.send(s16(block))
        speaker.send(json.dumps({"type": "stop"}))
        told = [m for m in until(speaker, "closed") if m["type"] == "final" and m["text"]]
        until(viewer, "speaker")
        seen = [m for m in until(viewer, "speaker") if m["type"] == "final"]
    with connect(room, compression=None) as late:
        (about,) = until(late, "room")
    assert about["history"] == seen and [m["text"] for m in seen] == [m["text"] for m in told]
    assert error_rate(talk_opening[1], " ".join(m["text"] for m in seen)) <= 0.15


def test_a_recording_is_told_while_it_is_heard(live: Server, talk_opening: tuple[Path, str]):
    url = live.url.replace("ws:", "http:").replace("/v1/stream", "/asr")
    with talk_opening[0].open("rb") as file:
        answer = requests.post(url, files={"file": file}, data={"stream": "true"}, timeout=120)
    events = [part.split("\n") for part in answer.content.decode().strip().split("\n\n")]
    told = [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in events]
    finals, (last, done) = [content for name, content in told if name == "final"], told[-1]
    heard = [content for name, content in told if name == "progress"]
    assert last == "done" and done["text"] == " ".join(final["text"] for final in finals) and len(finals) > 1
    assert heard[-1]["heard_s"] == pytest.approx(heard[0]["duration_s"], abs=0.1)
    assert error_rate(talk_opening[1], done["text"]) <= 0.15
