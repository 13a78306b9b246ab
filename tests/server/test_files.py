"""Recordings on their way through the engine: bounds, faults, callers that go away."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Sequence

import pytest
import requests

from model.interfaces import Hypothesis, StepRequest
from model.scripted import ScriptedRecogniser
from server.files import Turns
from streaming.errors import Overloaded
from tests.helpers import talk
from tests.server.conftest import Running, Serve, wait_for
from tests.sounds import encoded

LONG = encoded(talk(*[0.8, 1.5] * 30), "flac", 16_000)
PATH = "/v1/audio/transcriptions"


class Slow(ScriptedRecogniser):
    """Takes its time."""

    def step(self, batch: Sequence[StepRequest]) -> list[Hypothesis]:
        time.sleep(0.05)
        return super().step(batch)


class Held(ScriptedRecogniser):
    """Gives no answer until it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may_go = threading.Event()

    def step(self, batch: Sequence[StepRequest]) -> list[Hypothesis]:
        self.may_go.wait(20)
        return super().step(batch)


class Failing(ScriptedRecogniser):
    """Cannot."""

    def step(self, batch: Sequence[StepRequest]) -> list[Hypothesis]:
        raise RuntimeError("no")


def test_so_many_at_once_and_so_many_wait():
    async def run() -> None:
        turns = Turns(1, 1)
        async with turns.take():
            waiting = asyncio.create_task(turns.take().__aenter__())
            await asyncio.sleep(0)
            with pytest.raises(Overloaded, match="1 files wait"):
                turns.check()
        await waiting
        turns.check()

    asyncio.run(run())


def test_a_caller_that_goes_ends_the_work(serve: Serve):
    running = serve(Slow())
    answer = requests.post(
        f"http://{running.address}{PATH}", files={"file": LONG}, data={"stream": "true"}, stream=True, timeout=30
    )
    content = answer.iter_content(64)
    next(content)
    assert running.service.engines[0].sessions == 1
    answer.close()
    assert wait_for(lambda: running.service.engines[0].sessions == 0)


def test_a_caller_that_goes_while_it_waits_leaves_its_place(serve: Serve):
    recogniser = Held()
    running = serve(recogniser, max_files=1, max_files_waiting=1)
    url = f"http://{running.address}{PATH}"
    with requests.post(url, files={"file": LONG}, data={"stream": "true"}, stream=True, timeout=30) as first:
        content = first.iter_content(64)
        next(content)
        with pytest.raises(requests.ReadTimeout):
            requests.post(url, files={"file": LONG}, timeout=0.3)
        left = wait_for(lambda: is_free(running.service.desk.turns))
        recogniser.may_go.set()
    assert left


def is_free(turns: Turns) -> bool:
    try:
        turns.check()
    except Overloaded:
        return False
    return True


def test_several_files_are_not_refused_half_way():
    async def call(turns: Turns) -> None:
        for _ in range(2):
            async with turns.take():
                await asyncio.sleep(0)

    async def run() -> None:
        turns = Turns(1, 1)
        await asyncio.gather(call(turns), call(turns))

    asyncio.run(run())


def test_a_body_that_breaks_off_is_no_fault_of_ours(running: Running):
    host, port = running.address.split(":")
    with socket.create_connection((host, int(port))) as peer:
        head = f"POST {PATH} HTTP/1.1\r\nhost: {host}\r\ncontent-type: multipart/form-data; boundary=b\r\ncontent-length: 9\r\n\r\n"
        peer.sendall(head.encode() + b"--b")
        peer.shutdown(socket.SHUT_WR)
        assert peer.recv(100) == b""
    assert requests.get(f"http://{running.address}/healthz", timeout=10).ok  # by now it would have complained


def test_when_all_turns_are_taken(serve: Serve):
    running = serve(Slow(), max_files=1, max_files_waiting=0)
    url = f"http://{running.address}{PATH}"
    with requests.post(url, files={"file": LONG}, data={"stream": "true"}, stream=True, timeout=30) as first:
        content = first.iter_content(64)  # kept: the connection goes with it
        next(content)
        second = requests.post(url, files={"file": LONG}, timeout=30)
        assert second.status_code == 503 and second.headers["retry-after"] and second.json()["error"]["type"] == "server_error"
    assert wait_for(lambda: requests.post(url, files={"file": encoded(talk(0.3, 0.5), "flac", 16_000)}, timeout=30).ok)


def test_a_failure_is_told(serve: Serve):
    running = serve(Failing())
    answer = requests.post(f"http://{running.address}{PATH}", files={"file": LONG}, timeout=30)
    assert answer.status_code == 500 and answer.json()["error"]["code"] == "recogniser_failed"
    assert wait_for(lambda: running.service.engines[0].sessions == 0)
