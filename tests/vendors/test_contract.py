"""Every dialect, driven by the vendor's own client (or one that speaks as it does): the same talk gives the same words.

Each client checks the messages it gets against its own types and the order they come in; here the texts are compared.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import soundfile
from rich.console import Console

from bench.live import Server, serving
from bench.score import errors, tokens
from scripts.vendors import is_ready, python_of
from server.run import listen
from server.stream import converse

CLIENTS = Path(__file__).parent / "clients"
LIMIT_S = 120


@dataclass(frozen=True)
class Client:
    """A client and the environment that it runs in."""

    environment: str
    script: str
    url: str  # {http}, {ws} or {wyoming} stand for the server's addresses


# What a word is heard as depends on how much had come when partials settled it, so on the pace and the load of the machine:
# that all dialects give the very same text is held where the pace is fixed, in tests/server/protocols/test_conformance.py.
DIFFERS = 0.1  # share of words; an utterance that is lost or comes twice is a quarter of them

TABLE = [
    Client("openai-new", "openai_realtime", "{http}/v1"),
    Client("openai-1x", "openai_beta_realtime", "{http}/v1"),
    Client("openai-new", "openai_rest", "{http}"),
    Client("openai-1x", "openai_rest", "{http}"),
    Client("deepgram-new", "deepgram_live", "{http}"),
    Client("deepgram-7-7", "deepgram_live", "{http}"),
    Client("deepgram-new", "deepgram_rest", "{http}"),
    Client("deepgram-7-7", "deepgram_rest", "{http}"),
    Client("wyoming-new", "wyoming_client", "{wyoming}"),
    Client("wyoming-old", "wyoming_client", "{wyoming}"),
    Client("websockets", "vosk_loop", "{ws}"),
    Client("websockets", "whisper_live_client", "{ws}"),
    Client("pipecat", "pipecat_openai", "{ws}"),
    Client("pipecat", "pipecat_deepgram", "{ws}"),
    Client("livekit", "livekit_openai", "{http}"),
    Client("livekit", "livekit_deepgram", "{http}"),
]


@dataclass(frozen=True)
class Target:
    """A server, and what it hears in the native protocol."""

    server: Server
    wyoming: str
    wav: Path
    words: list[str]

    def url(self, form: str) -> str:
        ws = self.server.url.removesuffix("/v1/stream")
        return form.format(http=ws.replace("ws", "http", 1), ws=ws, wyoming=self.wyoming)


@pytest.fixture(scope="module")
def target(talk_opening: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    wav = tmp_path_factory.mktemp("contract") / "opening.wav"
    sound, rate = soundfile.read(talk_opening[0], dtype="int16")
    soundfile.write(wav, sound, rate, subtype="PCM_16")
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
    with serving("--wyoming-port", str(port)) as server:
        heard = asyncio.run(converse(wav, server.url, language="en", speed=4.0, console=Console(quiet=True)))
        words = tokens(heard.text)
        reference = tokens(talk_opening[1])
        assert errors(reference, words) <= 0.15 * len(reference)
        yield Target(server, f"tcp://127.0.0.1:{port}", wav, words)


@pytest.mark.parametrize("client", TABLE, ids=lambda client: f"{client.script}-{client.environment}")
def test_the_same_words_through_each_dialect(client: Client, target: Target):
    assert is_ready(client.environment), f"the environment {client.environment} is missing: make vendors"
    command = [str(python_of(client.environment)), str(CLIENTS / f"{client.script}.py"), target.url(client.url), str(target.wav)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S)
    assert done.returncode == 0, done.stderr[-4_000:]
    found = json.loads(done.stdout.strip().splitlines()[-1])
    assert errors(target.words, tokens(found["text"])) <= DIFFERS * len(target.words), found["text"]
    assert found["events"] > 0 and found["first_partial_s"] >= 0
