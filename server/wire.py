"""What a connection talks through: messages in, messages out, an end with a code."""

from __future__ import annotations

import asyncio
from typing import Protocol

from starlette.websockets import WebSocket, WebSocketDisconnect


class Gone(Exception):
    """The peer is no longer there."""


class Wire(Protocol):
    """One peer."""

    async def receive(self) -> str | bytes:
        """The next message. Raises Gone."""

    async def send(self, message: str | bytes) -> None:
        """Waits while the peer is slow. Raises Gone."""

    async def close(self, code: int, reason: str) -> None:
        """WebSocket close code and reason; never raises for a peer that has gone."""


class WebSocketWire:
    """Over an accepted WebSocket."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket

    async def receive(self) -> str | bytes:
        """The next message. Raises Gone."""
        try:
            message = await self._websocket.receive()
        except RuntimeError as error:
            raise Gone(str(error)) from None
        if message["type"] == "websocket.disconnect":
            raise Gone(f"close code {message.get('code') or 1005}")
        data: bytes | None = message.get("bytes")
        return str(message.get("text", "")) if data is None else data

    async def send(self, message: str | bytes) -> None:
        """One frame, of text or of bytes. Raises Gone."""
        sending = self._websocket.send_text(message) if isinstance(message, str) else self._websocket.send_bytes(message)
        try:
            await sending
        except (WebSocketDisconnect, RuntimeError) as error:
            raise Gone(str(error)) from None

    async def close(self, code: int, reason: str) -> None:
        """The reason is cut to what a close frame holds."""
        try:
            await asyncio.wait_for(self._websocket.close(code, reason.encode()[:120].decode(errors="ignore")), 5)
        except (RuntimeError, TimeoutError, WebSocketDisconnect):
            return
