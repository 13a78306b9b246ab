from __future__ import annotations

import asyncio

import pytest

from server.outbox import Outbox
from streaming.errors import Overloaded


def taken(box: Outbox[str], count: int) -> list[str]:
    """The next ones; after them nothing waits."""

    async def some() -> list[str]:
        found = [await box.get() for _ in range(count)]
        asking = asyncio.create_task(box.get())
        await asyncio.sleep(0)
        assert not asking.done()
        asking.cancel()
        return found

    return asyncio.run(some())


def same_letter(new: str, old: str) -> bool:
    return new[0] == old[0]


def test_what_is_replaced_is_not_sent():
    box = Outbox(9, same_letter)
    box.put(["a1", "a2", "b1", "a3"])
    box.put(["a4"])
    assert taken(box, 3) == ["a2", "b1", "a4"]


def test_it_has_a_bound():
    box = Outbox(2, same_letter)
    box.put(["a", "b"])
    with pytest.raises(Overloaded, match="3 events wait to be taken by the client, expected at most 2"):
        box.put(["c"])


def test_an_end_takes_the_place_of_all_that_waits():
    box = Outbox(2, same_letter)
    box.put(["a", "b"])
    box.end("z")
    box.put(["c", "d", "e"])
    box.end("y")
    assert taken(box, 1) == ["z"]
