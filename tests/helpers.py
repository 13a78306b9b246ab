"""Synthetic sound, and a session driven to its end with virtual time: shared by the tests of the core."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from model.interfaces import SAMPLE_RATE, Hypothesis, Recogniser, Samples, StepRequest
from model.scripted import ScriptedRecogniser
from streaming.commands import Append, Command, Configure, SessionConfig
from streaming.errors import RecogniserFailed
from streaming.events import Closed, Event, PartialTranscript
from streaming.scheduler import Scheduler
from streaming.session import Session, SessionLimits


def voice(duration_s: float, *, rate: int = SAMPLE_RATE, level: float = 0.2, pitch_hz: float = 140.0) -> Samples:
    """Something webrtcvad takes for speech: harmonics of a gliding pitch under three formants, four syllables a second."""
    t = np.arange(round(duration_s * rate)) / rate
    phase = 2 * np.pi * np.cumsum(pitch_hz * (1 + 0.15 * np.sin(2 * np.pi * 0.7 * t))) / rate
    x = np.zeros(len(t))
    for k in range(1, 25):
        frequency = k * pitch_hz
        if frequency < min(3_800, rate / 2.3):
            gain = sum(np.exp(-(((frequency - f) / 180) ** 2)) for f in (550, 1_400, 2_500)) + 0.05
            x += gain * np.sin(k * phase)
    x *= 0.25 + 0.75 * np.sin(np.pi * 4 * t) ** 2
    return (level * x / max(1e-9, np.abs(x).max() if len(x) else 1.0)).astype(np.float32)


def silence(duration_s: float, *, rate: int = SAMPLE_RATE, level: float = 1e-4, seed: int = 0) -> Samples:
    """Quiet noise, as a microphone gives it."""
    noise = np.random.default_rng(seed).standard_normal(round(duration_s * rate))
    return (level * noise).astype(np.float32)


def talk(*durations_s: float, rate: int = SAMPLE_RATE) -> Samples:
    """Silence, voice, silence, voice, … of these durations."""
    parts = [
        voice(d, rate=rate, pitch_hz=120 + 17 * i) if i % 2 else silence(d, rate=rate, seed=i) for i, d in enumerate(durations_s)
    ]
    return np.concatenate([*parts, np.zeros(0, np.float32)])


def s16(x: Samples) -> bytes:
    """float32 → s16le."""
    return np.round(np.clip(x, -1, 1) * 32767).astype("<i2").tobytes()


def cut(data: bytes, sizes: Iterable[int]) -> list[bytes]:
    """Bytes in pieces of these sizes, the rest last."""
    pieces, at = [], 0
    for size in sizes:
        pieces.append(data[at : at + size])
        at += size
    return [*pieces, data[at:]]


def random_cuts(data: bytes, seed: int, mean: int) -> list[bytes]:
    """Bytes in pieces of random sizes, some empty."""
    rng, sizes, left = random.Random(seed), [], len(data)
    while left > 0:
        sizes.append(rng.randrange(0, 2 * mean))
        left -= sizes[-1]
    return cut(data, sizes)


@dataclass
class Client:
    """A session and what its peer got to see."""

    session: Session
    script: list[tuple[float, Command]]  # when (seconds) what is sent
    events: list[Event] = field(default_factory=list)
    hears_eof_at: float | None = None  # when the peer is gone; None: right after the script
    at: int = 0
    is_over: bool = False

    def due(self) -> float | None:
        """When it does something next of itself."""
        if self.is_over:
            return None
        if self.at < len(self.script):
            return self.script[self.at][0]
        return max(self.hears_eof_at or 0.0, self.script[-1][0] if self.script else 0.0)

    def act(self, now: float) -> None:
        """Send the next command, or go."""
        if self.at < len(self.script):
            self.session.receive(self.script[self.at][1], now=now)
            self.at += 1
        else:
            self.session.receive_eof(now=now)
            self.is_over = True


class Simulation:
    """Sessions, one scheduler, one recogniser, and no clock: time goes from one thing that happens to the next.

    A step takes a random time from `step_s`, and nothing else runs on the device meanwhile, as in the server.
    """

    def __init__(
        self,
        clients: Sequence[Client],
        recogniser: Recogniser | None = None,
        *,
        seed: int = 0,
        step_s: tuple[float, float] = (0.01, 0.2),
        fails: float = 0.0,
    ) -> None:
        self.recogniser = recogniser or ScriptedRecogniser()
        self.scheduler = Scheduler()
        self.requests: list[StepRequest] = []
        self._clients = {client.session.id: client for client in clients}
        self._random = random.Random(seed)
        self._step_s, self._fails = step_s, fails
        self._answers: list[tuple[StepRequest, Hypothesis | None]] = []
        self._answers_at: float | None = None
        self.now = 0.0

    def run(self, *, steps: int = 200_000) -> None:
        """Until every session is closed."""
        for _ in range(steps):
            if not self._happen():
                break
        assert all(client.session.is_closed for client in self._clients.values()), "the simulation stalled"

    def _happen(self) -> bool:
        due = [(at, client) for client in self._clients.values() if (at := client.due()) is not None]
        at, client = min(due, key=lambda each: each[0]) if due else (float("inf"), None)
        if self._answers_at is not None and self._answers_at <= at:
            self.now = self._answers_at
            self._deliver()
        elif client is not None:
            self.now = max(self.now, at)
            client.act(self.now)
            self._pump(client)
        else:
            return False
        self._start_step()
        return True

    def _pump(self, client: Client) -> None:
        session = client.session
        for utterance in session.streams_to_close():
            self.scheduler.forget(utterance)
            self.recogniser.close(utterance)
        for request in session.requests_to_submit(now=self.now):
            self.requests.append(request)
            self.scheduler.submit(request, now=self.now)
        client.events += session.events_to_send()

    def _start_step(self) -> None:
        """A request that is given up while it is in flight is still answered, as on a real device."""
        if self._answers_at is not None:
            return
        batch = self.scheduler.schedule(now=self.now)
        if batch.requests:
            self._batch = batch
            self._answers = self._step(batch.requests)
            self._answers_at = self.now + self._random.uniform(*self._step_s)

    def _step(self, requests: Sequence[StepRequest]) -> list[tuple[StepRequest, Hypothesis | None]]:
        """All in one batch, or, now and then, a step that fails as a whole."""
        if self._random.random() < self._fails:
            for request in requests:
                self.recogniser.close(request.utterance)
            return [(request, None) for request in requests]
        return list(zip(requests, self.recogniser.step(requests), strict=True))

    def _deliver(self) -> None:
        answers, self._answers, self._answers_at = self._answers, [], None
        self.scheduler.complete(self._batch, now=self.now)
        for request, hypothesis in answers:
            client = self._clients[request.utterance.session]
            if hypothesis is None:
                self.scheduler.forget(request.utterance)
                client.session.fail(request.utterance, RecogniserFailed("it failed"), now=self.now)
            else:
                client.session.receive_hypothesis(hypothesis, now=self.now)
            self._pump(client)


def paced(pieces: Sequence[bytes], rate_bytes_s: float, *, speed: float = 1.0, start_s: float = 0.0) -> list[tuple[float, Command]]:
    """Each piece when its last sample would have been recorded."""
    script: list[tuple[float, Command]] = []
    sent = 0
    for piece in pieces:
        sent += len(piece)
        script.append((start_s + sent / rate_bytes_s / speed, Append(piece)))
    return script


def transcribe(
    script: Sequence[tuple[float, Command]],
    config: SessionConfig | None = None,
    *,
    limits: SessionLimits | None = None,
    recogniser: Recogniser | None = None,
    seed: int = 0,
    step_s: tuple[float, float] = (0.01, 0.2),
    fails: float = 0.0,
) -> list[Event]:
    """What one session tells about a script, from its configuration to Closed."""
    client = Client(Session("s", limits or SessionLimits()), [(0.0, Configure(config or SessionConfig())), *script])
    Simulation([client], recogniser, seed=seed, step_s=step_s, fails=fails).run()
    assert isinstance(client.events[-1], Closed)
    return client.events


def without_partials(events: Iterable[Event]) -> list[Event]:
    """Partials depend on when the recogniser is free; nothing else does."""
    return [event for event in events if not isinstance(event, PartialTranscript)]
