"""The TCP port of the Wyoming protocol."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

from server import logs
from server.auth import is_loopback
from server.config import BadSetting, Config
from server.wire import Gone, Wire

_READ_BYTES = 1 << 16
_CLOSE_S = 5.0

Serve = Callable[[Wire, str], Awaitable[None]]


class TcpWire:
    """Bytes as they come, in pieces of no meaning."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, most: int = _READ_BYTES) -> None:
        self._reader, self._writer, self._most = reader, writer, min(most, _READ_BYTES)

    async def receive(self) -> bytes:
        """Some bytes. Raises Gone."""
        try:
            data = await self._reader.read(self._most)
        except OSError as error:
            raise Gone(str(error)) from None
        if not data:
            raise Gone("the end of the stream")
        return data

    async def send(self, message: str | bytes) -> None:
        """Waits while the peer is slow. Raises Gone."""
        try:
            self._writer.write(message.encode() if isinstance(message, str) else message)
            await self._writer.drain()
        except OSError as error:
            raise Gone(str(error)) from None

    async def close(self, code: int, reason: str) -> None:
        """What was sent goes out, if the peer takes it."""
        try:
            self._writer.close()
            await asyncio.wait_for(self._writer.wait_closed(), _CLOSE_S)
        except (OSError, TimeoutError):
            self._writer.transport.abort()


def check(config: Config) -> None:
    """Raises BadSetting for an address that others can reach."""
    if not (is_loopback(config.wyoming_host) or config.insecure):
        raise BadSetting(
            f"wyoming_host is {config.wyoming_host}, which others can reach, and the Wyoming protocol knows no keys: "
            "expected a loopback address, or --insecure to let everybody in"
        )


async def start(listener: socket.socket, most: int, serve: Serve) -> asyncio.Server:
    """Serve on the listener, reading at most so many bytes at once."""

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")
        wire = TcpWire(reader, writer, most)
        try:
            await serve(wire, str(peer[0]) if peer else "?")
        finally:
            await wire.close(1000, "")

    host, port = listener.getsockname()[:2]
    logs.info("wyoming listening", address=f"tcp://{host}:{port}")
    return await asyncio.start_server(accepted, sock=listener)
