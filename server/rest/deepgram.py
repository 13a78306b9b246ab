"""Deepgram's calls for recordings, and its short tokens; docs/protocols/deepgram.md."""

from __future__ import annotations

import asyncio
import hashlib
import struct
import tempfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, BinaryIO, TypeAlias, cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from model.interfaces import Word
from server.media import channels
from server.protocols.deepgram import ENCODINGS, DeepgramAdapter, alternative
from server.protocols.fields import json_object
from server.rest.base import Handler, bounded, choice, hold, number
from server.rest.desk import Desk, Transcript
from server.short_keys import ShortKeys
from streaming.audio.pcm import sample_bytes
from streaming.commands import AudioFormat, Configure, Encoding, SessionConfig
from streaming.errors import ProtocolViolation
from streaming.events import FinalTranscript
from streaming.text.growing import joined, text_of
from streaming.timeline import samples, seconds

Words: TypeAlias = tuple[Word, ...]

_IN_MEMORY_BYTES = 1 << 20
_LEAST_S, _MOST_S, _USUAL_S = 1, 3_600, 30
_RAW = [("encoding", "linear16"), ("sample_rate", "16000")]  # of what the container is decoded to
_OF_RAW = ("encoding", "sample_rate", "channels")
_OF_LIVE = ("multichannel", "interim_results", "vad_events", "endpointing", "utterance_end_ms")
_TAGS = {Encoding.S16LE: 1, Encoding.F32LE: 3, Encoding.MULAW: 7, Encoding.ALAW: 6}  # in the head of a WAV
_UNKNOWN = 0xFFFFFFFF  # length of a WAV
_SENTENCE_ENDS = tuple(".?!…。？！")
_PARAGRAPH_GAP_MS = 2_000


def routes(desk: Desk, keys: ShortKeys, guard: Callable[[Handler], Handler]) -> list[Route]:
    """Of this module."""

    async def listen(request: Request) -> Response:
        config = _config(desk, request)
        extras = _Extras(_flag(request, "utterances"), _flag(request, "paragraphs") or _flag(request, "smart_format"))
        head = _wav_head(config.audio) if _is_raw(request) else b""
        body, digest = await _spooled(bounded(request, desk.most_bytes), head)
        desk.check_turn()
        count = await asyncio.to_thread(channels, body, desk.media) if _flag(request, "multichannel") else 1
        found = await desk.transcript(request, body, config, count)
        answer = _answer(found, count, digest, desk.defaults.models[0], extras)
        return JSONResponse(answer, headers={"dg-request-id": answer["metadata"]["request_id"]})

    async def grant(request: Request) -> Response:
        text = (await bounded(request, _IN_MEMORY_BYTES).body()).decode(errors="replace")
        lifetime_s = number(json_object(text) if text else {}, "ttl_seconds", _LEAST_S, _MOST_S, _USUAL_S)
        key, _ = keys.make("/v1/listen", lifetime_s, {})
        return JSONResponse({"access_token": key, "expires_in": lifetime_s})

    return [Route("/v1/listen", guard(listen), methods=["POST"]), Route("/v1/auth/grant", guard(grant), methods=["POST"])]


def _flag(request: Request, name: str) -> bool:
    return choice(name, request.query_params.get(name, "false").lower(), ("true", "false")) == "true"


def _is_raw(request: Request) -> bool:
    return request.query_params.get("encoding") in ENCODINGS


def _config(desk: Desk, request: Request) -> SessionConfig:
    """From the query, as for live sessions. Raises TranscriptionError."""
    left_out, given = (_OF_LIVE, []) if _is_raw(request) else ((*_OF_LIVE, *_OF_RAW), _RAW)
    query = [(name, value) for name, value in request.query_params.multi_items() if name not in left_out]
    (configure,) = DeepgramAdapter("", desk.defaults, [*query, *given]).opening()
    return cast(Configure, configure).config


def _wav_head(audio: AudioFormat) -> bytes:
    """What makes bare samples a recording that tells its form."""
    size = sample_bytes(audio.encoding) * audio.channels
    form = (_TAGS[audio.encoding], audio.channels, audio.sample_rate, audio.sample_rate * size, size, 8 * size // audio.channels)
    riff = struct.pack("<4sI4s4sI", b"RIFF", _UNKNOWN, b"WAVE", b"fmt ", 16)
    return riff + struct.pack("<HHIIHH", *form) + struct.pack("<4sI", b"data", _UNKNOWN)


async def _spooled(request: Request, head: bytes) -> tuple[BinaryIO, str]:
    """The head and the body, on disk beyond a megabyte, and the body's SHA-256. Raises TranscriptionError."""
    if request.headers.get("content-type", "").startswith("application/json"):
        message = "this server fetches nothing from elsewhere: send the recording itself as the body"
        raise ProtocolViolation(message, field="url", code="invalid_value")
    body = cast(BinaryIO, tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES))
    digest = hashlib.sha256()
    hold(request, body)
    body.write(head)
    async for piece in request.stream():
        digest.update(piece)
        body.write(piece)
    if body.tell() == len(head):
        raise ProtocolViolation("the body is empty, expected a recording", field="body", code="missing_parameter")
    return body, digest.hexdigest()


@dataclass(frozen=True, slots=True)
class _Extras:
    """What an answer has beside the text."""

    utterances: bool
    paragraphs: bool


def _answer(found: Transcript, count: int, digest: str, model: str, extras: _Extras) -> dict[str, Any]:
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
        if extras.utterances
        else {}
    )
    told = [_channel(found, number, extras) for number in range(count)]
    return {"metadata": metadata, "results": {"channels": told, **utterances}}


def _channel(found: Transcript, number: int, extras: _Extras) -> dict[str, Any]:
    heard = Transcript([final for final in found.finals if final.channel == number])
    words = tuple(word for final in heard.finals for word in final.words)
    parts = {"paragraphs": _paragraphs(heard.finals)} if extras.paragraphs else {}
    told = {"alternatives": [{**alternative(words), "transcript": heard.text, "languages": heard.languages, **parts}]}
    return told | ({"detected_language": heard.languages[0]} if heard.languages else {})


def _paragraphs(finals: list[FinalTranscript]) -> dict[str, Any]:
    """Sentences, parted where nobody spoke for a while."""
    found = list[list[Words]]()
    for sentence in (each for final in finals for each in _sentences(final.words)):
        if not found or sentence[0].start - found[-1][-1][-1].end >= samples(_PARAGRAPH_GAP_MS):
            found.append([])
        found[-1].append(sentence)
    texts = [joined(sentences) for sentences in found]
    return {"transcript": "\n\n".join(texts), "paragraphs": [_paragraph(sentences) for sentences in found]}


def _sentences(words: Words) -> Iterator[Words]:
    ends = [number for number, word in enumerate(words, 1) if word.text.rstrip().endswith(_SENTENCE_ENDS)]
    return (words[start:end] for start, end in pairwise([0, *ends, len(words)]) if start < end)


def _paragraph(sentences: list[Words]) -> dict[str, Any]:
    told = [{"text": text_of(each), **_times(each)} for each in sentences]
    return {"sentences": told, "num_words": sum(map(len, sentences)), "start": told[0]["start"], "end": told[-1]["end"]}


def _utterance(final: FinalTranscript) -> dict[str, Any]:
    return {"id": str(uuid.uuid4()), "channel": final.channel, **_times(final.words), **alternative(final.words)}


def _times(words: Words) -> dict[str, Any]:
    return {"start": seconds(words[0].start), "end": seconds(words[-1].end)}
