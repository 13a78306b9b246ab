from __future__ import annotations

import asyncio
import concurrent.futures
import json
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import requests
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from model.interfaces import Hotword, Hypothesis, StepRequest
from model.scripted import ScriptedRecogniser
from server.app import Service, capacity
from server.config import Config
from streaming.biasing import HotwordList
from streaming.errors import RecogniserFailed
from tests.helpers import s16, silence, talk
from tests.server.conftest import SPEECH, Peer, Running, Serve, wait_for


def get(running: Running, path: str, **headers: str) -> tuple[int, str, dict[str, str]]:
    request = urllib.request.Request(f"http://{running.address}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode(), dict(answer.headers)
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), dict(error.headers)


def refused(running: Running, path: str = "/v1/stream", **options: object) -> InvalidStatus:
    with pytest.raises(InvalidStatus) as caught, connect(running.url(path), compression=None, **options):  # type: ignore[arg-type]
        pass
    return caught.value


def test_a_conversation(running: Running) -> None:
    with running.session() as peer:
        ready = peer.start(language="en")
        assert ready["config"]["language"] == "en" and ready["config"]["format"] == "s16le"
        peer.socket.send(SPEECH)
        peer.send("flush", marker="m1")
        assert peer.until("flushed")["marker"] == "m1"
        peer.send("stop")
        closed = peer.until("closed")
    (final,) = peer.of("final")
    assert final["text"] and final["words"][0]["start"] < final["words"][0]["end"]
    assert closed["code"] == 1000 and closed["words"] == len(final["words"]) and closed["utterances"] == 1
    assert [m["seq"] for m in peer.got] == list(range(1, len(peer.got) + 1))
    assert peer.socket.close_code == 1000


def test_stable_words_never_change_and_the_final_starts_with_them(running: Running) -> None:
    with running.session() as peer:
        peer.start()
        speech = s16(talk(0.2, 4.8))
        for at in range(0, len(speech), 32_000):
            peer.socket.send(speech[at : at + 32_000])
            peer.until("partial")
        peer.send("stop")
        peer.until("closed")
    stable: list[str] = []
    for partial in peer.of("partial"):
        texts = [word["text"] for word in partial["stable"]]
        assert texts[: len(stable)] == stable
        stable = texts
    final = [word["text"] for word in peer.of("final")[0]["words"]]
    assert stable and final[: len(stable)] == stable


def test_health_readiness_metrics_and_the_front_page(running: Running) -> None:
    with running.session() as peer:
        peer.start()
        peer.socket.send(SPEECH)
        peer.send("stop")
        peer.until("closed")
    assert get(running, "/healthz")[:2] == (200, '{"status":"ok"}')
    assert json.loads(get(running, "/readyz")[1])["capacity"] == running.service.admission.capacity
    metrics = get(running, "/metrics")[1]
    assert "stenoline_finals_total 1.0" in metrics and "stenoline_step" in metrics
    assert "Stenoline" in get(running, "/")[1]
    assert get(running, "/nothing")[0] == 404


def test_a_full_server_says_when_to_come_back_and_a_place_is_given_back(serve: Serve) -> None:
    running = serve(max_sessions=1)
    with running.session() as peer:
        peer.start()
        answer = refused(running).response
        assert answer.status_code == 503 and int(answer.headers["retry-after"]) > 0
        assert json.loads(answer.body)["error"]["code"] == "overloaded"
        peer.socket.socket.close()  # gone without a word
    assert wait_for(lambda: running.service.admission.live == 0)
    with running.session() as peer:
        peer.start()


def test_a_handshake_that_fails_takes_no_place(serve: Serve) -> None:
    running = serve(max_sessions=1)
    for _ in range(3):
        assert refused(running, "/v1/listen?encoding=nonsense").response.status_code == 400
    with running.session() as peer:
        peer.start()


def test_many_short_sessions_leave_nothing_behind(serve: Serve) -> None:
    recogniser = ScriptedRecogniser()
    running = serve(recogniser, max_sessions=4)
    for _ in range(1_000):
        with running.session() as peer:
            peer.start()
            peer.socket.send(SPEECH[:30_000])
    assert wait_for(lambda: running.service.admission.live == 0)
    assert wait_for(lambda: recogniser.open_streams == ())
    assert running.service.engines[0]._listeners == {}


def test_sixteen_sessions_at_once_get_what_each_said(serve: Serve) -> None:
    running = serve(max_sessions=16)
    alone = []
    for i in range(4):
        with running.session() as peer:
            alone.append(said(peer, s16(talk(0.2 + 0.1 * i, 1.0 + 0.4 * i, 0.7))))

    def one(i: int) -> str:
        with running.session() as peer:
            return said(peer, s16(talk(0.2 + 0.1 * (i % 4), 1.0 + 0.4 * (i % 4), 0.7)))

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert list(pool.map(one, range(16))) == alone * 4


def said(peer: Peer, pcm: bytes) -> str:
    peer.start()
    for at in range(0, len(pcm), 3_200):
        peer.socket.send(pcm[at : at + 3_200])
    peer.send("stop")
    peer.until("closed")
    return " ".join(final["text"] for final in peer.of("final"))


