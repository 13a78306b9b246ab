"""The composition root: the one file that names concrete classes of all layers."""

from __future__ import annotations

import asyncio
import html
import os
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeAlias

from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from model.interfaces import Recogniser
from server import logs
from server.admission import Admission
from server.auth import Gate, Refused, selected_subprotocol
from server.config import Config
from server.connection import Connection, ConnectionLimits
from server.engine import Engine
from server.hotwords import HotwordLists
from server.metrics import Metrics
from server.protocols.base import Adapter, ServerDefaults
from server.protocols.deepgram import DeepgramAdapter
from server.protocols.native import NativeAdapter
from streaming.commands import EndpointingConfig
from streaming.errors import Overloaded, ServerFault, TranscriptionError
from streaming.planner import PlannerConfig
from streaming.session import Session, SessionLimits

MakeAdapter: TypeAlias = Callable[[str, ServerDefaults, WebSocket], Adapter]

_RETRY_AFTER_S = "5"
_SESSIONS_PER_CORE = 6
_SESSIONS_PER_GPU = 250  # the aim, not measured yet; bench/gpu.py finds it


class Service:
    """The running server: engine, admission, live connections."""

    def __init__(self, config: Config, recognisers: Sequence[Recogniser], keys: tuple[bytes, ...] = ()) -> None:
        self.config = config
        self.metrics = Metrics()
        self.engines = [Engine(recogniser, self.metrics) for recogniser in recognisers]
        self.gate = Gate(config, keys)
        self.hotwords = HotwordLists(Path(config.hotwords) if config.hotwords else None, config.hotword_lists)
        self.admission = Admission(
            capacity(config, recognisers), self.metrics, is_able=lambda: any(e.is_able for e in self.engines)
        )
        self.defaults = _defaults(config, recognisers[0])
        self.live: set[Connection] = set()
        self._running: set[asyncio.Task[None]] = set()
        self._limits = _session_limits(config)
        self._connection_limits = ConnectionLimits(
            pause_backlog_s=config.max_backlog_s / 2,
            send_timeout_s=config.send_timeout_s,
            max_message_bytes=config.max_message_bytes,
        )

    async def serve(self, websocket: WebSocket, make: MakeAdapter) -> None:
        """One WebSocket, from its handshake to its end."""
        session_id = uuid.uuid4().hex
        try:
            self.gate.check(websocket)
            adapter = make(session_id, self.defaults, websocket)
            with self.admission.place(adapter.name):
                await websocket.accept(selected_subprotocol(websocket), headers=[(b"dg-request-id", session_id.encode())])
                await self._run(websocket, adapter, session_id)
        except (Refused, TranscriptionError) as reason:
            await self._refuse(websocket, reason, session_id)

    async def _run(self, websocket: WebSocket, adapter: Adapter, session_id: str) -> None:
        client = websocket.client.host if websocket.client else "?"
        logs.info("session opened", session=session_id, protocol=adapter.name, client=client)
        session = Session(session_id, self._limits, shared=self.hotwords)
        connection = Connection(websocket, adapter, session, self._least_loaded(), self.metrics, self._connection_limits)
        running = asyncio.create_task(connection.run())
        self.live.add(connection)
        self._running.add(running)
        try:
            await running
        finally:
            self.live.discard(connection)
            self._running.discard(running)

    def _least_loaded(self) -> Engine:
        """Where the next session goes; it stays there."""
        return min(self.engines, key=lambda engine: (not engine.is_able, engine.sessions))

    async def _refuse(self, websocket: WebSocket, reason: Refused | TranscriptionError, session_id: str) -> None:
        """Answer the handshake with plain HTTP, so that no WebSocket ever opens."""
        response = refusal(reason, session_id)
        self.metrics.refused.labels(reason.code).inc()
        logs.info("refused", session=session_id, path=websocket.url.path, code=reason.code, status=response.status_code)
        await websocket.send_denial_response(response)

    async def drain(self) -> None:
        """No new sessions; the live ones finish, within the time they get."""
        self.admission.is_draining = True
        logs.info("draining", sessions=len(self.live))
        for connection in list(self.live):
            connection.shut_down()
        if self._running:
            await asyncio.wait(self._running, timeout=self.config.drain_s)


