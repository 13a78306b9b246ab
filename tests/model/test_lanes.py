"""Shares of a batch, and the threads that work on them."""

from __future__ import annotations

import threading

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from model.lanes import Lanes, shares

LOADS = st.lists(st.floats(0, 100), max_size=24)


@given(LOADS, st.integers(1, 6))
def test_every_item_is_in_one_share_and_none_is_empty(loads, count):
    found = shares(loads, count)
    assert sorted(i for share in found for i in share) == list(range(len(loads)))
    assert len(found) == min(count, len(loads)) and all(found)


@given(LOADS.filter(len), st.integers(1, 6))
def test_no_share_is_heavier_than_the_mean_and_one_item(loads, count):
    heaviest = max(sum(loads[i] for i in share) for share in shares(loads, count))
    assert heaviest <= sum(loads) / count + max(loads) + 1e-6


def test_answers_come_in_the_order_of_the_items():
    lanes = Lanes(3)
    assert lanes.map(lambda part: [-x for x in part], list(range(20)), load=float) == [-x for x in range(20)]
    assert lanes.map(lambda part: part, [], load=float) == []


def test_lanes_work_side_by_side_and_each_keeps_torch_to_its_thread():
    meeting, seen = threading.Barrier(3, timeout=20), []

    def work(part):
        meeting.wait()  # passes only when three threads are here at once
        seen.append((threading.current_thread().name, torch.get_num_threads()))
        return part

    Lanes(3).map(work, [1, 1, 1], load=float)
    assert len({name for name, _ in seen}) == 3 and {threads for _, threads in seen} == {1}


def test_an_error_comes_after_every_lane_has_come_to_rest():
    ended, failed = threading.Event(), threading.Event()

    def work(part):
        if part == [0]:
            failed.set()
            raise ValueError("no such kernel")
        failed.wait(20)
        ended.set()
        return part

    with pytest.raises(ValueError, match="no such kernel"):
        Lanes(2).map(work, [0, 1], load=lambda _: 1.0)
    assert ended.is_set()


def test_an_item_that_is_alone_has_all_the_cores():
    lanes = Lanes(2)

    def threads(part):
        return [torch.get_num_threads()] * len(part)

    assert lanes.map(threads, [1.0], load=float, is_alone=True) == [2]
    assert lanes.map(threads, [1.0], load=float) == [1]
    assert lanes.map(threads, [1.0, 2.0], load=float, is_alone=True) == [1, 1]
