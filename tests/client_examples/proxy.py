"""A network that fails on demand: a TCP proxy in front of a server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

CUT, FREEZE = "cut", "freeze"


class Proxy:
    """Forwards to `address`; does `faults` (kind, after so many bytes of the client on one connection), one a connection."""

    def __init__(self, address: str, faults: Sequence[tuple[str, int]] = ()) -> None:
        self.address = address
        self.faults = list(faults)
        self.connections = 0
        self.is_open = True  # False: connections are dropped as soon as they come
        self.url = ""
        self._links: set[asyncio.Task[None]] = set()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = asyncio.current_task()
        assert link is not None
        self._links.add(link)
        self.connections += 1
        try:
            if self.is_open:
                await self._link(reader, writer)
        except asyncio.CancelledError:
            pass  # cut
        finally:
            writer.transport.abort()
            self._links.discard(link)

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = self.address.split(":")
        there, back = await asyncio.open_connection(host, int(port))
        fault, after = self.faults.pop(0) if self.faults else ("", 0)
        try:
            down = asyncio.create_task(forward(there, writer))
            up = asyncio.create_task(forward(reader, back, after if fault else None))
            await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
            if fault == FREEZE and not down.done():
                down.cancel()
                await asyncio.Event().wait()  # until the client has had enough of it, or the test
        finally:
            back.transport.abort()
            for task in (up, down):
                task.cancel()
            await asyncio.gather(up, down, return_exceptions=True)

    def cut(self) -> None:
        """Every connection, now."""
        for link in self._links:
            link.cancel()


async def forward(source: asyncio.StreamReader, sink: asyncio.StreamWriter, most: int | None = None) -> None:
    """Until there is no more, or so many bytes have gone through."""
    with suppress(ConnectionError):
        while (most is None or most > 0) and (data := await source.read(min(most or 65_536, 65_536))):
            sink.write(data)
            await sink.drain()
            most = most and most - len(data)


@asynccontextmanager
async def proxy(address: str, *faults: tuple[str, int]) -> AsyncIterator[Proxy]:
    """A proxy on a free port."""
    found = Proxy(address, faults)
    listener = await asyncio.start_server(found.accept, "127.0.0.1", 0)
    found.url = f"ws://127.0.0.1:{listener.sockets[0].getsockname()[1]}/v1/stream"
    try:
        yield found
    finally:
        listener.close()
        found.cut()
        await asyncio.gather(*found._links, return_exceptions=True)
        await asyncio.sleep(0.01)  # sockets that are aborted are closed by the loop
