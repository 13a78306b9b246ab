"""The composition root: the one file that names concrete classes of all layers."""

from __future__ import annotations

import asyncio
import os
import socket
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext, suppress
from pathlib import Path
from typing import TypeAlias

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from model.interfaces import Recogniser
from server import logs, pages, wyoming
from server.admission import Admission
from server.auth import Gate, Refused, is_loopback, selected_subprotocol, subprotocols
from server.captions import MOST_BYTES, Room, RoomLimits
from server.config import Config
from server.connection import Connection, ConnectionLimits
from server.engine import Engine
from server.files import Turns
from server.hotwords import HotwordLists
from server.loading import spoken, text_style
from server.media import MediaLimits
from server.metrics import Metrics
from server.protocols.base import Adapter, ServerDefaults
from server.protocols.deepgram import DeepgramAdapter
from server.protocols.fields import one_of
from server.protocols.first_message import FirstMessageAdapter
from server.protocols.native import NativeAdapter
from server.protocols.openai_realtime import RealtimeAdapter
from server.protocols.vosk import VoskAdapter
from server.protocols.whisper_live import WhisperLiveAdapter
from server.protocols.wyoming import WyomingAdapter
from server.rest import deepgram, documents, info, openai, plain
from server.rest import realtime as realtime_keys
from server.rest.base import LONGEST_PATH, Handler, endpoint, refusal, unknown
from server.rest.desk import Desk
from server.rooms import SECRET_LENGTH, Rooms, checked
from server.viewer import follow
from server.wire import Gone, WebSocketWire, Wire
from streaming.biasing import HotwordList
from streaming.channels import Channels, session_of
from streaming.commands import EndpointingConfig
from streaming.errors import Overloaded, TranscriptionError
from streaming.events import ErrorEvent
from streaming.planner import PlannerConfig
from streaming.session import Session, SessionLimits

MakeAdapter: TypeAlias = Callable[[str, ServerDefaults, WebSocket], Adapter]

_SOCKETS = ("/v1/stream (native)", "/v1/listen", "/v1/realtime", "/v1/captions/{room}", "/vosk", "/whisper-live")
_SESSIONS_PER_CORE = 6
_FAREWELL_S = 5.0  # that viewers get to take what waits for them
_SESSIONS_PER_GPU = 250  # the aim, not measured yet; bench/gpu.py finds it


