"""POST /asr, the plain call: a recording, or several, as multipart or as JSON; docs/protocols/asr.md."""

from __future__ import annotations

import asyncio
import base64
import binascii
import io
from collections.abc import Callable
from types import NoneType
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
_MOST_JSON_BYTES, _ADVICE = 32 << 20, " as JSON: larger recordings go in a form"  # JSON is taken into memory
_EXPECTED = "a recording as base64"
_KEYS = ("audio", "files", "language", "temperature", "hotwords", "hotword_lists", "prompt", "text", "model")
_LONGEST = 4_000
_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "language": ((str, list), "a code, several, or auto"),
    "hotwords": ((list,), "a list of texts or objects"),
    "model": ((str,), f"a text of up to {_LONGEST:,} characters"),
    "prompt": ((str,), f"a text of up to {_LONGEST:,} characters"),
}

Upload = tuple[str, BinaryIO | ProtocolViolation]  # (name, content or what is wrong with it)


def routes(desk: Desk, guard: Callable[[Handler], Handler]) -> list[Route]:
    """Of this module."""

    async def asr(request: Request) -> Response:
        uploads, settings, is_batch = await _taken(request, desk.most_bytes)
        config = _config(settings, desk)
        desk.check_turn()
        if not is_batch:
            return JSONResponse(await _heard(desk, request, uploads[0], config))
        return JSONResponse({"results": [await _one(desk, request, upload, config) for upload in uploads]})

    return [Route("/asr", guard(asr), methods=["POST"])]


async def _heard(desk: Desk, request: Request, upload: Upload, config: SessionConfig) -> dict[str, Any]:
    _, source = upload
    if isinstance(source, ProtocolViolation):
        raise source
    return _answer(await desk.transcript(request, source, config))


async def _one(desk: Desk, request: Request, upload: Upload, config: SessionConfig) -> dict[str, Any]:
    """One of several: a bad one says so in its place."""
    name, _ = upload
    try:
        return {"file": name, **await _heard(desk, request, upload, config)}
    except BadMedia as error:
        fault: TranscriptionError = ClientFault(error.message, field="file", code="invalid_file")
    except TranscriptionError as error:
        fault = error
    return {"file": name, "error": error_body(fault, "")["error"]}


async def _taken(request: Request, most: int) -> tuple[list[Upload], dict[str, Any], bool]:
    """(recordings, settings, whether an answer for each was asked for)."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json":
        body = await bounded(request, min(most, _MOST_JSON_BYTES), _ADVICE).body()
        return await asyncio.to_thread(_from_json, body)
    form = await form_of(bounded(request, most))
    uploads: list[Upload] = [*form.files("file", "files", "audio")]
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
        content = json_object(body.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ProtocolViolation("the body is not UTF-8, expected JSON", field="body", code="invalid_json") from None
    if unknown := sorted(set(content) - set(_KEYS)):
        raise invalid(unknown[0], content[unknown[0]], "no such key; known: " + ", ".join(_KEYS))
    files = content.get("files")
    if files is None:
        return [("", _decoded(content.get("audio"), "audio"))], content, False
    if "audio" in content:
        raise invalid("audio", content["audio"], "it to be absent beside files")
    if not isinstance(files, list) or not 1 <= len(files) <= _MOST_FILES:
        raise invalid("files", files, f'a list of 1 to {_MOST_FILES} objects such as {{"name": "a.wav", "audio": "<base64>"}}')
    return [_named(each, number) for number, each in enumerate(files)], content, True


def _named(value: object, number: int) -> Upload:
    name = value.get("name", str(number)) if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(name, str):
        raise invalid(f"files[{number}]", value, 'an object such as {"name": "a.wav", "audio": "<base64>"}')
    return name, _decoded(value.get("audio"), f"files[{number}].audio")


def _decoded(value: object, name: str) -> BinaryIO | ProtocolViolation:
    """From base64, wrapped or not. Raises ProtocolViolation if it is no text."""
    if not isinstance(value, str) or not value:
        raise invalid(name, value, _EXPECTED)
    try:
        return io.BytesIO(base64.b64decode("".join(value.rpartition("base64,")[2].split()), validate=True))
    except (binascii.Error, ValueError):
        return invalid(name, value, _EXPECTED)


def _config(settings: dict[str, Any], desk: Desk) -> SessionConfig:
    number(settings, "temperature", 0, 1, 0)
    for name, (kinds, expected) in _KINDS.items():
        value = settings.get(name)
        if not isinstance(value, (*kinds, NoneType)) or (isinstance(value, str) and len(value) > _LONGEST):
            raise invalid(name, value, expected)
    desk.check_model(settings.get("model") or "")
    codes = languages(settings.get("language") or desk.defaults.language, desk.defaults.languages)
    return SessionConfig(
        language=only(codes),
        languages=codes,
        hotwords=normalised(hotwords(settings)),
        hotword_lists=texts(settings, "hotword_lists"),
        endpointing=desk.defaults.endpointing,
        text=text_style(settings, desk.defaults.text),
        prompt=settings.get("prompt") or "",
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
