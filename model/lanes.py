"""Threads that work on shares of a batch side by side.

Splitting each operator of a step over two cores costs more than it saves: steps are small, and the threads wait for each
other hundreds of times in one. Rows do not depend on each other, so the batch is split instead, once a step. Only where there is
one row, and nobody else who wants the cores, its operators are split: a recording is done in two thirds of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

import torch

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Lanes:
    """`count` threads, in each of which torch's operators keep to that thread."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._pool = ThreadPoolExecutor(count, "lane", torch.set_num_threads, (1,))
        self._broad = ThreadPoolExecutor(1, "broad lane", torch.set_num_threads, (count,))

    def map(
        self,
        work: Callable[[list[Item]], list[Answer]],
        items: Sequence[Item],
        load: Callable[[Item], float],
        *,
        is_alone: bool = False,
    ) -> list[Answer]:
        """Answers in the order of the items; an error is raised after every lane has come to rest.

        `is_alone`: nobody else wants the cores, so that one item may have them all.
        """
        places = shares([load(item) for item in items], self._count)
        pool = self._broad if is_alone and len(places) == 1 else self._pool
        futures = [pool.submit(work, [items[i] for i in each]) for each in places]
        wait(futures)
        answers = {i: a for each, future in zip(places, futures, strict=True) for i, a in zip(each, future.result(), strict=True)}
        return [answers[i] for i in range(len(items))]


def shares(loads: Sequence[float], count: int) -> list[list[int]]:
    """Indices in at most `count` shares of nearly equal load: the heaviest first, each to the lightest share (Graham 1969)."""
    found: list[list[int]] = [[] for _ in range(count)]
    sums = [0.0] * count
    for index in sorted(range(len(loads)), key=lambda i: -loads[i]):
        lightest = min(range(count), key=lambda i: (sums[i], len(found[i])))
        found[lightest].append(index)
        sums[lightest] += loads[index]
    return [sorted(share) for share in found if share]
