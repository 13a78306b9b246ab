from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import requests

from model.interfaces import Hypothesis, StepRequest
from model.scripted import ScriptedRecogniser
from tests.helpers import talk
from tests.server.conftest import Running
from tests.sounds import encoded

SPEECH = talk(0.3, 1.5, 1.2, 1.2, 1.0)  # two utterances
WAV = encoded(SPEECH, "wav", 16_000)
SPEECH_S = len(SPEECH) / 16_000


class Held(ScriptedRecogniser):
    """Answers only while it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.let = threading.Event()

    def step(self, batch: Sequence[StepRequest]) -> list[Hypothesis]:
        self.let.wait(30)
        return super().step(batch)


Post = Callable[..., requests.Response]


def form(files: list[tuple[str, bytes]] | None = None, **fields: Any) -> dict[str, Any]:
    """Arguments of requests.post for a multipart form."""
    uploads = [("file", (name, data)) for name, data in files or [("a.wav", WAV)]]
    return {"files": uploads, "data": {name.replace("__", "[]"): value for name, value in fields.items()}}


@pytest.fixture
def post(running: Running) -> Post:
    def send(path: str, **arguments: Any) -> requests.Response:
        return requests.post(f"http://{running.address}{path}", timeout=30, **arguments)

    return send
