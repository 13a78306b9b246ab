"""What all HTTP calls have in common: the gate, bodies of bounded size, uploads, errors that say what was wrong."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, BinaryIO

from starlette.background import BackgroundTask
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Message

from server.auth import Refused
from server.media import BadMedia
from server.protocols.fields import invalid
from streaming.errors import ClientFault, LimitExceeded, ProtocolViolation, ServerFault, TranscriptionError

Handler = Callable[[Request], Awaitable[Response]]

_RETRY_AFTER_S = "5"
_MOST_FIELDS, _MOST_FILES, _FIELD_BYTES = 2_000, 32, 1 << 20
_LONGEST_HEADER, LONGEST_PATH = 300, 80  # characters of what a caller sent that come back to it
_HELD = "stenoline.held"  # what is let go of once the answer is out
_STATUS = {"message_too_big": 413, "unsupported_media": 415, "not_found": 404}


def refusal(reason: Refused | TranscriptionError, request_id: str = "") -> Response:
    """An HTTP answer that says why, in our words and in the fields that the vendors' clients look for."""
    request_id = request_id or uuid.uuid4().hex
    status = status_of(reason)
    headers = {"dg-request-id": request_id, "dg-error": _in_header(reason.message)}
    if status == 503:
        headers["retry-after"] = _RETRY_AFTER_S
    if status == 401:
        headers["www-authenticate"] = "Bearer"
    return JSONResponse(error_body(reason, request_id), status, headers)


def _in_header(text: str) -> str:
    """In a line of bounded length, printable in ASCII."""
    line = " ".join(text.split())[:_LONGEST_HEADER].rstrip()  # a header may not end with a space
    return "".join(letter if " " <= letter <= "~" else "?" for letter in line)


def status_of(reason: Refused | TranscriptionError) -> int:
    """HTTP status."""
    if isinstance(reason, Refused):
        return reason.status
    if isinstance(reason, ServerFault):
        return 500 if reason.code == "recogniser_failed" else 503
    return _STATUS.get(reason.code, 400)


def error_body(reason: Refused | TranscriptionError, request_id: str) -> dict[str, Any]:
    """`error` as OpenAI's clients read it and as ours do; err_* as Deepgram's do."""
    name = getattr(reason, "field", None)
    kind = "server_error" if isinstance(reason, ServerFault) else "invalid_request_error"
    error = {"message": reason.message, "type": kind, "param": name, "code": reason.code, "field": name}
    return {"error": error, "err_code": reason.code.upper(), "err_msg": reason.message, "request_id": request_id}


def bounded(request: Request, most: int, advice: str = "") -> Request:
    """The same request, whose body raises LimitExceeded beyond so many bytes; `advice` goes with it."""
    declared, receive, read = request.headers.get("content-length", ""), request.receive, 0
    if declared.isdecimal() and int(declared) > most:
        raise _too_big(most, advice)

    async def counted() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > most:
            raise _too_big(most, advice)
        return message

    return Request(request.scope, counted)


def _too_big(most: int, advice: str) -> LimitExceeded:
    return LimitExceeded(f"the body is larger than {most / 2**20:g} MiB{advice}", field="file", code="message_too_big")


@dataclass(slots=True)
class Form:
    """Fields and files of a multipart body; a list may be named with brackets or without."""

    _data: FormData

    def text(self, name: str, default: str = "") -> str:
        """One text."""
        values = self.texts(name)
        return values[-1] if values else default

    def texts(self, name: str) -> list[str]:
        """All of them. Raises ProtocolViolation if one is a file."""
        values = [*self._data.getlist(name), *self._data.getlist(f"{name}[]")]
        if any(not isinstance(value, str) for value in values):
            raise ProtocolViolation(f"{name} is a file, expected text", field=name, code="invalid_value")
        return [str(value) for value in values]

    def parts(self, name: str) -> dict[str, str]:
        """An object whose keys came as `name[key]`."""
        found = {key[len(name) + 1 : -1]: value for key, value in self._data.multi_items() if key.startswith(f"{name}[")}
        return {key: str(value) for key, value in found.items() if key}

    def files(self, *names: str) -> list[tuple[str, BinaryIO]]:
        """(file name, content) of uploads under these names. Raises ProtocolViolation if one is text."""
        wanted = {*names, *(f"{name}[]" for name in names)}
        return [_upload(name, value) for name, value in self._data.multi_items() if name in wanted]


