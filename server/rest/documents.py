"""/openapi.json and /docs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from swagger_ui_bundle import swagger_ui_path

from server.protocols.deepgram import ENCODINGS
from server.rest.base import Handler
from server.rest.openai import FORMATS
from streaming.biasing import HEAVIEST

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Stenoline: HTTP calls</title><link rel="stylesheet" href="/docs/ui/swagger-ui.css">
<div id="ui"></div><script src="/docs/ui/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script></html>"""
_START = 'SwaggerUIBundle({url: "/openapi.json", dom_id: "#ui", deepLinking: true, validatorUrl: null});'


def routes(guard: Callable[[Handler], Handler]) -> list[BaseRoute]:
    """Of this module; what it serves is in the package, nothing comes from elsewhere."""

    async def openapi(request: Request) -> Response:
        return JSONResponse(document())

    async def docs(request: Request) -> Response:
        return HTMLResponse(_PAGE)

    async def start(request: Request) -> Response:
        return Response(_START, media_type="text/javascript")

    return [
        Route("/openapi.json", guard(openapi)),
        Route("/docs", guard(docs)),
        Route("/docs/start.js", guard(start)),
        Mount("/docs/ui", StaticFiles(directory=swagger_ui_path)),
    ]


def document() -> dict[str, Any]:
    """OpenAPI 3.1."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Stenoline",
            "version": "1",
            "description": "Recordings over HTTP. Live speech goes over WebSockets: see docs/protocols in the repository.",
        },
        "security": [{}, {"bearer": []}],
        "paths": _paths(),
        "components": {"schemas": _SCHEMAS, "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}},
    }


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required, "properties": properties}


def _list(of: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return {"type": "array", "items": of, **rest}


_TEXT, _NUMBER, _WHOLE = {"type": "string"}, {"type": "number"}, {"type": "integer"}
_FILE = {"type": "string", "format": "binary", "description": "WAV, MP3, FLAC, OGG, Opus, WebM, M4A or AAC"}
_BASE64 = {"type": "string", "contentEncoding": "base64", "minLength": 1}
_LANGUAGE = {"type": "string", "description": "code such as en, several (zh,en), or auto"}
_TEMPERATURE = {"type": "number", "minimum": 0, "maximum": 1, "description": "accepted for other servers' clients; text is greedy"}
_SEGMENT = _object(["start", "end", "text", "confidence"], start=_NUMBER, end=_NUMBER, text=_TEXT, confidence=_NUMBER)
_OPENAI_NUMBERS = ("start", "end", "temperature", "avg_logprob", "compression_ratio", "no_speech_prob")
_OPENAI_SEGMENT = _object(
    ["id", "seek", "text", "tokens", *_OPENAI_NUMBERS],
    id=_WHOLE,
    seek=_WHOLE,
    text=_TEXT,
    tokens=_list(_WHOLE),
    **dict.fromkeys(_OPENAI_NUMBERS, _NUMBER),
)
_LOGPROB = _object(["token", "bytes", "logprob"], token=_TEXT, bytes=_list(_WHOLE), logprob=_NUMBER)
_WEIGHT = {"type": "number", "minimum": 0, "maximum": HEAVIEST}
_HOTWORD = {"anyOf": [_TEXT, _object(["text"], text=_TEXT, weight=_WEIGHT, sounds_like=_list(_TEXT))]}
_DURATION = _object(["type", "seconds"], type={"const": "duration"}, seconds=_NUMBER)

_WORD = _object(["word", "start", "end", "confidence"], word=_TEXT, start=_NUMBER, end=_NUMBER, confidence=_NUMBER)
_ALTERNATIVE = _object(["transcript", "confidence", "words"], transcript=_TEXT, confidence=_NUMBER, words=_list(_WORD))

_SCHEMAS: dict[str, Any] = {
    "Prerecorded": _object(
        ["metadata", "results"],
        metadata=_object(["request_id", "sha256", "created", "duration", "channels", "models"], duration=_NUMBER, channels=_WHOLE),
        results=_object(["channels"], channels=_list(_object(["alternatives"], alternatives=_list(_ALTERNATIVE)))),
    ),
    "Grant": _object(["access_token", "expires_in"], access_token=_TEXT, expires_in=_NUMBER),
    "Secret": _object(["value", "expires_at", "session"], value=_TEXT, expires_at=_WHOLE, session={"type": "object"}),
    "Error": _object(
        ["error"],
        error=_object(
            ["message", "type", "param", "code"],
            message=_TEXT,
            type={"enum": ["invalid_request_error", "server_error"]},
            param={"type": ["string", "null"]},
            code={"type": ["string", "null"]},
        ),
        err_code=_TEXT,
        err_msg=_TEXT,
        request_id=_TEXT,
    ),
    "Transcript": _object(
        ["text", "segments", "confidence", "language", "duration"],
        text=_TEXT,
        segments=_list(_SEGMENT),
        confidence=_NUMBER,
        language={"type": ["string", "null"]},
        duration=_NUMBER,
    ),
    "Batch": _object(
        ["results"],
        results=_list({"anyOf": [_ref("Transcript"), _ref("FileError")]}),
    ),
    "FileError": _object(["file", "error"], file=_TEXT, error=_object(["message", "code"], message=_TEXT, code=_TEXT)),
    "Transcription": _object(
        ["text"], text=_TEXT, usage=_DURATION, languages=_list(_object(["code"], code=_TEXT)), logprobs=_list(_LOGPROB)
    ),
    "VerboseTranscription": _object(
        ["task", "language", "duration", "text"],
        task={"const": "transcribe"},
        language=_TEXT,
        duration=_NUMBER,
        text=_TEXT,
        usage=_DURATION,
        segments=_list(_OPENAI_SEGMENT),
        words=_list(_object(["word", "start", "end"], word=_TEXT, start=_NUMBER, end=_NUMBER)),
    ),
    "Model": _object(["id", "object", "created", "owned_by"], id=_TEXT, object={"const": "model"}, created=_WHOLE, owned_by=_TEXT),
}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _answers(ok: dict[str, Any], what: str, *codes: int) -> dict[str, Any]:
    faults = {
        400: "something in the request cannot be used; the message says what",
        401: "a valid API key is needed",
        403: "the host or origin is not allowed",
        404: "there is no such thing",
        413: "the body is too large",
        415: "the body is of another kind",
        500: "the recogniser failed",
        503: "no capacity now; try again later",
    }
    wanted = {str(code): {"description": faults[code], "content": _json(_ref("Error"))} for code in (400, 401, 403, *codes)}
    return ({"200": {"description": what, "content": ok}} if ok else {}) | wanted


def _body(content: dict[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": content}


def _form(schema: dict[str, Any]) -> dict[str, Any]:
    return {"schema": schema, "encoding": {"file": {"contentType": "audio/wav"}}}


_UPLOAD = (413, 415, 500, 503)
_LISTEN: dict[str, Any] = {
    "model": _TEXT,
    "language": _TEXT,
    "utterances": {"type": "boolean"},
    "paragraphs": {"type": "boolean"},
    "encoding": _TEXT | {"description": f"of bare samples: {', '.join(ENCODINGS)}; a recording tells its own"},
    "sample_rate": _TEXT | {"description": "of bare samples, which need it: 8000 to 48000 Hz"},
    "channels": _TEXT | {"description": "of bare samples: 1 to 8; 1 if absent"},
}


def _paths() -> dict[str, Any]:
    return {
        "/asr": {
            "post": {
                "summary": "Write down a recording, or several",
                "requestBody": {
                    "required": True,
                    "content": {**_json(_asr_json()), "multipart/form-data": _form(_asr_form())},
                },
                "responses": _answers(
                    _json({"anyOf": [_ref("Transcript"), _ref("Batch")]}), "a transcript, or a result for each file", *_UPLOAD
                ),
            }
        },
        "/v1/audio/transcriptions": {
            "post": {
                "summary": "As OpenAI has it",
                "requestBody": _body({"multipart/form-data": _form(_transcription_form())}),
                "responses": _answers(
                    {
                        **_json({"anyOf": [_ref("VerboseTranscription"), _ref("Transcription")]}),
                        "text/plain": {"schema": _TEXT},
                        "text/event-stream": {},
                    },
                    "in the format that was asked for",
                    *_UPLOAD,
                ),
            }
        },
        "/v1/audio/translations": {"post": {"summary": "Refused: this server does not translate", "responses": _answers({}, "")}},
        "/v1/listen": {
            "post": {
                "summary": "As Deepgram has it; live at the same path as a WebSocket",
                "parameters": [_query(name, schema) for name, schema in _LISTEN.items()],
                "requestBody": _body({"audio/wav": {"schema": _FILE}, "application/octet-stream": {"schema": _FILE}}),
                "responses": _answers(_json(_ref("Prerecorded")), "the transcript", 413, 500, 503),
            }
        },
        "/v1/auth/grant": {
            "post": {
                "summary": "A key for live sessions at /v1/listen that is good for a while",
                "requestBody": {
                    "content": _json(_object([], ttl_seconds={"type": ["number", "null"], "minimum": 1, "maximum": 3600}))
                },
                "responses": _answers(_json(_ref("Grant")), "the key", 413, 503),
            }
        },
        "/v1/realtime/client_secrets": {
            "post": {
                "summary": "A key for sessions at /v1/realtime that is good for a while",
                "requestBody": {"content": _json(_secret())},
                "responses": _answers(_json(_ref("Secret")), "the key", 413, 503),
            }
        },
        "/v1/realtime/transcription_sessions": {
            "post": {
                "summary": "The same as it was in the beta of OpenAI's API",
                "requestBody": {"content": _json({"type": "object", "description": "as in transcription_session.update"})},
                "responses": _answers(_json(_object(["client_secret"], client_secret={"type": "object"})), "the key", 413, 503),
            }
        },
        "/v1/models": {
            "get": {
                "summary": "The model that is loaded, under each of its names",
                "responses": _answers(
                    _json(_object(["object", "data"], object={"const": "list"}, data=_list(_ref("Model")))), "the list"
                ),
            }
        },
        "/v1/models/{name}": {
            "get": {
                "summary": "One of them",
                "parameters": [{"name": "name", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}],
                "responses": _answers(_json(_ref("Model")), "the model", 404),
            }
        },
        **_health(),
    }


def _health() -> dict[str, Any]:
    status = _json(_object(["status"], status=_TEXT))
    ready = {"200": {"description": "it takes sessions", "content": status}, "503": {"description": "not now", "content": status}}
    return {
        "/healthz": {"get": {"summary": "Whether the process lives", "security": [], "responses": {"200": ready["200"]}}},
        "/readyz": {"get": {"summary": "Whether it takes sessions", "security": [], "responses": ready}},
        "/metrics": {
            "get": {"summary": "For Prometheus", "responses": _answers({"text/plain": {"schema": _TEXT}}, "in its text format")}
        },
    }


def _query(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema}


def _secret() -> dict[str, Any]:
    seconds = {"type": ["integer", "null"], "minimum": 10, "maximum": 7200}
    after = _object([], anchor={"const": "created_at"}, seconds=seconds)
    session = {"type": ["object", "null"], "description": "as in session.update"}
    return _object([], expires_after={"anyOf": [after, {"type": "null"}]}, session=session)


def _asr_json() -> dict[str, Any]:
    named = _object(["audio"], name=_TEXT, audio=_BASE64)
    settings = {name: {"anyOf": [schema, {"type": "null"}]} for name, schema in _settings().items()} | _OBJECTS
    single = _object(["audio"], audio=_BASE64, **settings) | {"additionalProperties": False}
    several = _object(["files"], files=_list(named, minItems=1, maxItems=32), **settings) | {"additionalProperties": False}
    return {"anyOf": [single, several]}


def _settings() -> dict[str, Any]:
    return {
        "language": {"anyOf": [_LANGUAGE, _list({"type": ["string", "null"]})]},
        "temperature": _TEMPERATURE,
        "hotwords": _list(_HOTWORD, maxItems=1_000),
        "prompt": {"type": "string", "maxLength": 4_000},
        "model": _TEXT,
    }


_OBJECTS = {
    "hotword_lists": _list(_TEXT),
    "text": {"type": "object", "description": "text forms, as in the native protocol"},
}


def _asr_form() -> dict[str, Any]:
    rest = {"hotwords": _list(_TEXT), "hotword_lists": _list(_TEXT), "prompt": _TEXT, "model": _TEXT}
    rest["text"] = {"type": "string", "description": "text forms as JSON, as in the native protocol"}
    one_or_more = {"anyOf": [_FILE, _list(_FILE)]}
    return _object(["file"], file=one_or_more, language=_LANGUAGE, temperature=_TEMPERATURE, **rest)


def _transcription_form() -> dict[str, Any]:
    return _object(
        ["file"],
        file=_FILE,
        model=_TEXT,
        language=_LANGUAGE,
        prompt={"type": "string", "maxLength": 4_000},
        response_format={"enum": list(FORMATS)},
        temperature=_TEMPERATURE,
        stream={"type": "boolean"},
        chunking_strategy={"enum": ["auto"]},
        **{
            "languages[]": _list(_LANGUAGE),
            "keywords[]": _list(_TEXT, maxItems=1_000),
            "timestamp_granularities[]": _list({"enum": ["word", "segment"]}),
            "include[]": _list({"enum": ["logprobs"]}),
        },
    )