class Service:
    """The running server: engine, admission, live connections."""

    def __init__(
        self,
        config: Config,
        recognisers: Sequence[Recogniser],
        keys: tuple[bytes, ...] = (),
        wyoming_listener: socket.socket | None = None,
    ) -> None:
        self.config, self.wyoming_listener = config, wyoming_listener
        self.metrics = Metrics()
        self.engines = [Engine(recogniser, self.metrics) for recogniser in recognisers]
        self.gate = Gate(config, keys)
        file = Path(config.hotwords) if config.hotwords else None
        self.hotwords = HotwordLists(file, config.hotword_lists, self._prepare)
        self.admission = Admission(
            capacity(config, recognisers), self.metrics, is_able=lambda: any(e.is_able for e in self.engines)
        )
        self.defaults = _defaults(config, recognisers[0])
        self.live: set[Connection] = set()
        self.wyoming: asyncio.Server | None = None
        self.rooms = Rooms(RoomLimits(config.max_rooms, config.max_viewers, config.max_room_viewers))
        self.metrics.rooms.set_function(lambda: len(self.rooms))
        self.metrics.viewers.set_function(lambda: self.rooms.viewers)
        self._following: set[asyncio.Task[None]] = set()
        self._running: set[asyncio.Task[None]] = set()
        self._limits = _session_limits(config)
        self.desk = Desk(
            self.defaults,
            self.hotwords,
            self.metrics,
            self._limits,
            MediaLimits(max_duration_s=config.max_file_s),
            Turns(config.max_files or len(os.sched_getaffinity(0)), config.max_files_waiting),
            config.max_file_mb << 20,
            self._least_loaded,
            self._check_open,
        )
        self._connection_limits = ConnectionLimits(
            pause_backlog_s=config.max_backlog_s / 2,
            send_timeout_s=config.send_timeout_s,
            max_message_bytes=config.max_message_bytes,
            media=MediaLimits(max_duration_s=config.max_session_s),
        )

    async def serve(self, websocket: WebSocket, make: MakeAdapter) -> None:
        """One WebSocket, from its handshake to its end."""
        session_id = uuid.uuid4().hex
        try:
            short = self.gate.check(websocket)
            websocket.state.settings = short.settings if short else {}
            await self._converse(websocket, make(session_id, self.defaults, websocket), session_id)
        except (Refused, TranscriptionError) as reason:
            await self._refuse(websocket, reason, session_id)

    async def caption(self, websocket: WebSocket) -> None:
        """One speaker or viewer of a caption room."""
        session_id = uuid.uuid4().hex
        try:
            self.gate.check_place(websocket)
            if not self.config.max_rooms:
                raise Refused(404, "not_found", "this server has no caption rooms: max_rooms is 0")
            name = checked(websocket.path_params["room"])
            self._check_open()
            if one_of(websocket.query_params, "role", "viewer", ("viewer", "speaker")) == "viewer":
                await self._follow(websocket, name)
                return
            async with self.rooms.turn(name, self.gate.owner(websocket)) as room:
                await self._converse(websocket, NativeAdapter(session_id, self.defaults), session_id, room)
        except (Refused, TranscriptionError) as reason:
            await self._refuse(websocket, reason, session_id)

    async def _follow(self, websocket: WebSocket, name: str) -> None:
        if len(name) < SECRET_LENGTH:
            self.gate.check(websocket)
        with self.rooms.seat(name) as seat:
            websocket.state.most_bytes = MOST_BYTES
            await websocket.accept(selected_subprotocol(websocket))
            wire = WebSocketWire(websocket)
            following = asyncio.create_task(follow(wire, seat, self.config.send_timeout_s, self.metrics))
            self._following.add(following)
            try:
                await following
            finally:
                self._following.discard(following)

    async def _converse(self, websocket: WebSocket, adapter: Adapter, session_id: str, room: Room | None = None) -> None:
        with self.admission.place(adapter.name, adapter.channels):
            await websocket.accept(selected_subprotocol(websocket), headers=[(b"dg-request-id", session_id.encode())])
            client = websocket.client.host if websocket.client else "?"
            await self._run(WebSocketWire(websocket), client, adapter, session_id, room)

    async def serve_wyoming(self, wire: Wire, client: str) -> None:
        """One TCP connection; there is no handshake that could be refused."""
        session_id = uuid.uuid4().hex
        adapter = WyomingAdapter(session_id, self.defaults)
        try:
            with self.admission.place(adapter.name):
                await self._run(wire, client, adapter, session_id)
        except TranscriptionError as reason:
            self.metrics.refused.labels(reason.code).inc()
            for message in adapter.render(ErrorEvent(reason)):
                with suppress(Gone):
                    await wire.send(message)

    async def _run(self, wire: Wire, client: str, adapter: Adapter, session_id: str, room: Room | None = None) -> None:
        logs.info("session opened", session=session_id, protocol=adapter.name, client=client)
        session = self._session(session_id, adapter.channels)
        publish = room.publish if room else None
        connection = Connection(wire, adapter, session, self._least_loaded(), self.metrics, self._connection_limits, publish)
        running = asyncio.create_task(connection.run())
        self.live.add(connection)
        self._running.add(running)
        try:
            with room.spoken_in(session_id, connection) if room else nullcontext():
                await running
        finally:
            self.live.discard(connection)
            self._running.discard(running)

    def _prepare(self, hotwords: HotwordList) -> None:
        for engine in self.engines:
            engine.recogniser.prepare(hotwords)

    def _session(self, session_id: str, channels: int) -> Session | Channels:
        def made(name: str) -> Session:
            return Session(name, self._limits, shared=self.hotwords)

        return session_of(session_id, channels, made)

    def _check_open(self) -> None:
        fault = self.admission.check()
        if fault and not isinstance(fault, Overloaded):
            raise fault

    def _least_loaded(self) -> Engine:
        """Where the next session goes; it stays there."""
        return min(self.engines, key=lambda engine: (not engine.is_able, engine.sessions))

    async def refuse_path(self, websocket: WebSocket) -> None:
        """A socket where there is none."""
        message = f"no WebSocket is at {websocket.url.path[:LONGEST_PATH]}: there is {', '.join(_SOCKETS)}"
        await self._refuse(websocket, Refused(404, "not_found", message), uuid.uuid4().hex)

    async def _refuse(self, websocket: WebSocket, reason: Refused | TranscriptionError, session_id: str) -> None:
        """Answer the handshake with plain HTTP, so that no WebSocket ever opens."""
        response = refusal(reason, session_id)
        self.metrics.refused.labels(reason.code).inc()
        path = websocket.scope["path"].removesuffix(websocket.path_params.get("room", ""))  # the name of a room may be its secret
        logs.info("refused", session=session_id, path=path, code=reason.code, status=response.status_code)
        await websocket.send_denial_response(response)

    async def drain(self) -> None:
        """No new sessions and recordings; the present ones finish, within the time they get."""
        self.admission.is_draining = True
        logs.info("draining", sessions=len(self.live))
        if self.wyoming:
            self.wyoming.close()
        for connection in list(self.live):
            connection.shut_down()
        if working := self._running | self.desk.working:
            await asyncio.wait(working, timeout=self.config.drain_s)
        self.desk.end()
        self.rooms.end()
        if self._following:
            await asyncio.wait(self._following, timeout=_FAREWELL_S)


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
        watching = [asyncio.create_task(each.watch()) for each in (service.hotwords, service.rooms)]
        if listener := service.wyoming_listener:
            service.wyoming = await wyoming.start(listener, service.config.max_message_bytes, service.serve_wyoming)
        yield
        if service.wyoming:
            service.wyoming.close()
        for task in watching:
            task.cancel()
        await asyncio.gather(*(engine.stop() for engine in service.engines))

    def guarded(handler: Handler) -> Handler:
        return endpoint(service.gate.check, handler)

    def open_to_all(handler: Handler) -> Handler:
        return endpoint(service.gate.check_place, handler)

    async def metrics(request: Request) -> Response:
        return PlainTextResponse(service.metrics.text(), media_type="text/plain; version=0.0.4")

    def live(path: str, make: MakeAdapter) -> WebSocketRoute:
        async def serve(websocket: WebSocket) -> None:
            await service.serve(websocket, make)

        return WebSocketRoute(path, serve)

    def ready(request: Request) -> Response:
        fault = service.admission.check()
        if fault is None or isinstance(fault, Overloaded):
            return JSONResponse({"status": "ready", "sessions": service.admission.live, "capacity": service.admission.capacity})
        return JSONResponse({"status": fault.code}, 503)

    return Starlette(
        routes=[
            Route("/healthz", lambda _: JSONResponse({"status": "ok"})),
            Route("/readyz", ready),
            Route("/metrics", guarded(metrics)),
            *openai.routes(service.desk, guarded),
            *plain.routes(service.desk, guarded),
            *deepgram.routes(service.desk, service.gate.short_keys, guarded),
            *realtime_keys.routes(service.desk, service.gate.short_keys, guarded),
            *info.routes(service.desk, service.gate.wants_key, service.config.max_rooms > 0, open_to_all),
            *documents.routes(guarded),
            *pages.routes(open_to_all),
            live("/v1/stream", lambda session_id, defaults, _: NativeAdapter(session_id, defaults)),
            live("/v1/listen", lambda session_id, defaults, w: DeepgramAdapter(session_id, defaults, _query(w))),
            live("/v1/realtime", _realtime),
            WebSocketRoute("/v1/captions/{room}", service.caption),
            live("/vosk", lambda session_id, defaults, _: VoskAdapter(session_id, defaults)),
            live("/whisper-live", lambda session_id, defaults, _: WhisperLiveAdapter(session_id, defaults)),
            live("/", lambda session_id, defaults, _: FirstMessageAdapter(session_id, defaults)),
            WebSocketRoute("/{path:path}", service.refuse_path),
        ],
        middleware=[_cors(service.config)],
        lifespan=lifespan,
        exception_handlers={HTTPException: unknown},
    )


