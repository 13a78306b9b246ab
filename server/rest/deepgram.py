"""Deepgram's calls for recordings, and its short tokens; docs/protocols/deepgram.md."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, BinaryIO, cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from server.media import channels
from server.protocols.deepgram import DeepgramAdapter, alternative
from server.protocols.fields import json_object
from server.rest.base import Handler, bounded, choice, hold, number
from server.rest.desk import Desk, Transcript
from server.short_keys import ShortKeys
from streaming.commands import Configure, SessionConfig
from streaming.errors import ProtocolViolation
from streaming.events import FinalTranscript
from streaming.timeline import seconds

_IN_MEMORY_BYTES = 1 << 20
_LEAST_S, _MOST_S, _USUAL_S = 1, 3_600, 30
_RAW = [("encoding", "linear16"), ("sample_rate", "16000")]  # of what the container is decoded to
_OF_CONTAINERS = ("encoding", "sample_rate", "channels", "interim_results", "vad_events", "endpointing")


def routes(desk: Desk, keys: ShortKeys, guard: Callable[[Handler], Handler]) -> list[Route]:
    """Of this module."""

    async def listen(request: Request) -> Response:
        config = _config(desk, request)
        wants_utterances = _flag(request, "utterances")
        body, digest = await _spooled(bounded(request, desk.most_bytes))
        desk.check_turn()
        count = await asyncio.to_thread(channels, body, desk.media) if _flag(request, "multichannel") else 1
        found = await desk.transcript(request, body, config, count)
        return JSONResponse(_answer(found, count, digest, desk.defaults.models[0], wants_utterances=wants_utterances))

    async def grant(request: Request) -> Response:
        text = (await bounded(request, _IN_MEMORY_BYTES).body()).decode(errors="replace")
        lifetime_s = number(json_object(text) if text.strip() else {}, "ttl_seconds", _LEAST_S, _MOST_S, _USUAL_S)
        key, _ = keys.make("/v1/listen", lifetime_s, {})
        return JSONResponse({"access_token": key, "expires_in": lifetime_s})

    return [Route("/v1/listen", guard(listen), methods=["POST"]), Route("/v1/auth/grant", guard(grant), methods=["POST"])]


def _flag(request: Request, name: str) -> bool:
    return choice(name, request.query_params.get(name, "false").lower(), ("true", "false")) == "true"


def _config(desk: Desk, request: Request) -> SessionConfig:
    """From the query, as for live sessions. Raises TranscriptionError."""
    query = [(name, value) for name, value in request.query_params.multi_items() if name not in _OF_CONTAINERS]
    (configure,) = DeepgramAdapter("", desk.defaults, [*query, *_RAW]).opening()
    return cast(Configure, configure).config


async def _spooled(request: Request) -> tuple[BinaryIO, str]:
    """The body, on disk beyond a megabyte, and its SHA-256. Raises TranscriptionError."""
    if request.headers.get("content-type", "").startswith("application/json"):
        message = "this server fetches nothing from elsewhere: send the recording itself as the body"
        raise ProtocolViolation(message, field="url", code="invalid_value")
    body = cast(BinaryIO, tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES))
    digest = hashlib.sha256()
    hold(request, body)
    async for piece in request.stream():
        digest.update(piece)
        body.write(piece)
    if not body.tell():
        raise ProtocolViolation("the body is empty, expected a recording", field="body", code="missing_parameter")
    return body, digest.hexdigest()


def _answer(found: Transcript, count: int, digest: str, model: str, *, wants_utterances: bool) -> dict[str, Any]:
    model_id = str(uuid.uuid5(uuid.NAMESPACE_URL, model))
    metadata = {
        "transaction_key": "deprecated",
        "request_id": str(uuid.uuid4()),
        "sha256": digest,
        "created": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "duration": found.duration_s,
        "channels": count,
        "models": [model_id],
        "model_info": {model_id: {"name": model, "version": "1", "arch": "whisper"}},
    }
    utterances = (
        {"utterances": [_utterance(final) for final in sorted(found.finals, key=lambda final: final.start)]}
        if wants_utterances
        else {}
    )
    return {"metadata": metadata, "results": {"channels": [_channel(found, number) for number in range(count)], **utterances}}


def _channel(found: Transcript, number: int) -> dict[str, Any]:
    heard = Transcript([final for final in found.finals if final.channel == number])
    words = tuple(word for final in heard.finals for word in final.words)
    told = {"alternatives": [{**alternative(words), "transcript": heard.text, "languages": heard.languages}]}
    return told | ({"detected_language": heard.languages[0]} if heard.languages else {})


def _utterance(final: FinalTranscript) -> dict[str, Any]:
    times = {"start": seconds(final.words[0].start), "end": seconds(final.words[-1].end)}
    return {"id": str(uuid.uuid4()), "channel": final.channel, **times, **alternative(final.words)}
