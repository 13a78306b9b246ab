"""The device thread: batches, order, what is left when sessions go."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import numpy as np

from model.interfaces import DeviceLost, Hypothesis, ModelFailure, StepRequest, UtteranceId
from model.scripted import ScriptedRecogniser
from server.engine import Answer, Engine
from server.metrics import Metrics
from streaming.errors import RecogniserFailed
from tests.helpers import voice

SPEECH = voice(2.0)


def request(session: str, number: int = 0, *, revision: int = 0, final: bool = True, start: int = 0) -> StepRequest:
    return StepRequest(UtteranceId(session, number), revision, start, SPEECH, final, final, 0.0)


class Gated(ScriptedRecogniser):
    """Waits in each step until it is let, and remembers the batches and the thread."""

    def __init__(self) -> None:
        super().__init__()
        self.let, self.entered = threading.Semaphore(0), threading.Semaphore(0)
        self.batches: list[list[UtteranceId]] = []
        self.threads: set[str] = set()

    def step(self, batch: Sequence[StepRequest]) -> list[Hypothesis]:
        self.batches.append([r.utterance for r in batch])
        self.threads.add(threading.current_thread().name)
        self.entered.release()
        assert self.let.acquire(timeout=20)
        return super().step(batch)

    async def has_entered(self) -> None:
        assert await asyncio.to_thread(self.entered.acquire, timeout=20)


class Listener:
    def __init__(self) -> None:
        self.answers: list[tuple[UtteranceId, Answer]] = []
        self._came = asyncio.Event()

    def __call__(self, utterance: UtteranceId, answer: Answer) -> None:
        self.answers.append((utterance, answer))
        self._came.set()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(20):
            while len(self.answers) < count:
                self._came.clear()
                await self._came.wait()


def run(scenario) -> None:
    async def main() -> None:
        recogniser, metrics = Gated(), Metrics()
        engine = Engine(recogniser, metrics)
        engine.start()
        try:
            await scenario(engine, recogniser, metrics)
        finally:
            recogniser.let.release(100)
            await engine.stop()
        assert recogniser.threads <= {"device"}

    asyncio.run(main())


def test_what_comes_during_a_step_is_the_next_batch():
    async def scenario(engine: Engine, recogniser: Gated, metrics: Metrics) -> None:
        listeners = {name: Listener() for name in "abc"}
        for name, listener in listeners.items():
            engine.attach(name, listener)
        engine.submit([request("a")], [])
        await recogniser.has_entered()
        engine.submit([request("b")], [])
        engine.submit([request("c")], [])
        recogniser.let.release(2)
        for listener in listeners.values():
            await listener.until(1)
        assert [sorted(u.session for u in batch) for batch in recogniser.batches] == [["a"], ["b", "c"]]
        for name, listener in listeners.items():
            ((utterance, hypothesis),) = listener.answers
            assert utterance == UtteranceId(name, 0) and isinstance(hypothesis, Hypothesis) and hypothesis.words
        assert b"stenoline_step_rows_count 2.0" in metrics.text() and b"stenoline_final_seconds_count 3.0" in metrics.text()

    run(scenario)


def test_requests_of_one_utterance_are_merged_while_they_wait():
    async def scenario(engine: Engine, recogniser: Gated, metrics: Metrics) -> None:
        listener = Listener()
        engine.attach("a", listener)
        for revision in range(4):
            engine.submit([request("a", revision=revision, final=revision == 3, start=revision * len(SPEECH))], [])
            if revision == 0:
                await recogniser.has_entered()
        recogniser.let.release(2)
        await listener.until(2)
        (_, first), (_, last) = listener.answers
        assert isinstance(first, Hypothesis) and isinstance(last, Hypothesis)
        assert (first.revision, last.revision, last.audio_end) == (0, 3, 4 * len(SPEECH)) and last.is_final

    run(scenario)


def test_a_session_that_goes_leaves_nothing():
    async def scenario(engine: Engine, recogniser: Gated, metrics: Metrics) -> None:
        gone, stays = Listener(), Listener()
        engine.attach("gone", gone)
        engine.attach("stays", stays)
        engine.submit([request("gone", final=False)], [])
        await recogniser.has_entered()
        engine.submit([request("gone", 1), request("stays")], [])
        engine.detach("gone")
        recogniser.let.release(9)
        await stays.until(1)
        engine.submit([request("stays", 1)], [])
        await stays.until(2)
        assert gone.answers == [] and UtteranceId("gone", 1) not in sum(recogniser.batches, [])
        assert recogniser.open_streams == ()

    run(scenario)


def test_an_utterance_that_is_given_up_is_closed():
    async def scenario(engine: Engine, recogniser: Gated, metrics: Metrics) -> None:
        listener = Listener()
        engine.attach("a", listener)
        recogniser.let.release(9)
        engine.submit([request("a", 0, final=False)], [])
        await listener.until(1)
        assert recogniser.open_streams == (UtteranceId("a", 0),)
        engine.submit([request("a", 1)], [UtteranceId("a", 0)])
        await listener.until(2)
        assert recogniser.open_streams == ()

    run(scenario)


def test_a_step_that_fails_is_told_to_all_of_its_sessions_and_the_next_one_works():
    async def scenario(engine: Engine, recogniser: Gated, metrics: Metrics) -> None:
        listener = Listener()
        engine.attach("a", listener)
        broken = StepRequest(UtteranceId("a", 0), 0, 0, np.full((2, 2), 1, np.float32), True, True, 0.0)  # not one channel
        recogniser.let.release(9)
        engine.submit([broken], [])
        await listener.until(1)
        assert isinstance(listener.answers[0][1], RecogniserFailed) and recogniser.open_streams == ()
        engine.submit([request("a", 1)], [])
        await listener.until(2)
        assert isinstance(listener.answers[1][1], Hypothesis)
        assert b"stenoline_step_failures_total 1.0" in metrics.text()

    run(scenario)


def test_stopping_lets_the_present_step_end():
    async def scenario(engine: Engine, recogniser: Gated, metrics: Metrics) -> None:
        listener = Listener()
        engine.attach("a", listener)
        engine.submit([request("a")], [])
        await recogniser.has_entered()
        stopping = asyncio.create_task(engine.stop())
        await asyncio.sleep(0.05)
        assert not stopping.done()
        recogniser.let.release()
        await stopping
        await listener.until(1)

    run(scenario)


def test_partials_come_less_often_when_steps_take_long():
    async def scenario(engine: Engine, recogniser: Gated, metrics: Metrics) -> None:
        listener = Listener()
        engine.attach("a", listener)
        assert engine.partial_interval_ms == 0
        engine.submit([request("a", final=False)], [])
        await recogniser.has_entered()
        await asyncio.sleep(0.2)
        recogniser.let.release()
        await listener.until(1)
        await asyncio.to_thread(engine._thread.join, 0.05)  # its bookkeeping comes after the answer
        assert engine.partial_interval_ms > 0

    run(scenario)


class Ill(ScriptedRecogniser):
    """Fails where it is told to: for utterances of one session, or for good."""

    def __init__(self) -> None:
        super().__init__()
        self.is_lost = False

    def step(self, batch: Sequence[StepRequest]) -> list[Hypothesis | ModelFailure]:  # type: ignore[override]
        if self.is_lost:
            raise DeviceLost("cuda:0 does not work any more")
        found = super().step([r for r in batch if r.utterance.session != "ill"])
        answers = iter(found)
        return [ModelFailure("too little memory") if r.utterance.session == "ill" else next(answers) for r in batch]


def ill(scenario) -> None:
    async def main() -> None:
        recogniser, metrics = Ill(), Metrics()
        engine = Engine(recogniser, metrics)
        engine.start()
        try:
            await scenario(engine, recogniser, metrics)
        finally:
            await engine.stop()

    asyncio.run(main())


def test_an_utterance_that_fails_spoils_no_other_in_its_batch():
    async def scenario(engine: Engine, recogniser: Ill, metrics: Metrics) -> None:
        listeners = {name: Listener() for name in ("well", "ill")}
        for name, listener in listeners.items():
            engine.attach(name, listener)
        engine.submit([request("well"), request("ill")], [])
        for listener in listeners.values():
            await listener.until(1)
        assert isinstance(listeners["well"].answers[0][1], Hypothesis)
        assert isinstance(listeners["ill"].answers[0][1], RecogniserFailed)
        assert engine.is_able and engine.sessions == 2

    ill(scenario)


def test_a_device_that_is_lost_is_known():
    async def scenario(engine: Engine, recogniser: Ill, metrics: Metrics) -> None:
        engine.attach("a", listener := Listener())
        recogniser.is_lost = True
        engine.submit([request("a")], [])
        await listener.until(1)
        assert isinstance(listener.answers[0][1], RecogniserFailed) and not engine.is_able
        assert b"stenoline_step_failures_total 1.0" in metrics.text()

    ill(scenario)
