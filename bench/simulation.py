"""Simulated microphones at the pace of speech, feeding the real scheduler and a real recogniser."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from model.interfaces import DecodeContext, ModelFailure, Recogniser, Samples, StepRequest, UtteranceId
from streaming.scheduler import Scheduler, SchedulerConfig

RATE = 16_000
_FIRST_S, _PAUSE_S = 0.5, 0.2  # until the first partial; of silence, after which the final is asked for
_SHORTEST_S, _LONGEST_S = 2.0, 14.0  # utterances
_IDLE_S = 0.0005


@dataclass(frozen=True, slots=True)
class Load:
    """What the microphones hear."""

    streams: int
    seconds: float
    interval_s: float = 0.64
    speech_share: float = 0.6
    language: str | None = None


@dataclass(slots=True)
class Latencies:
    """Seconds from when a request's audio was there until it was answered."""

    partial: list[float] = field(default_factory=list)
    final: list[float] = field(default_factory=list)
    steps: list[float] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    failed: int = 0


class Speaker:
    """One microphone: utterances and pauses of random length, heard from a shared sound."""

    def __init__(self, number: int, load: Load, sound: Samples) -> None:
        self._random, self._load, self._sound = np.random.default_rng(number), load, sound
        self._name, self._count = f"speaker-{number}", 0
        self._context = DecodeContext(language=load.language)
        self._begin(-self._random.uniform(0, _LONGEST_S))  # in the middle of an utterance, as with people
        self._start = max(0.0, self._start)
        self.is_waiting = False

    def _begin(self, at: float) -> None:
        length = self._random.uniform(_SHORTEST_S, _LONGEST_S)
        self._start, self._end, self._sent, self._revision = at, max(0.3, at + length), 0, 0
        self._pause = length * (1 / self._load.speech_share - 1)

    def request(self, now: float) -> tuple[StepRequest, float] | None:
        """What is due, and since when its audio has been there."""
        if self.is_waiting or now < self._start:
            return None
        ended = now >= self._end + _PAUSE_S
        stop = self._end + _PAUSE_S if ended else now
        due = self._start + self._sent / RATE + (self._load.interval_s if self._revision else _FIRST_S)
        if not ended and now < due:
            return None
        return self._made(stop, is_final=ended), self._end + _PAUSE_S if ended else due

    def _made(self, stop: float, *, is_final: bool) -> StepRequest:
        total = round((stop - self._start) * RATE)
        at = (self._sent + self._count * RATE) % (len(self._sound) - 30 * RATE)
        samples = self._sound[at : at + total - self._sent]
        utterance = UtteranceId(self._name, self._count)
        made = StepRequest(utterance, self._revision, self._sent, samples, is_final, is_final, stop, self._context)
        self._sent, self._revision, self.is_waiting = total, self._revision + 1, True
        return made

    def answered(self, request: StepRequest) -> None:
        """The device has answered."""
        self.is_waiting = False
        if request.is_final:
            self._count += 1
            self._begin(self._end + self._pause)


def simulate(recogniser: Recogniser, load: Load, sound: Samples, *, settle_s: float = 3.0) -> Latencies:
    """So many microphones for so many seconds, after some in which nothing is measured."""
    speakers = {f"speaker-{n}": Speaker(n, load, sound) for n in range(load.streams)}
    scheduler = Scheduler(SchedulerConfig(max_rows=recogniser.batch_rows, max_encoded_s=recogniser.batch_s))
    found, since, began = Latencies(), dict[UtteranceId, float](), time.monotonic()
    while (now := time.monotonic() - began) < load.seconds + settle_s:
        for speaker in speakers.values():
            made = speaker.request(now)
            if made:
                scheduler.submit(made[0], now=now)
                since[made[0].utterance] = made[1]
        batch = scheduler.schedule(now=now)
        if not batch.requests:
            time.sleep(_IDLE_S)
            continue
        answers = recogniser.step(batch.requests)
        answered = time.monotonic() - began
        scheduler.complete(batch, now=answered)
        for request in batch.requests:
            speakers[request.utterance.session].answered(request)
            if answered >= settle_s:
                (found.final if request.is_final else found.partial).append(answered - since[request.utterance])
        if answered >= settle_s:
            found.steps.append(answered - now)
            found.rows.append(len(batch.requests))
            found.failed += sum(isinstance(answer, ModelFailure) for answer in answers)
    for name in speakers:
        for utterance in scheduler.cancel(name):
            recogniser.close(utterance)
    return found


def percentiles(values: Sequence[float]) -> dict[str, float | None]:
    """The 50th, 95th and 99th, in milliseconds."""
    names = (50, 95, 99)
    found = 1000 * np.percentile(np.asarray(values), names) if values else [None] * len(names)
    return {f"p{n}_ms": None if v is None else round(float(v), 2) for n, v in zip(names, found, strict=True)}


def babble(seconds: float, seed: int = 0) -> Samples:
    """Noise with the loudness of syllables: what it is does not matter to models with random weights, how long it is does."""
    t = np.arange(round(seconds * RATE)) / RATE
    noise = np.random.default_rng(seed).standard_normal(len(t)).astype(np.float32)
    return noise * (0.02 + 0.1 * np.sin(np.pi * 4 * t) ** 2).astype(np.float32)
