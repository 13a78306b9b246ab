"""Which requests go into the next step of the device: policy only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from model.interfaces import SAMPLE_RATE, StepRequest, UtteranceId

_SMOOTHING = 0.1


@dataclass(frozen=True, slots=True)
class SchedulerConfig:
    """One step stays short, so that a final never waits long behind partials."""

    max_rows: int = 16
    max_encoded_s: float = 12.0  # audio to encode in one step of partials, redone frames included
    redone_s: float = 1.0
    partial_share: float = 0.6  # of the device's time that partials may take before they are asked for less often
    most_interval_ms: int = 2_000


@dataclass(frozen=True, slots=True)
class Batch:
    """What the device does next; empty: nothing."""

    requests: tuple[StepRequest, ...]


class Scheduler:
    """Finals and whole-window passes first, then the earliest deadline; one request of an utterance at a time.

    Waiting requests are bounded by one an utterance: a further one is merged into the one that waits.
    """

    def __init__(self, config: SchedulerConfig = SchedulerConfig()) -> None:
        self._config = config
        self._waiting: dict[UtteranceId, StepRequest] = {}
        self._in_flight: set[UtteranceId] = set()
        self._window_s: dict[UtteranceId, float] = {}
        self._started = 0.0
        self._request_s = 0.0  # a request's share of a step, moving average

    @property
    def depth(self) -> int:
        """Requests that wait."""
        return len(self._waiting)

    @property
    def partial_interval_ms(self) -> int:
        """How far apart an utterance's partials should be, so that all open utterances get theirs."""
        needed = 1000 * self._request_s * len(self._window_s) / self._config.partial_share
        return int(min(needed, self._config.most_interval_ms))

    def submit(self, request: StepRequest, *, now: float) -> None:
        """Queue a request."""
        waiting = self._waiting.get(request.utterance)
        self._waiting[request.utterance] = merged(waiting, request) if waiting else request

    def cancel(self, session: str) -> list[UtteranceId]:
        """Drop what a session has waiting; gives its utterances that the device may still hold."""
        gone = [u for u in {*self._waiting, *self._window_s} if u.session == session]
        for utterance in gone:
            self._waiting.pop(utterance, None)
            self._window_s.pop(utterance, None)
        return gone

    def forget(self, utterance: UtteranceId) -> None:
        """The device has let go of an utterance."""
        self._waiting.pop(utterance, None)
        self._window_s.pop(utterance, None)

    def schedule(self, *, now: float) -> Batch:
        """The next batch; its requests are in flight until complete()."""
        ready = sorted(self._ready(), key=_urgency)
        chosen = tuple(self._affordable(ready))
        for request in chosen:
            self._in_flight.add(request.utterance)
            self._window_s[request.utterance] = self._window(request)
            del self._waiting[request.utterance]
        self._started = now
        return Batch(chosen)

    def complete(self, batch: Batch, *, now: float) -> None:
        """The batch was answered, or failed."""
        if batch.requests:
            self._request_s += _SMOOTHING * ((now - self._started) / len(batch.requests) - self._request_s)
        for request in batch.requests:
            self._in_flight.discard(request.utterance)
            if request.is_final:
                self._window_s.pop(request.utterance, None)

    def _ready(self) -> Iterable[StepRequest]:
        return (r for u, r in self._waiting.items() if u not in self._in_flight)

    def _affordable(self, ready: list[StepRequest]) -> Iterable[StepRequest]:
        """From the front: at least one, and no partials behind a whole-window pass."""
        rows, encoded_s = 0, 0.0
        for request in ready:
            encoded_s += self._cost_s(request)
            urgent_first = rows and ready[0].whole_window and not request.whole_window
            behind_live = rows and request.is_patient and not ready[0].is_patient
            if rows and (rows >= self._config.max_rows or encoded_s > self._config.max_encoded_s or urgent_first or behind_live):
                return
            rows += 1
            yield request

    def _cost_s(self, request: StepRequest) -> float:
        if request.whole_window:
            return self._window(request)
        return len(request.samples) / SAMPLE_RATE + self._config.redone_s

    def _window(self, request: StepRequest) -> float:
        before = self._window_s.get(request.utterance, 0.0)
        if request.roll is not None:
            before = max(0.0, (request.start - request.roll.keep_from) / SAMPLE_RATE)
        return before + len(request.samples) / SAMPLE_RATE


def _urgency(request: StepRequest) -> tuple[bool, bool, float]:
    """Patient ones stand among the partials, by their deadlines, so that they are never passed over for ever."""
    is_partial = request.is_patient or not request.is_final
    return is_partial, request.is_patient or not request.whole_window, request.deadline


def merged(first: StepRequest, second: StepRequest) -> StepRequest:
    """Two requests of an utterance as one: all the audio, the later revision and stable words, the flags of both.

    At most one of them rolls the window: a further roll needs an answer to the first.
    """
    return replace(
        second,
        start=first.start,
        samples=np.concatenate([first.samples, second.samples]),
        whole_window=first.whole_window or second.whole_window,
        is_final=first.is_final or second.is_final,
        deadline=min(first.deadline, second.deadline),
        roll=second.roll or first.roll,
    )
