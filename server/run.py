"""uvicorn, with our way of stopping: drain first, then exit."""

from __future__ import annotations

import asyncio
import socket
from types import FrameType

import uvicorn
import websockets.http11
from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

from server import logs, wyoming
from server.app import Service, build_app
from server.config import BadSetting, Config

_HEAD_BOUND = 256 * 1024  # bytes of a request's address and headers: a thousand hotwords may stand in an address
websockets.http11.MAX_LINE_LENGTH = 4 * _HEAD_BOUND  # uvicorn has bounded it by then, and would leave the peer without an answer
_FRAME_BOUND = 24  # times the message size: beyond it the socket is closed, below it the session gets an error


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """Lets go of a peer that does not read: the close frame is not held up by what waits, and after a while all that is dropped.

    Of a peer that is held back no answer to a ping is expected: it would lie behind what is not read yet.
    """

    drop_after_s = 10.0

    async def send(self, message: ASGISendEvent) -> None:
        """One ASGI message to the peer."""
        if message["type"] == "websocket.accept":
            self.conn.max_message_size = self.scope["state"].get("most_bytes", self.conn.max_message_size)
        if message["type"] == "websocket.close":
            self.writable.set()
        await super().send(message)
        if message["type"] == "websocket.http.response.body":
            self.handshake_complete = True  # it was refused, which uvicorn would log as an error of ours
        if self.close_timer and message["type"] == "websocket.close":
            self.close_timer.cancel()
            self.close_timer = self.loop.call_later(self.drop_after_s, self.transport.abort)

    def handle_cont(self, event: Frame) -> None:
        """Parts without content add nothing, and there could be any number of them."""
        if event.data or event.fin:
            super().handle_cont(event)

    def handle_ping(self) -> None:
        """Who does not read gets no answers either: they would wait here without end."""
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()

    def keepalive_timeout(self) -> None:
        """Called when a ping was not answered in time."""
        if not self.read_paused:
            super().keepalive_timeout()
            return
        self.pong_timer = None
        self.schedule_ping()


class DrainingServer(uvicorn.Server):
    """The first signal drains, the second one exits at once."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service
        self._drain: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until told to stop."""
        self._loop = asyncio.get_running_loop()
        await super().serve(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Called by the signal."""
        if self._drain is not None or self._loop is None:
            self.should_exit = self.force_exit = True
            return
        self._loop.call_soon_threadsafe(self._start_drain)

    def _start_drain(self) -> None:
        self._drain = self._drain or asyncio.ensure_future(self._drain_then_exit())

    async def _drain_then_exit(self) -> None:
        await self._service.drain()
        self.should_exit = True


def uvicorn_config(service: Service) -> uvicorn.Config:
    """Our settings for uvicorn; compression is off, it costs more than it saves on audio."""
    c = service.config
    return uvicorn.Config(
        build_app(service),
        host=c.host,
        port=c.port,
        h11_max_incomplete_event_size=_HEAD_BOUND,
        ws=WebSocketProtocol,
        ws_max_size=c.max_message_bytes * _FRAME_BOUND,
        ws_per_message_deflate=False,
        ws_ping_interval=20,
        ws_ping_timeout=20,
        loop="uvloop",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
        ssl_certfile=c.tls_cert or None,
        ssl_keyfile=c.tls_key or None,
    )


def listen(host: str, port: int, prefix: str = "") -> socket.socket:
    """A listening socket, so that the port is known (and known to be free) before anything else is done.

    Raises BadSetting; `prefix` is what the names of the settings begin with.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        flags = f"--{prefix}host, --{prefix}port".replace("_", "-")
        place = f"{prefix}host {host}, {prefix}port {port}"
        raise BadSetting(f"cannot listen on {place}: {error.strerror}; name others with {flags}") from None
    return listener


def listen_wyoming(config: Config) -> socket.socket | None:
    """The same for the Wyoming protocol, if it has a port. Raises BadSetting."""
    if not config.wyoming_port:
        return None
    wyoming.check(config)
    return listen(config.wyoming_host, config.wyoming_port, "wyoming_")


def run(service: Service, listener: socket.socket) -> None:
    """Serve on the listener until drained."""
    config = uvicorn_config(service)
    server = DrainingServer(config, service)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(server.serve([listener]))
    logs.info("stopped")
