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
from server.rest.schemas import BASE64, FILE, FLAG, HOTWORD, LANGUAGE, SCHEMAS, TEMPERATURE, TEXT, listed, record, ref

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
        "components": {"schemas": SCHEMAS, "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}},
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
    wanted = {str(code): {"description": faults[code], "content": _json(ref("Error"))} for code in (400, 401, 403, *codes)}
    return ({"200": {"description": what, "content": ok}} if ok else {}) | wanted


def _body(content: dict[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": content}


def _form(schema: dict[str, Any]) -> dict[str, Any]:
    return {"schema": schema, "encoding": {"file": {"contentType": "audio/wav"}}}


_UPLOAD = (413, 415, 500, 503)
_LISTEN: dict[str, Any] = {
    "model": TEXT,
    "language": TEXT,
    "utterances": FLAG,
    "paragraphs": FLAG,
    "encoding": TEXT | {"description": f"of bare samples: {', '.join(ENCODINGS)}; a recording tells its own"},
    "sample_rate": TEXT | {"description": "of bare samples, which need it: 8000 to 48000 Hz"},
    "channels": TEXT | {"description": "of bare samples: 1 to 8; 1 if absent"},
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
                    {**_json({"anyOf": [ref("Transcript"), ref("Batch")]}), "text/event-stream": {}},
                    "a transcript, or a result for each file; with stream, events: progress, final, done, error",
                    *_UPLOAD,
                ),
            }
        },
        "/v1/audio/transcriptions": {
            "post": {
                "summary": "As OpenAI has it",
                "requestBody": _body({"multipart/form-data": _form(_transcription_form())}),
                "responses": _answers(
                    {
                        **_json({"anyOf": [ref("VerboseTranscription"), ref("Transcription")]}),
                        "text/plain": {"schema": TEXT},
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
                "requestBody": _body({"audio/wav": {"schema": FILE}, "application/octet-stream": {"schema": FILE}}),
                "responses": _answers(_json(ref("Prerecorded")), "the transcript", 413, 500, 503),
            }
        },
        "/v1/auth/grant": {
            "post": {
                "summary": "A key for live sessions at /v1/listen that is good for a while",
                "requestBody": {
                    "content": _json(record([], ttl_seconds={"type": ["number", "null"], "minimum": 1, "maximum": 3600}))
                },
                "responses": _answers(_json(ref("Grant")), "the key", 413, 503),
            }
        },
        "/v1/realtime/client_secrets": {
            "post": {
                "summary": "A key for sessions at /v1/realtime that is good for a while",
                "requestBody": {"content": _json(_secret())},
                "responses": _answers(_json(ref("Secret")), "the key", 413, 503),
            }
        },
        "/v1/realtime/transcription_sessions": {
            "post": {
                "summary": "The same as it was in the beta of OpenAI's API",
                "requestBody": {"content": _json({"type": "object", "description": "as in transcription_session.update"})},
                "responses": _answers(_json(record(["client_secret"], client_secret={"type": "object"})), "the key", 413, 503),
            }
        },
        "/v1/models": {
            "get": {
                "summary": "The model that is loaded, under each of its names",
                "responses": _answers(
                    _json(record(["object", "data"], object={"const": "list"}, data=listed(ref("Model")))), "the list"
                ),
            }
        },
        "/v1/models/{name}": {
            "get": {
                "summary": "One of them",
                "parameters": [{"name": "name", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}],
                "responses": _answers(_json(ref("Model")), "the model", 404),
            }
        },
        "/v1/info": {
            "get": {
                "summary": "What this server can do; needs no key",
                "security": [],
                "responses": {
                    "200": {"description": "what there is", "content": _json(ref("Info"))},
                    "403": {"description": "the host or origin is not allowed", "content": _json(ref("Error"))},
                },
            }
        },
        **_health(),
    }


def _health() -> dict[str, Any]:
    status = _json(record(["status"], status=TEXT))
    ready = {"200": {"description": "it takes sessions", "content": status}, "503": {"description": "not now", "content": status}}
    return {
        "/healthz": {"get": {"summary": "Whether the process lives", "security": [], "responses": {"200": ready["200"]}}},
        "/readyz": {"get": {"summary": "Whether it takes sessions", "security": [], "responses": ready}},
        "/metrics": {
            "get": {"summary": "For Prometheus", "responses": _answers({"text/plain": {"schema": TEXT}}, "in its text format")}
        },
    }


def _query(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema}


def _secret() -> dict[str, Any]:
    seconds = {"type": ["integer", "null"], "minimum": 10, "maximum": 7200}
    after = record([], anchor={"const": "created_at"}, seconds=seconds)
    session = {"type": ["object", "null"], "description": "as in session.update"}
    return record([], expires_after={"anyOf": [after, {"type": "null"}]}, session=session)


def _asr_json() -> dict[str, Any]:
    named = record(["audio"], name=TEXT, audio=BASE64)
    settings = {name: {"anyOf": [schema, {"type": "null"}]} for name, schema in _settings().items()} | _OBJECTS
    single = record(["audio"], audio=BASE64, **settings) | {"additionalProperties": False}
    several = record(["files"], files=listed(named, minItems=1, maxItems=32), **settings) | {"additionalProperties": False}
    return {"anyOf": [single, several]}


def _settings() -> dict[str, Any]:
    return {
        "language": {"anyOf": [LANGUAGE, listed({"type": ["string", "null"]})]},
        "temperature": TEMPERATURE,
        "hotwords": listed(HOTWORD, maxItems=1_000),
        "prompt": {"type": "string", "maxLength": 4_000},
        "model": TEXT,
    }


_OBJECTS = {
    "hotword_lists": listed(TEXT),
    "text": {"type": "object", "description": "text forms, as in the native protocol"},
    "endpointing": {"type": "object", "description": "when utterances end, as in the native protocol"},
    "stream": FLAG | {"description": "events while it is heard; for one recording"},
}


_HOTWORDS_FORM = listed(TEXT, description="texts, or one list of texts and objects as JSON")


def _asr_form() -> dict[str, Any]:
    rest: dict[str, Any] = {"hotwords": _HOTWORDS_FORM, "hotword_lists": listed(TEXT), "prompt": TEXT, "model": TEXT}
    rest["text"] = {"type": "string", "description": "text forms as JSON, as in the native protocol"}
    rest["endpointing"] = {"type": "string", "description": "when utterances end as JSON, as in the native protocol"}
    rest["stream"] = _OBJECTS["stream"]
    one_or_more = {"anyOf": [FILE, listed(FILE)]}
    return record(["file"], file=one_or_more, language=LANGUAGE, temperature=TEMPERATURE, **rest)


def _transcription_form() -> dict[str, Any]:
    return record(
        ["file"],
        file=FILE,
        model=TEXT,
        language=LANGUAGE,
        prompt={"type": "string", "maxLength": 4_000},
        response_format={"enum": list(FORMATS)},
        temperature=TEMPERATURE,
        stream=FLAG,
        chunking_strategy={"enum": ["auto"]},
        **{
            "languages[]": listed(LANGUAGE),
            "keywords[]": listed(TEXT, maxItems=1_000),
            "timestamp_granularities[]": listed({"enum": ["word", "segment"]}),
            "include[]": listed({"enum": ["logprobs"]}),
        },
    )
