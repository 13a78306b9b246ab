"""POST /asr, the plain call: a recording, or several, as multipart or as JSON; docs/protocols/asr.md."""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Callable
from typing import Any, BinaryIO

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from server.media import BadMedia
from server.protocols.fields import hotwords, invalid, json_object, languages, only, text_style, texts
from server.rest.base import Form, Handler, bounded, error_body, form_of, number, numeric
from server.rest.desk import Desk, Transcript, segment
from streaming.biasing import normalised
from streaming.commands import SessionConfig
from streaming.errors import ClientFault, ProtocolViolation, TranscriptionError

_MOST_FILES = 32
_KEYS = ("audio", "files", "language", "temperature", "hotwords", "hotword_lists", "prompt", "text", "model")

Upload = tuple[str, BinaryIO]


def routes(desk: Desk, guard: Callable[[Handler], Handler]) -> list[Route]:
    """Of this module."""

    async def asr(request: Request) -> Response:
        uploads, settings, is_batch = await _taken(bounded(request, desk.most_bytes))
        config = _config(settings, desk)
        desk.check_turn()
        if not is_batch:
            return JSONResponse(_answer(await desk.transcript(request, uploads[0][1], config)))
        return JSONResponse({"results": [await _one(desk, request, name, source, config) for name, source in uploads]})

    return [Route("/asr", guard(asr), methods=["POST"])]


async def _one(desk: Desk, request: Request, name: str, source: BinaryIO, config: SessionConfig) -> dict[str, Any]:
    """One of several: a bad one says so in its place."""
    try:
        return {"file": name, **_answer(await desk.transcript(request, source, config))}
    except BadMedia as error:
        fault: TranscriptionError = ClientFault(error.message, field="file", code="invalid_file")
    except TranscriptionError as error:
        fault = error
    return {"file": name, "error": error_body(fault, "")["error"]}


async def _taken(request: Request) -> tuple[list[Upload], dict[str, Any], bool]:
    """(recordings, settings, whether an answer for each was asked for)."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json":
        return _from_json(await request.body())
    form = await form_of(request)
    uploads = form.files("file", "files", "audio")
    if not uploads:
        raise ProtocolViolation(
            "there is no file, expected one upload named file, or several", field="file", code="missing_parameter"
        )
    return uploads, _settings(form), len(uploads) > 1


def _settings(form: Form) -> dict[str, Any]:
    """Fields of a form as JSON would have them."""
    found: dict[str, Any] = {name: form.text(name) for name in ("language", "temperature", "prompt", "model") if form.text(name)}
    if "temperature" in found:
        found["temperature"] = numeric(found["temperature"])
    found |= {name: form.texts(name) for name in ("hotwords", "hotword_lists") if form.texts(name)}
    if form.text("text"):
        found["text"] = json_object(form.text("text"))
    return found


def _from_json(body: bytes) -> tuple[list[Upload], dict[str, Any], bool]:
    try:
        content = json_object(body.decode())
    except UnicodeDecodeError:
        raise ProtocolViolation("the body is not UTF-8, expected JSON", field="body", code="invalid_json") from None
    if unknown := sorted(set(content) - set(_KEYS)):
        raise invalid(unknown[0], content[unknown[0]], "no such key; known: " + ", ".join(_KEYS))
    files = content.get("files")
    if files is None:
        return [("", _decoded(content.get("audio"), "audio"))], content, False
    if not isinstance(files, list) or not 1 <= len(files) <= _MOST_FILES:
        raise invalid("files", files, f'a list of 1 to {_MOST_FILES} objects such as {{"name": "a.wav", "audio": "<base64>"}}')
    return [_named(each, number) for number, each in enumerate(files)], content, True


def _named(value: object, number: int) -> Upload:
    name = value.get("name", str(number)) if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(name, str):
        raise invalid(f"files[{number}]", value, 'an object such as {"name": "a.wav", "audio": "<base64>"}')
    return name, _decoded(value.get("audio"), f"files[{number}].audio")


def _decoded(value: object, name: str) -> BinaryIO:
    try:
        if isinstance(value, str) and value:
            return io.BytesIO(base64.b64decode(value.rpartition("base64,")[2], validate=True))
    except (binascii.Error, ValueError):
        pass
    raise invalid(name, value, "a recording as base64")


def _config(settings: dict[str, Any], desk: Desk) -> SessionConfig:
    number(settings, "temperature", 0, 1, 0)
    model, prompt = settings.get("model") or "", settings.get("prompt") or ""
    for name, value in (("model", model), ("prompt", prompt)):
        if not isinstance(value, str) or len(value) > 4_000:
            raise invalid(name, value, "a text of up to 4,000 characters")
    desk.check_model(model)
    codes = languages(settings.get("language") or desk.defaults.language, desk.defaults.languages)
    return SessionConfig(
        language=only(codes),
        languages=codes,
        hotwords=normalised(hotwords(settings)),
        hotword_lists=texts(settings, "hotword_lists"),
        endpointing=desk.defaults.endpointing,
        text=text_style(settings, desk.defaults.text),
        prompt=prompt,
    )


def _answer(found: Transcript) -> dict[str, Any]:
    languages = found.languages
    return {
        "text": found.text,
        "segments": [segment(final) for final in found.finals],
        "confidence": round(found.confidence, 4),
        "language": languages[0] if languages else None,
        "duration": found.duration_s,
    }
