"""Keys for browsers: POST /v1/realtime/client_secrets, and what came before it; docs/protocols/openai-realtime.md."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from server.protocols.fields import invalid, json_object
from server.protocols.openai_realtime_update import check_session, described_flat_session, described_session
from server.rest.base import Handler, bounded, number
from server.rest.desk import Desk
from server.short_keys import ShortKeys

_MOST_BYTES = 1 << 20
_LEAST_S, _MOST_S, _USUAL_S = 10, 7_200, 600


def routes(desk: Desk, keys: ShortKeys, guard: Callable[[Handler], Handler]) -> list[Route]:
    """Of this module."""

    def made(session: Mapping[str, Any], lifetime_s: float) -> tuple[str, int]:
        """(key, Unix time of its end)."""
        check_session(session, desk.defaults)
        key, short = keys.make("/v1/realtime", lifetime_s, session)
        return key, int(short.expires_at)

    async def secrets(request: Request) -> Response:
        content = await _content(request)
        session = _part(content, "session")
        key, expires_at = made(session, _lifetime_s(_part(content, "expires_after")))
        shown = described_session(session, desk.defaults, uuid.uuid4().hex, expires_at)
        return JSONResponse({"value": key, "expires_at": expires_at, "session": shown})

    async def sessions(request: Request) -> Response:
        session = await _content(request)
        key, expires_at = made(session, _lifetime_s(_part(_part(session, "client_secret"), "expires_at")))
        shown = described_flat_session(session, desk.defaults, uuid.uuid4().hex)
        return JSONResponse(shown | {"client_secret": {"value": key, "expires_at": expires_at}})

    return [
        Route("/v1/realtime/client_secrets", guard(secrets), methods=["POST"]),
        Route("/v1/realtime/transcription_sessions", guard(sessions), methods=["POST"]),
    ]


async def _content(request: Request) -> dict[str, Any]:
    text = (await bounded(request, _MOST_BYTES).body()).decode(errors="replace")
    return json_object(text) if text else {}


def _part(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = content.get(name)
    if value is not None and not isinstance(value, dict):
        raise invalid(name, value, "an object")
    return value or {}


def _lifetime_s(asked: Mapping[str, Any]) -> float:
    if asked.get("anchor", "created_at") != "created_at":
        raise invalid("expires_after.anchor", asked["anchor"], '"created_at"')
    return number(asked, "seconds", _LEAST_S, _MOST_S, _USUAL_S)
