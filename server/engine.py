"""The device thread: one loop of schedule, step, complete; answers go back to the event loop.

Both hand-overs are bounded: a session has at most one unanswered request for each utterance, and its open utterances are
bounded by its backlog.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from model.interfaces import DeviceLost, Hypothesis, Recogniser, StepRequest, UtteranceId
from server import logs
from server.heap import Trimmer
from server.metrics import Metrics
from streaming.errors import RecogniserFailed
from streaming.scheduler import Batch, Scheduler, SchedulerConfig

Answer = Hypothesis | RecogniserFailed
OnAnswer = Callable[[UtteranceId, Answer], None]  # called on the event loop


class Engine:
    """Owns the recogniser and the scheduler; other threads only leave notes."""

    def __init__(self, recogniser: Recogniser, metrics: Metrics, scheduler: Scheduler | None = None) -> None:
        self.recogniser = recogniser
        self._metrics = metrics
        limits = SchedulerConfig(max_rows=recogniser.batch_rows, max_encoded_s=recogniser.batch_s)
        self._scheduler = scheduler or Scheduler(limits)
        self._notes: deque[Callable[[], None]] = deque()
        self._wake = threading.Condition()
        self._listeners: dict[str, OnAnswer] = {}
        self._asked_at: dict[UtteranceId, float] = {}
        self._trimmer = Trimmer()
        self._is_stopping = False
        self.is_able = True  # the device works
        self._thread = threading.Thread(target=self._run, name="device", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Start the thread; answers go to the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    @property
    def sessions(self) -> int:
        """Attached."""
        return len(self._listeners)

    @property
    def partial_interval_ms(self) -> int:
        """How far apart the device can make partials of one utterance now; read from any thread."""
        return self._scheduler.partial_interval_ms

    async def stop(self) -> None:
        """Let the present step end, then join the thread."""
        with self._wake:
            self._is_stopping = True
            self._wake.notify()
        await asyncio.to_thread(self._thread.join)

    # on the event loop

    def attach(self, session: str, on_answer: OnAnswer) -> None:
        """Answers for a session's utterances go to `on_answer`."""
        self._listeners[session] = on_answer

    def detach(self, session: str) -> None:
        """Forget a session; what it has waiting is dropped, what the device holds for it is let go."""
        self._listeners.pop(session, None)
        self._note(lambda: self._drop(session))

    def submit(self, requests: Iterable[StepRequest], abandoned: Iterable[UtteranceId]) -> None:
        """Let go of the streams of these utterances, then queue requests, which may open them anew."""
        for utterance in abandoned:
            self._note(lambda utterance=utterance: self._close(utterance))  # type: ignore[misc]
        for request in requests:
            self._note(lambda request=request: self._queue(request))  # type: ignore[misc]

    def _note(self, note: Callable[[], None]) -> None:
        with self._wake:
            self._notes.append(note)
            self._wake.notify()

    def _deliver(self, answers: Sequence[tuple[UtteranceId, Answer]]) -> None:
        for utterance, answer in answers:
            listener = self._listeners.get(utterance.session)
            if listener:
                listener(utterance, answer)

    # on the device thread

    def _run(self) -> None:
        while self._take_notes():
            batch = self._scheduler.schedule(now=time.monotonic())
            self._metrics.waiting.set(self._scheduler.depth)
            if batch.requests:
                self._post(self._answers(batch))
                self._scheduler.complete(batch, now=time.monotonic())
                self._tidy(batch)

    def _tidy(self, batch: Batch) -> None:
        """After long passes, and when nobody waits; more often while recordings make one long pass after the other."""
        first = batch.requests[0]
        if first.whole_window and not self._scheduler.depth:
            self._trimmer.trim(time.monotonic(), 0.2 if first.is_patient else 0.5)

    def _take_notes(self) -> bool:
        """Wait for something to do; False when it is time to stop."""
        with self._wake:
            while not (self._notes or self._scheduler.depth or self._is_stopping):
                self._wake.wait()
            notes, self._notes = self._notes, deque()
        for note in notes:
            note()
        return not self._is_stopping

    def _queue(self, request: StepRequest) -> None:
        if request.is_final:
            self._asked_at.setdefault(request.utterance, time.monotonic())
        self._scheduler.submit(request, now=time.monotonic())

    def _close(self, utterance: UtteranceId) -> None:
        self._scheduler.forget(utterance)
        self._asked_at.pop(utterance, None)
        self.recogniser.close(utterance)

    def _drop(self, session: str) -> None:
        for utterance in self._scheduler.cancel(session):
            self._close(utterance)

    def _answers(self, batch: Batch) -> list[tuple[UtteranceId, Answer]]:
        started = time.monotonic()
        answers = self._step(batch.requests)
        took = time.monotonic() - started
        self._metrics.step.observe(took)
        self._metrics.rows.observe(len(batch.requests))
        share = took / len(batch.requests)
        answers = [(u, replace(a, compute_s=share) if isinstance(a, Hypothesis) else a) for u, a in answers]
        for request in batch.requests:
            asked = self._asked_at.pop(request.utterance, None) if request.is_final else None
            if asked is not None:
                self._metrics.final_wait.observe(time.monotonic() - asked)
        return answers

    def _step(self, requests: Sequence[StepRequest]) -> list[tuple[UtteranceId, Answer]]:
        """A failed batch is no answer about any of its members, and its audio is in no known state: its utterances end."""
        try:
            answers: Sequence[Hypothesis | Exception] = self.recogniser.step(requests)
        except Exception as error:
            self.is_able = self.is_able and not isinstance(error, DeviceLost)
            answers = [error] * len(requests)
        failed = [a for a in answers if isinstance(a, Exception)]
        if failed:
            self._metrics.failures.inc()
            sessions = [r.utterance.session for r, a in zip(requests, answers, strict=True) if isinstance(a, Exception)]
            logs.failure("step failed", failed[0], sessions=sessions)
        return [(r.utterance, self._answer(r.utterance, a)) for r, a in zip(requests, answers, strict=True)]

    def _answer(self, utterance: UtteranceId, answer: Hypothesis | Exception) -> Answer:
        if isinstance(answer, Hypothesis):
            return answer
        self._close(utterance)
        return RecogniserFailed("the recogniser failed on this utterance; what was stable is kept, the session goes on")

    def _post(self, answers: Sequence[tuple[UtteranceId, Answer]]) -> None:
        if self._loop and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._deliver, answers)
