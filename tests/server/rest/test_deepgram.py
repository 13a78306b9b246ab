"""Deepgram's calls with its own SDK; answers are validated with its classes, strictly."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import numpy as np
import pytest
import requests
from deepgram import DeepgramClient
from deepgram.environment import DeepgramClientEnvironment
from deepgram.types.listen_v1response import ListenV1Response
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.helpers import talk
from tests.server.conftest import Running, Serve
from tests.server.rest.conftest import SPEECH, SPEECH_S, WAV, Post
from tests.sounds import encoded

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "websockets.* is deprecated", DeprecationWarning)  # the SDK knows old ones too
    import deepgram.listen.v1.client  # noqa: F401

LIVE = "/v1/listen?encoding=linear16&sample_rate=16000"


@contextmanager
def client(running: Running, key: str = "none") -> Iterator[DeepgramClient]:
    http, ws = f"http://{running.address}", f"ws://{running.address}"
    places = DeepgramClientEnvironment(base=http, production=ws, agent=ws, agent_rest=http)
    with httpx.Client() as connection:
        yield DeepgramClient(api_key=key, environment=places, httpx_client=connection)


def test_a_recording(running: Running, post: Post):
    with client(running) as deepgram:
        found = deepgram.listen.v1.media.transcribe_file(request=WAV, model="nova-3", smart_format=True, utterances=True)
    assert isinstance(found, ListenV1Response)
    (channel,) = found.results.channels
    assert channel.alternatives[0].transcript == " ".join(u.transcript for u in found.results.utterances)
    content = post("/v1/listen?model=nova-3", data=WAV, headers={"content-type": "audio/wav"}).json()
    ListenV1Response.model_validate(content, strict=False)
    assert content["metadata"]["sha256"] == hashlib.sha256(WAV).hexdigest()
    assert content["metadata"]["duration"] == pytest.approx(SPEECH_S, abs=0.01) and "utterances" not in content["results"]


def test_paragraphs(post: Post):
    sound = encoded(talk(0.3, 1.2, 0.8, 1.0, 3.0, 1.2, 1.0), "wav", 16_000)  # two utterances, a long pause, one more
    content = post("/v1/listen?smart_format=true", data=sound).json()
    (best,) = content["results"]["channels"][0]["alternatives"]
    ListenV1Response.model_validate(content, strict=False)
    first, second = best["paragraphs"]["paragraphs"]
    assert best["paragraphs"]["transcript"].replace("\n\n", " ") == best["transcript"]
    assert second["start"] - first["end"] > 2.0 and first["num_words"] + second["num_words"] == len(best["words"])
    assert " ".join(s["text"] for p in (first, second) for s in p["sentences"]) == best["transcript"]


@pytest.mark.parametrize(("encoding", "codec"), [("linear16", "<i2"), ("linear32", "<f4")])
def test_bare_samples(post: Post, encoding: str, codec: str):
    data = (SPEECH * (32_767 if codec == "<i2" else 1)).astype(codec).tobytes()
    query = f"encoding={encoding}&sample_rate=16000"
    answer = post(f"/v1/listen?{query}", data=data)
    content = answer.json()
    assert content["results"]["channels"][0]["alternatives"][0]["words"]
    assert content["metadata"]["duration"] == pytest.approx(SPEECH_S, abs=0.01)
    assert content["metadata"]["sha256"] == hashlib.sha256(data).hexdigest()
    assert answer.headers["dg-request-id"] == content["metadata"]["request_id"]
    two = post(f"/v1/listen?{query}&channels=2&multichannel=true", data=np.repeat(np.frombuffer(data, codec), 2).tobytes()).json()
    assert two["results"]["channels"] == content["results"]["channels"] * 2


def test_channels_kept_apart(post: Post):
    left, right = talk(0.3, 1.2, 2.5), talk(2.0, 0.9, 1.1)
    both = encoded(np.stack([left, right]), "wav", 16_000)
    content = post("/v1/listen?multichannel=true&utterances=true", data=both).json()
    assert content["metadata"]["channels"] == len(content["results"]["channels"]) == 2
    alone = [post("/v1/listen", data=encoded(each, "wav", 16_000)).json() for each in (left, right)]
    assert content["results"]["channels"] == [answer["results"]["channels"][0] for answer in alone]
    assert [u["channel"] for u in content["results"]["utterances"]] == [0, 1]
    assert content["metadata"]["duration"] == pytest.approx(4.0, abs=0.01)
    one = post("/v1/listen?multichannel=true", data=WAV).json()
    assert one["metadata"]["channels"] == 1


@pytest.mark.parametrize(
    ("query", "body", "name"),
    [
        ("diarize=true", WAV, "diarize"),
        ("redact=names", WAV, "redact"),
        ("", b"", "body"),
        ("encoding=mulaw&sample_rate=8000", b"", "body"),
        ("encoding=mulaw", WAV, "sample_rate"),
        ("summarize=v2", WAV, "summarize"),
        ("", b"no sound", "file"),
        ("utterances=2", WAV, "utterances"),
        ("multichannel=2", WAV, "multichannel"),
        ("multichannel=true", b"no sound", "file"),
    ],
)
def test_what_cannot_be_used_is_named(post: Post, query: str, body: bytes, name: str):
    answer = post(f"/v1/listen?{query}", data=body)
    assert answer.status_code == 400 and answer.json()["error"]["param"] == name and answer.json()["err_msg"]


def test_nothing_is_fetched_from_elsewhere(post: Post):
    assert "fetches nothing" in post("/v1/listen", json={"url": "http://127.0.0.1/a.wav"}).json()["err_msg"]


def test_short_tokens(serve: Serve):
    running = serve(keys=(b"right",))
    with client(running, "right") as deepgram:
        granted = deepgram.auth.v1.tokens.grant(ttl_seconds=60)
    assert granted.expires_in == 60
    bearer = {"Authorization": f"Bearer {granted.access_token}"}
    with connect(running.url(LIVE), additional_headers=bearer, compression=None):
        pass
    with connect(running.url(LIVE), subprotocols=["token", granted.access_token], compression=None):  # type: ignore[list-item]
        pass
    assert requests.post(f"http://{running.address}/v1/auth/grant", headers=bearer, timeout=10).status_code == 401
    with pytest.raises(InvalidStatus), connect(running.url("/v1/stream"), additional_headers=bearer):
        pass