def refusal(reason: Refused | TranscriptionError, request_id: str) -> Response:
    """An HTTP answer that says why, in our words and in the fields that Deepgram's clients look for."""
    status = reason.status if isinstance(reason, Refused) else 503 if isinstance(reason, ServerFault) else 400
    headers = {"dg-request-id": request_id, "dg-error": reason.message.encode("ascii", "replace").decode()}
    if status == 503:
        headers["retry-after"] = _RETRY_AFTER_S
    if status == 401:
        headers["www-authenticate"] = "Bearer"
    error = {"code": reason.code, "message": reason.message, "field": getattr(reason, "field", None)}
    body = {"error": error, "err_code": reason.code.upper(), "err_msg": reason.message, "request_id": request_id}
    return JSONResponse(body, status, headers)


def capacity(config: Config, recognisers: Sequence[Recogniser]) -> int:
    """Sessions that are admitted; each can have two utterances on its device at once."""
    gpus = sum(name.strip().startswith("cuda") for name in config.device.split(","))
    affordable = _SESSIONS_PER_GPU * gpus or _SESSIONS_PER_CORE * len(os.sched_getaffinity(0))
    return max(1, min(config.max_sessions or affordable, sum(r.capacity // 2 for r in recognisers)))


def build_app(service: Service) -> Starlette:
    """The ASGI application over a service."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        for engine in service.engines:
            engine.start()
        watching = asyncio.create_task(service.hotwords.watch())
        yield
        watching.cancel()
        await asyncio.gather(*(engine.stop() for engine in service.engines))

    def guarded(handler: Callable[[Request], Response]) -> Callable[[Request], Response]:
        def checked(request: Request) -> Response:
            try:
                service.gate.check(request)
            except Refused as reason:
                return refusal(reason, uuid.uuid4().hex)
            return handler(request)

        return checked

    async def stream(websocket: WebSocket) -> None:
        await service.serve(websocket, lambda session_id, defaults, _: NativeAdapter(session_id, defaults))

    async def listen(websocket: WebSocket) -> None:
        await service.serve(websocket, lambda session_id, defaults, w: DeepgramAdapter(session_id, defaults, _query(w)))

    def ready(request: Request) -> Response:
        fault = service.admission.check()
        if fault is None or isinstance(fault, Overloaded):
            return JSONResponse({"status": "ready", "sessions": service.admission.live, "capacity": service.admission.capacity})
        return JSONResponse({"status": fault.code}, 503)

    return Starlette(
        routes=[
            Route("/", guarded(lambda _: HTMLResponse(_page(service)))),
            Route("/healthz", lambda _: JSONResponse({"status": "ok"})),
            Route("/readyz", ready),
            Route("/metrics", guarded(lambda _: PlainTextResponse(service.metrics.text(), media_type="text/plain; version=0.0.4"))),
            WebSocketRoute("/v1/stream", stream),
            WebSocketRoute("/v1/listen", listen),
        ],
        lifespan=lifespan,
    )


def _query(connection: HTTPConnection) -> list[tuple[str, str]]:
    return list(connection.query_params.multi_items())


def _defaults(config: Config, recogniser: Recogniser) -> ServerDefaults:
    endpointing = EndpointingConfig(config.silence_ms, config.no_speech_ms, config.max_utterance_ms)
    names = dict.fromkeys((recogniser.name, config.model, "default"))
    return ServerDefaults(config.language or None, recogniser.languages, endpointing, tuple(names))


def _session_limits(config: Config) -> SessionLimits:
    return SessionLimits(
        max_backlog_s=config.max_backlog_s,
        idle_s=config.idle_s,
        max_session_s=config.max_session_s,
        planner=PlannerConfig(partial_interval_ms=config.partial_interval_ms),
    )


def _page(service: Service) -> str:
    return f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Stenoline</title>
<style>body{{font:16px/1.5 system-ui;max-width:40rem;margin:3rem auto;padding:0 1rem}}code{{background:#eee}}</style>
<h1>Stenoline</h1><p>Live transcription with <b>{html.escape(service.engines[0].recogniser.name)}</b>:
{service.admission.live} of {service.admission.capacity} sessions.</p>
<ul><li><code>/v1/stream</code> native WebSocket protocol<li><code>/v1/listen</code> Deepgram's live protocol
<li><a href="/healthz">/healthz</a>, <a href="/readyz">/readyz</a>, <a href="/metrics">/metrics</a></ul>
<p>Try it: <code>stenoline stream talk.flac</code></p></html>"""
