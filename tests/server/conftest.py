from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from model.interfaces import Recogniser
from model.scripted import ScriptedRecogniser
from server.app import Service
from server.config import Config
from server.run import DrainingServer, listen, listen_wyoming, uvicorn_config
from tests.helpers import s16, talk


class Running:
    """A real server on a free port, or the one that is asked for; its event loop in a thread."""

    def __init__(self, config: Config, recogniser: Recogniser, keys: tuple[bytes, ...]) -> None:
        self.service = Service(config, [recogniser], keys, listen_wyoming(config))
        self.server = DrainingServer(uvicorn_config(self.service), self.service)
        self._listener = listen("127.0.0.1", 0 if config.port == Config().port else config.port)
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.left: list[str] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        await self.server.serve([self._listener])
        for _ in range(100):  # what was cancelled gets its turn to end
            await asyncio.sleep(0)
        self.left = [repr(task) for task in asyncio.all_tasks() if task is not asyncio.current_task()]

    def stop(self) -> None:
        """Stop it, and see that it leaves nothing behind."""
        self.server.should_exit = True
        self._thread.join(30)
        assert not self._thread.is_alive()
        assert self.left == []
        assert self.service.admission.live == 0 and not self.service.live

    def url(self, path: str = "/v1/stream") -> str:
        return f"ws://{self.address}{path}"

    @contextmanager
    def session(self, path: str = "/v1/stream", **options: Any) -> Iterator[Peer]:
        with connect(self.url(path), compression=None, **options) as socket:
            yield Peer(socket)


class Peer:
    """A client of the native protocol."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.got: list[dict[str, Any]] = []

    def send(self, kind: str, **content: Any) -> None:
        self.socket.send(json.dumps({"type": kind, **content}))

    def hear(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self.socket.recv(20))
        self.got.append(message)
        return message

    def until(self, kind: str) -> dict[str, Any]:
        """The next message of this kind; those before it are kept in `got`."""
        while True:
            message = self.hear()
            if message["type"] == kind:
                return message

    def start(self, **content: Any) -> dict[str, Any]:
        self.send("start", **content)
        return self.until("ready")

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.got if message["type"] == kind]


def wait_for(condition: Callable[[], bool], tries: int = 2_000) -> bool:
    """Until it holds; gives up after a good while."""
    return any(condition() or time.sleep(0.005) for _ in range(tries))


Serve = Callable[..., Running]

SPEECH = s16(talk(0.3, 1.5, 0.8))  # one utterance, ended by its pause


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Servers with the settings, recogniser and keys that a test asks for."""
    running: list[Running] = []

    def start(recogniser: Recogniser | None = None, keys: tuple[bytes, ...] = (), **settings: Any) -> Running:
        running.append(Running(Config(**settings), recogniser or ScriptedRecogniser(), keys))
        return running[-1]

    yield start
    for each in running:
        each.stop()


@pytest.fixture(autouse=True)
def _uvicorn_has_nothing_to_complain_about(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert [r.getMessage() for r in caplog.get_records("call") if r.name.startswith("uvicorn") and r.levelname == "ERROR"] == []


@pytest.fixture
def running(serve: Serve) -> Running:
    """A server with default settings."""
    return serve()
