"""One socket that follows a caption room: what waits in its seat goes out, what it says is refused."""

from __future__ import annotations

import asyncio
from collections import deque

from server import logs
from server.captions import TOO_SLOW, Ending, Seat, caption, give
from server.metrics import Metrics
from server.wire import Gone, Wire

_MOST_MESSAGES, _WITHIN_S = 20, 60.0  # of a viewer, who has nothing to say
_TALKS = Ending(1008, "a viewer only listens")
_ANSWER = caption(
    {"type": "error", "code": "read_only", "message": "a viewer only listens; to speak, connect with role=speaker", "fatal": False}
)


async def follow(wire: Wire, seat: Seat, send_timeout_s: float, metrics: Metrics) -> None:
    """Until it goes, is too slow, or its seat comes to an end."""
    tasks = [asyncio.create_task(_read(wire, seat)), asyncio.create_task(_write(wire, seat, send_timeout_s, metrics))]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            if (error := task.exception()) and not isinstance(error, Gone):
                logs.failure("a viewer failed", error)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _read(wire: Wire, seat: Seat) -> None:
    loop, times = asyncio.get_running_loop(), deque[float](maxlen=_MOST_MESSAGES)
    while True:
        await wire.receive()
        times.append(loop.time())
        give(seat, _ANSWER)
        if len(times) == _MOST_MESSAGES and times[-1] - times[0] < _WITHIN_S:
            seat.end(_TALKS)


async def _write(wire: Wire, seat: Seat, send_timeout_s: float, metrics: Metrics) -> None:
    while not isinstance(item := await seat.get(), Ending):
        try:
            async with asyncio.timeout(send_timeout_s):
                await wire.send(item.text)
        except TimeoutError:
            item = TOO_SLOW
            break
    if item is TOO_SLOW:
        metrics.errors.labels("slow_viewer").inc()
    await wire.close(item.code, item.reason)
