"""Which requests go first, and how many."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from model.interfaces import Roll, StepRequest, UtteranceId, Word
from streaming.scheduler import Batch, Scheduler, SchedulerConfig, merged

NARROW = SchedulerConfig(max_rows=4, max_encoded_s=6.0, redone_s=1.0)


def request(
    session: str,
    *,
    seconds: float = 0.4,
    whole: bool = False,
    final: bool = False,
    deadline: float = 0.0,
    start: int = 0,
    revision: int = 0,
) -> StepRequest:
    samples = np.full(round(seconds * 16_000), revision, np.float32)
    return StepRequest(UtteranceId(session, 0), revision, start, samples, whole or final, final, deadline)


def scheduler(*requests: StepRequest, config: SchedulerConfig = NARROW) -> Scheduler:
    made = Scheduler(config)
    for each in requests:
        made.submit(each, now=0.0)
    return made


def names(batch: Batch) -> list[str]:
    return [each.utterance.session for each in batch.requests]


def drained(made: Scheduler) -> list[list[str]]:
    """Batches until nothing is left, each answered at once."""
    batches = []
    while (batch := made.schedule(now=0.0)).requests:
        batches.append(names(batch))
        made.complete(batch, now=0.0)
    return batches


def test_nothing_waits():
    assert Scheduler().schedule(now=0.0) == Batch(())


def test_recordings_wait_for_live_sessions_and_are_never_passed_over():
    made = scheduler(
        replace(request("recording", final=True, deadline=1.5), is_patient=True),
        request("live", final=True, deadline=9.0),
        request("early", deadline=1.0),
        request("late", deadline=2.0),
    )
    assert drained(made) == [["live"], ["early"], ["recording"], ["late"]]


def test_finals_then_whole_windows_then_the_earliest_deadline():
    made = scheduler(
        request("late", deadline=2.0),
        request("early", deadline=1.0),
        request("whole", whole=True, deadline=9.0),
        request("final", final=True, deadline=9.0),
    )
    assert drained(made) == [["final", "whole"], ["early", "late"]]


def test_a_step_has_so_many_rows():
    assert [len(batch) for batch in drained(scheduler(*(request(str(i), seconds=0.1) for i in range(6))))] == [4, 2]


def test_a_step_encodes_so_many_seconds():
    assert drained(scheduler(*(request(str(i), seconds=1.5, deadline=i) for i in range(3)))) == [["0", "1"], ["2"]]


def test_one_that_is_too_much_by_itself_still_goes():
    assert drained(scheduler(request("long", seconds=60.0), request("other", deadline=1.0))) == [["long"], ["other"]]


def test_a_whole_window_costs_what_came_before_too():
    made = scheduler(request("a", seconds=5.0))
    made.complete(made.schedule(now=0.0), now=0.0)
    made.submit(request("a", seconds=0.5, whole=True, start=80_000), now=0.0)
    made.submit(request("b", seconds=1.0, whole=True, deadline=1.0), now=0.0)
    assert drained(made) == [["a"], ["b"]]


def test_a_roll_makes_it_cheaper():
    made = scheduler(request("a", seconds=5.0))
    made.complete(made.schedule(now=0.0), now=0.0)
    rolled = StepRequest(UtteranceId("a", 0), 1, 80_000, np.zeros(8_000, np.float32), True, False, 0.0, roll=Roll(72_000, ()))
    made.submit(rolled, now=0.0)
    made.submit(request("b", seconds=1.0, whole=True, deadline=1.0), now=0.0)
    assert drained(made) == [["a", "b"]]


def test_one_request_of_an_utterance_is_in_flight():
    made = scheduler(request("a"))
    first = made.schedule(now=0.0)
    made.submit(request("a", revision=1), now=0.0)
    assert made.schedule(now=0.0) == Batch(())
    made.complete(first, now=0.0)
    assert names(made.schedule(now=0.0)) == ["a"]


def test_a_waiting_request_takes_the_next_one_in():
    roll = Roll(5, (Word(" a", 0, 5, 1.0),))
    first = StepRequest(UtteranceId("a", 0), 1, 100, np.ones(3, np.float32), True, False, 1.0, roll=roll)
    second = StepRequest(UtteranceId("a", 0), 2, 103, np.zeros(2, np.float32), False, False, 4.0, stable=(Word(" b", 5, 6, 1.0),))
    one = merged(first, second)
    assert (one.revision, one.start, one.samples.tolist(), one.deadline) == (2, 100, [1, 1, 1, 0, 0], 1.0)
    assert (one.whole_window, one.is_final, one.roll, one.stable) == (True, False, roll, second.stable)
    made = scheduler(first, second)
    assert made.depth == 1


def test_cancelling_drops_what_waits_and_names_what_the_device_holds():
    made = scheduler(request("a"), request("b"))
    batch = made.schedule(now=0.0)
    made.submit(request("a", revision=1), now=0.0)
    assert made.cancel("a") == [UtteranceId("a", 0)]
    made.complete(batch, now=0.0)
    assert made.schedule(now=0.0) == Batch(())
    assert made.cancel("a") == [] and made.cancel("b") == [UtteranceId("b", 0)]


def test_after_a_final_nothing_is_remembered():
    made = scheduler(request("a", final=True))
    drained(made)
    assert made.cancel("a") == []


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(1, 50), st.booleans(), st.booleans()), max_size=60), st.integers(1, 5))
def test_every_sample_comes_out_once_and_in_order(submissions, every):
    made, heads, out, revisions = Scheduler(NARROW), {}, {}, {}
    for number, (who, tenths, is_whole, is_late) in enumerate(submissions):
        session, seconds = str(who), tenths / 10
        start = heads.get(session, 0)
        heads[session] = start + round(seconds * 16_000)
        revisions[session] = number
        made.submit(request(session, seconds=seconds, whole=is_whole, deadline=is_late, start=start, revision=number), now=0.0)
        assert made.depth <= 13
        if number % every == 0:
            take(made, out)
    while made.depth:
        take(made, out)
    assert {s: end for s, (end, _) in out.items()} == heads
    assert {s: revision for s, (_, revision) in out.items()} == revisions


def take(made: Scheduler, out: dict[str, tuple[int, int]]) -> None:
    batch = made.schedule(now=0.0)
    assert batch.requests or not made.depth
    assert len({r.utterance for r in batch.requests}) == len(batch.requests) <= NARROW.max_rows
    for each in batch.requests:
        end, _ = out.get(each.utterance.session, (0, 0))
        assert each.start == end
        out[each.utterance.session] = (end + len(each.samples), each.revision)
    made.complete(batch, now=0.0)


def served(seconds_each: float, sessions: int, *, rounds: int = 60) -> Scheduler:
    """Sessions that ask for one partial a round, each of which takes the device so long."""
    made, now = Scheduler(), 0.0
    for number in range(rounds):
        for i in range(sessions):
            made.submit(request(str(i), revision=number, start=number * 6_400), now=now)
        while (batch := made.schedule(now=now)).requests:
            now += seconds_each * len(batch.requests)
            made.complete(batch, now=now)
    return made


def test_partials_are_as_far_apart_as_the_device_can_keep_up_with():
    assert Scheduler().partial_interval_ms == 0
    share = SchedulerConfig().partial_share
    for sessions in (1, 4, 8):
        assert abs(served(0.05, sessions).partial_interval_ms - sessions * 50 / share) < 0.1 * sessions * 50 / share


def test_they_are_never_further_apart_than_the_most():
    assert served(1.0, 8).partial_interval_ms == SchedulerConfig().most_interval_ms


def test_sessions_that_have_gone_do_not_count():
    made = served(0.05, 8)
    before = made.partial_interval_ms
    for i in range(4):
        made.cancel(str(i))
    assert abs(made.partial_interval_ms - before / 2) <= 1
