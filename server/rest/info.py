"""GET /v1/info: what a client may want to know before it connects; docs/protocols/native.md."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from server.hotwords import ready_made
from server.rest.base import Handler
from server.rest.desk import Desk
from streaming.biasing import MOST_HOTWORDS

NAME = "stenoline"


def routes(desk: Desk, wants_key: bool, has_captions: bool, open_to_all: Callable[[Handler], Handler]) -> list[Route]:
    """Of this module; nothing in it is secret."""

    async def info(request: Request) -> Response:
        return JSONResponse(_described(desk) | {"key_required": wants_key, "captions": has_captions})

    return [Route("/v1/info", open_to_all(info))]


def _short(names: Sequence[str]) -> str:
    """The shortest of its names that the full one begins with: whisper-base for one whose weights have a digest."""
    return min((name for name in names if names[0].startswith(name)), key=len)


def _described(desk: Desk) -> dict[str, Any]:
    defaults = desk.defaults
    return {
        "name": NAME,
        "version": version(NAME),
        "model": _short(defaults.models),
        "languages": list(defaults.languages),
        "hotwords": {"active": defaults.has_hotwords, "most": MOST_HOTWORDS, "lists": list(ready_made())},
        "recordings": {"most_bytes": desk.most_bytes, "most_s": desk.media.max_duration_s},
    }