_LOCAL_PAGES = r"https?://(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?"  # as the gate has it on a loopback address


def _cors(config: Config) -> Middleware:
    """Lets pages that the gate lets in read the answers, and send keys and JSON."""
    return Middleware(
        CORSMiddleware,
        allow_origins={origin.rstrip("/").lower() for origin in config.allow_origin} - {"*"},  # which names none to the gate
        allow_origin_regex=_LOCAL_PAGES if is_loopback(config.host) else None,
        allow_methods=["GET", "POST"],
        allow_headers=["*"],
        expose_headers=["retry-after", "dg-request-id", "dg-error"],
    )


def _realtime(session_id: str, defaults: ServerDefaults, w: WebSocket) -> Adapter:
    is_beta = "realtime=v1" in ",".join(w.headers.getlist("openai-beta")) or "openai-beta.realtime-v1" in subprotocols(w)
    return RealtimeAdapter(session_id, defaults, _query(w), is_beta=is_beta, session=w.state.settings)


def _query(connection: HTTPConnection) -> list[tuple[str, str]]:
    return list(connection.query_params.multi_items())


def _defaults(config: Config, recogniser: Recogniser) -> ServerDefaults:
    endpointing = EndpointingConfig(config.silence_ms, config.no_speech_ms, config.max_utterance_ms)
    names = dict.fromkeys((recogniser.name, config.model, "default"))
    language = ",".join(spoken(config, recogniser)) or None
    has_hotwords = recogniser.has_hotwords
    return ServerDefaults(language, recogniser.languages, endpointing, tuple(names), text_style(config), has_hotwords)


def _session_limits(config: Config) -> SessionLimits:
    return SessionLimits(
        max_backlog_s=config.max_backlog_s,
        idle_s=config.idle_s,
        max_session_s=config.max_session_s,
        planner=PlannerConfig(partial_interval_ms=config.partial_interval_ms),
    )
