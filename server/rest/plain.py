"""POST /asr, the plain call: a recording, or several, as multipart or as JSON; docs/protocols/asr.md."""

from __future__ import annotations

import asyncio
import base64
import binascii
import io
from collections.abc import AsyncIterator, Callable
from types import NoneType
from typing import Any, BinaryIO

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from server.files import Progress
from server.media import BadMedia, duration_s
from server.protocols.fields import (
    endpointing,
    flag,
    hotwords,
    invalid,
    json_object,
    json_value,
    languages,
    only,
    text_style,
    texts,
)
from server.protocols.native import final
from server.rest.base import (
    Form,
    Handler,
    bad_file,
    bounded,
    choice,
    error_body,
    event_stream,
    form_of,
    number,
    numeric,
    server_event,
)
from server.rest.desk import Desk, Transcript, segment
from streaming.biasing import normalised
from streaming.commands import SessionConfig
from streaming.errors import ProtocolViolation, TranscriptionError

_MOST_FILES = 32
_MOST_JSON_BYTES, _ADVICE = 32 << 20, " as JSON: larger recordings go in a form"  # JSON is taken into memory
_EXPECTED = "a recording as base64"
_KEYS = (
    "audio",
    "files",
    "language",
    "temperature",
    "hotwords",
    "hotword_lists",
    "prompt",
    "text",
    "model",
    "endpointing",
    "stream",
)
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
        if flag(settings, "stream", False):
            return await _streamed(desk, _single(uploads, is_batch), config)
        work = _each(desk, uploads, config) if is_batch else _heard(desk, uploads[0], config)
        return JSONResponse(await desk.attended(request, work))

    return [Route("/asr", guard(asr), methods=["POST"])]


async def _heard(desk: Desk, upload: Upload, config: SessionConfig) -> dict[str, Any]:
    return _answer(await desk.whole(_content(upload), config))


async def _each(desk: Desk, uploads: list[Upload], config: SessionConfig) -> dict[str, Any]:
    return {"results": [await _one(desk, upload, config) for upload in uploads]}


def _content(upload: Upload) -> BinaryIO:
    """Raises ProtocolViolation for one that has none."""
    _, source = upload
    if isinstance(source, ProtocolViolation):
        raise source
    return source


def _single(uploads: list[Upload], is_batch: bool) -> BinaryIO:
    if is_batch:
        raise invalid("stream", True, f"it only with one recording; there are {len(uploads)}, or a list of them")
    return _content(uploads[0])


async def _streamed(desk: Desk, source: BinaryIO, config: SessionConfig) -> Response:
    """What is no recording is refused before the first event. Raises BadMedia."""
    length_s = await asyncio.to_thread(duration_s, source)
    desk.check_turn()  # others may have come meanwhile
    return event_stream(_events(desk, source, config, round(length_s, 3) if length_s else None))


async def _events(desk: Desk, source: BinaryIO, config: SessionConfig, length_s: float | None) -> AsyncIterator[str]:
    """How far it is (at once, as it may have to wait for its turn), each utterance, the whole."""
    found = Transcript()
    yield server_event("progress", {"heard_s": 0.0, "duration_s": length_s})
    try:
        async for event in desk.flowing(source, config):
            if isinstance(event, Progress):
                found.duration_s = event.heard_s
                yield server_event("progress", {"heard_s": event.heard_s, "duration_s": length_s})
            else:
                found.finals.append(event)
                yield server_event("final", final(event))
        yield server_event("done", _answer(found))
    except BadMedia as error:
        yield server_event("error", _error(bad_file(error)))
    except TranscriptionError as fault:
        yield server_event("error", _error(fault))


def _error(fault: TranscriptionError) -> dict[str, Any]:
    return {"error": error_body(fault, "")["error"]}


async def _one(desk: Desk, upload: Upload, config: SessionConfig) -> dict[str, Any]:
    """One of several: a bad one says so in its place."""
    name, _ = upload
    try:
        return {"file": name, **await _heard(desk, upload, config)}
    except BadMedia as error:
        fault: TranscriptionError = bad_file(error)
    except TranscriptionError as error:
        fault = error
    return {"file": name, **_error(fault)}


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
    if given := form.texts("hotwords"):
        found["hotwords"] = [word for text in given for word in _hotwords(text)]
    if form.texts("hotword_lists"):
        found["hotword_lists"] = form.texts("hotword_lists")
    found |= {name: json_object(form.text(name), name) for name in ("text", "endpointing") if form.text(name)}
    found["stream"] = choice("stream", form.text("stream", "false").lower(), ("true", "false", "1", "0")) in ("true", "1")
    return found


def _hotwords(text: str) -> list[Any]:
    """A phrase, or a list in JSON."""
    return list(json_value(text, "hotwords", "a text or a list as JSON")) if text.lstrip().startswith("[") else [text]


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
        endpointing=endpointing(settings, desk.defaults.endpointing),
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
