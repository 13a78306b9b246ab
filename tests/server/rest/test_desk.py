from __future__ import annotations

import asyncio
import io

from server.files import Progress
from streaming.commands import SessionConfig
from tests.server.conftest import Serve, wait_for
from tests.server.rest.conftest import WAV


def test_who_reads_slowly_keeps_nobody_waiting(serve: Serve):
    running = serve(max_files=1)
    assert wait_for(lambda: running.server.started)
    desk, loop = running.service.desk, running.server._loop
    assert loop is not None

    async def scenario() -> list[object]:
        slow = desk.flowing(io.BytesIO(WAV), SessionConfig())
        first = await anext(slow)
        others = [event async for event in desk.events(io.BytesIO(WAV), SessionConfig())]
        rest = [first] + [event async for event in slow]
        assert [each for each in rest if not isinstance(each, Progress)] == [e for e in others if not isinstance(e, Progress)]
        return rest

    found = asyncio.run_coroutine_threadsafe(scenario(), loop).result(30)
    assert sum(not isinstance(each, Progress) for each in found) == 2
