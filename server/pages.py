"""The browser application: files built from web/, which ship with the package, are kept in memory and sent compressed."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server.rest.base import Handler

STATIC = Path(__file__).parent / "web" / "static"
_PAGES = {"/": "index.html", "/captions": "captions.html"}
_FOR_EVER = "public, max-age=31536000, immutable"  # the names of these files change with their content
_HEADERS = {
    # The page needs nothing from elsewhere, and no other site may put it in a frame to have its buttons pressed.
    "content-security-policy": "default-src 'self'; connect-src 'self'; media-src 'self' blob:; img-src 'self' data:; "
    "style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "permissions-policy": "microphone=(self), camera=(), geolocation=()",
    "referrer-policy": "no-referrer",  # the address of a room is a secret
    "x-content-type-options": "nosniff",
    "vary": "accept-encoding",
}


@dataclass(frozen=True, slots=True)
class Page:
    """A file, and how it is sent."""

    content: bytes
    zipped: bytes
    kind: str
    tag: str
    cache: str

    def answer(self, request: Request) -> Response:
        """All of it, or that it has not changed."""
        headers = _HEADERS | {"etag": self.tag, "cache-control": self.cache}
        if self.tag in request.headers.get("if-none-match", ""):  # among others, or made weak by a proxy: W/"..."
            return Response(status_code=304, headers=headers)
        if _takes_gzip(request.headers.get("accept-encoding", "")):
            return Response(self.zipped, headers=headers | {"content-encoding": "gzip"}, media_type=self.kind)
        return Response(self.content, headers=headers, media_type=self.kind)


def _takes_gzip(accepted: str) -> bool:
    """A weight of nought (`gzip;q=0`) is a refusal."""
    offered = (each.partition(";") for each in accepted.lower().split(","))
    return any(name.strip() == "gzip" and (not weight or weight.strip(" q=0.")) for name, _, weight in offered)


def read(file: Path, cache: str = "no-cache") -> Page:
    """From the disk."""
    content = file.read_bytes()
    kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    digest = hashlib.sha256(content).hexdigest()[:16]
    return Page(content, gzip.compress(content, mtime=0), kind, f'"{digest}"', cache)


def routes(guard: Callable[[Handler], Handler]) -> list[Route]:
    """Of every file. They hold no secrets: who has no key yet must be able to read where to put one."""
    files = {path: read(STATIC / name) for path, name in _PAGES.items()}
    files |= {f"/{each.name}": read(each) for each in STATIC.iterdir() if each.is_file() and each.suffix != ".html"}
    files |= {f"/assets/{each.name}": read(each, _FOR_EVER) for each in (STATIC / "assets").iterdir()}
    return [Route(path, guard(_sender(page))) for path, page in files.items()]


def _sender(page: Page) -> Handler:
    async def send(request: Request) -> Response:
        return page.answer(request)

    return send