class Faulty(ScriptedRecogniser):
    """Fails on its first step."""

    steps = 0

    def step(self, batch: list[StepRequest]) -> list[Hypothesis]:  # type: ignore[override]
        self.steps += 1
        if self.steps == 1:
            raise RuntimeError("no such kernel")
        return super().step(batch)


def test_a_step_that_fails_costs_its_utterance_and_not_the_session(serve: Serve) -> None:
    running = serve(Faulty())
    with running.session() as peer:
        peer.start()
        peer.socket.send(SPEECH)
        peer.send("flush", marker="one")
        peer.until("flushed")
        (error,) = peer.of("error")
        assert error["code"] == "recogniser_failed" and not error["fatal"]
        assert [f["reason"] for f in peer.of("final")] == ["error"]
        peer.socket.send(SPEECH)
        peer.send("stop")
        peer.until("closed")
    assert peer.of("final")[-1]["text"]


def test_draining_finishes_what_was_said_and_takes_nobody_new(serve: Serve) -> None:
    running = serve()
    with running.session() as peer:
        peer.start()
        peer.socket.send(s16(talk(0.3, 1.5)))
        peer.until("speech_started")
        loop = running.server._loop
        assert loop is not None
        draining = asyncio.run_coroutine_threadsafe(running.service.drain(), loop)
        closed = peer.until("closed")
        assert closed["code"] == 1012 and peer.of("final")[0]["text"]
        with pytest.raises(ConnectionClosed):
            peer.socket.recv(10)
        assert peer.socket.close_code == 1012
    draining.result(10)
    assert refused(running).response.status_code == 503
    assert get(running, "/readyz")[0] == 503 and get(running, "/healthz")[0] == 200


def test_silence_makes_no_text(running: Running) -> None:
    with running.session() as peer:
        peer.start()
        peer.socket.send(s16(silence(3.0)))
        peer.send("stop")
        assert peer.until("closed")["words"] == 0


def test_sessions_go_to_the_engine_with_the_fewest():
    service = Service(Config(max_sessions=12), [ScriptedRecogniser() for _ in range(3)])
    for number in range(6):
        service._least_loaded().attach(f"session-{number}", lambda *_: None)
    assert [engine.sessions for engine in service.engines] == [2, 2, 2]
    service.engines[1]._listeners.clear()
    assert service._least_loaded() is service.engines[1]
    service.engines[1].is_able = False
    assert service._least_loaded() is not service.engines[1] and service.admission.check() is None
    for engine in service.engines:
        engine.is_able = False
    assert isinstance(service.admission.check(), RecogniserFailed)


def test_capacity_is_that_of_all_devices():
    two = [ScriptedRecogniser(capacity=10), ScriptedRecogniser(capacity=20)]
    assert capacity(Config(max_sessions=500), two) == 15
    assert capacity(Config(device="cuda:0,cuda:1"), [ScriptedRecogniser(capacity=10_000)] * 2) == 500


PAGE = "https://captions.example"


@pytest.mark.parametrize(("origin", "is_let_in"), [(PAGE, True), ("http://localhost:3000", True), ("https://evil.example", False)])
def test_pages_that_are_let_in_can_read_the_answers(serve: Serve, origin: str, is_let_in: bool):
    running = serve(allow_origin=(PAGE,), keys=(b"right",))
    url, wanted = f"http://{running.address}/v1/models", origin if is_let_in else None
    asked = {"origin": origin, "access-control-request-method": "POST", "access-control-request-headers": "authorization"}
    before = requests.options(url, headers=asked, timeout=10)
    assert before.ok is is_let_in and before.headers.get("access-control-allow-origin") == wanted
    answer = requests.get(url, headers={"origin": origin, "x-api-key": "right"}, timeout=10)
    assert answer.ok is is_let_in and answer.headers.get("access-control-allow-origin") == wanted
    assert requests.get(url, headers={"origin": origin}, timeout=10).status_code == (401 if is_let_in else 403)


@pytest.mark.parametrize("settings", [{"allow_origin": ("*",)}, {"host": "0.0.0.0", "insecure": True}])
def test_no_page_may_read_what_the_gate_or_the_settings_do_not_name(serve: Serve, settings: dict[str, object]):
    running = serve(**settings)
    for origin in ("https://evil.example", "null", "http://localhost.evil.example"):
        answer = requests.get(f"http://{running.address}/healthz", headers={"origin": origin}, timeout=10)
        assert "access-control-allow-origin" not in answer.headers
        assert requests.get(f"http://{running.address}/v1/models", headers={"origin": origin}, timeout=10).status_code == 403


def test_lists_of_hotwords_are_prepared_on_all_devices(tmp_path: Path):
    prepared = list[tuple[int, HotwordList]]()
    recognisers = [ScriptedRecogniser() for _ in range(2)]
    for number, recogniser in enumerate(recognisers):
        recogniser.prepare = lambda hotwords, number=number: prepared.append((number, hotwords))  # type: ignore[method-assign,misc]
    (tmp_path / "own.txt").write_text("LoRA\n")
    Service(Config(hotwords=str(tmp_path / "own.txt")), recognisers)
    assert prepared == [(number, (Hotword("LoRA"),)) for number in range(2)]