def _upload(name: str, value: UploadFile | str) -> tuple[str, BinaryIO]:
    if isinstance(value, str):
        raise ProtocolViolation(f"{name} is text, expected an upload: its part wants a filename", field=name, code="invalid_value")
    return value.filename or "", value.file


def hold(request: Request, file: BinaryIO) -> None:
    """Close it once the answer is out."""
    request.scope[_HELD].callback(file.close)


async def form_of(request: Request) -> Form:
    """A multipart or urlencoded body; files beyond a megabyte are on disk. Raises TranscriptionError."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("multipart/form-data", "application/x-www-form-urlencoded"):
        raise ProtocolViolation(
            f"content type is {kind or 'not given'!r}, expected multipart/form-data", field="content-type", code="unsupported_media"
        )
    try:
        data = await request.form(max_files=_MOST_FILES, max_fields=_MOST_FIELDS, max_part_size=_FIELD_BYTES)
        request.scope[_HELD].push_async_callback(data.close)
        _check_unicode(data)
        return Form(data)
    except (HTTPException, UnicodeError) as error:
        detail = getattr(error, "detail", error)
        raise ProtocolViolation(f"the form cannot be read: {detail}", field="body", code="invalid_form") from None


def _check_unicode(data: FormData) -> None:
    """Raises UnicodeError: some charsets let halves of a character through, which no answer could tell."""
    for name, value in data.multi_items():
        f"{name}{value if isinstance(value, str) else value.filename}".encode()


async def unknown(request: Request, error: Exception) -> Response:
    """For paths and methods that there are not."""
    assert isinstance(error, HTTPException)
    message = f"{request.method} {request.url.path[:LONGEST_PATH]}: {error.detail}; /docs lists what there is"
    answer = refusal(Refused(error.status_code, error.detail.lower().replace(" ", "_"), message))
    answer.headers.update(error.headers or {})
    return answer


def bad_file(error: BadMedia) -> ClientFault:
    """What its sender is told."""
    return ClientFault(error.message, field="file", code="invalid_file")


_UNBUFFERED = {"cache-control": "no-cache", "x-accel-buffering": "no"}  # proxies pass events on as they come


def event_stream(events: AsyncIterator[str]) -> Response:
    """Server-sent events as they come."""
    return StreamingResponse(events, headers=_UNBUFFERED, media_type="text/event-stream")


def server_event(name: str, content: Mapping[str, Any]) -> str:
    """One of them."""
    return f"event: {name}\ndata: {json.dumps(content, ensure_ascii=False)}\n\n"


def endpoint(check: Callable[[Request], object], handler: Handler) -> Handler:
    """A handler whose caller has passed the gate, and whose faults become answers."""

    async def guarded(request: Request) -> Response:
        held = request.scope[_HELD] = AsyncExitStack()
        try:
            check(request)
            response = await handler(request)
        except (Refused, TranscriptionError) as reason:
            response = refusal(reason)
        except BadMedia as error:
            response = refusal(bad_file(error))
        except ClientDisconnect:
            response = Response(status_code=400)  # nobody is there to read it
        except BaseException:
            await held.aclose()
            raise
        response.background = BackgroundTask(held.aclose)  # a stream goes on reading what was handed in
        return response

    return guarded


def number(values: Mapping[str, Any], name: str, low: float, high: float, default: float) -> float:
    """A number in a range, or the default where it is null or absent. Raises ProtocolViolation."""
    value = values.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise invalid(name, value, f"a number from {low:g} to {high:g}")
    return float(value)


def numeric(text: str) -> float | str | None:
    """What a form's text stands for where a number is expected; None if it is empty."""
    try:
        return float(text) if text else None
    except ValueError:
        return text


def choice(name: str, value: str, allowed: Sequence[str]) -> str:
    """One of several texts. Raises ProtocolViolation."""
    if value not in allowed:
        raise invalid(name, value, "one of " + ", ".join(allowed))
    return value
