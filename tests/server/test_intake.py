"""Commands on their way to the session."""

from __future__ import annotations

import asyncio

import pytest

from server.intake import Intake
from server.media import MediaLimits
from streaming.commands import Append, Close, Command


async def room() -> None:
    """There is always some."""


@pytest.mark.parametrize("size", [0, 1, 1 << 18, 3_000_001])
def test_a_message_is_taken_whole_and_others_get_their_turn(size: int):
    done: list[Command] = []
    turns: list[int] = []

    async def others() -> None:
        while True:
            turns.append(len(done))
            await asyncio.sleep(0)

    async def scenario() -> None:
        waiting = asyncio.create_task(others())
        intake = Intake(done.append, lambda error: None, room, MediaLimits())
        await intake.take(Append(payload), None, 1)
        await intake.take(Close(), None, 1)
        waiting.cancel()

    payload = bytes(range(256)) * (size // 256) + bytes(size % 256)
    asyncio.run(scenario())
    *heard, last = done
    assert b"".join(command.payload for command in heard if isinstance(command, Append)) == payload and last == Close()
    assert len(heard) == max(1, -(-size >> 18) if size else 1) and {*range(1, len(heard))} <= {*turns}
