"""OpenAI's calls for recordings; docs/protocols/openai-rest.md says what is and is not supported."""

from __future__ import annotations

import json
import math
import time
import zlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any

from babel import Locale
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from model.interfaces import Hotword, Word
from server.files import Progress
from server.formats import srt, vtt
from server.media import BadMedia
from server.protocols.fields import invalid, json_object, languages, only
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
from server.rest.desk import LONGEST_NAME, Desk, Transcript
from streaming.biasing import HotwordList, normalised
from streaming.commands import EndpointingConfig, SessionConfig
from streaming.endpointing import check_bounds
from streaming.errors import LimitExceeded, ProtocolViolation, TranscriptionError
from streaming.events import FinalTranscript
from streaming.text.growing import GrowingText
from streaming.timeline import seconds

FORMATS = ("json", "text", "srt", "vtt", "verbose_json")
_GRANULARITIES, _INCLUDES = ("word", "segment"), ("logprobs",)
_LONGEST_PROMPT = 4_000
_LEAST_PROBABILITY = 1e-9


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a caller asked for."""

    format: str
    is_streamed: bool
    granularities: frozenset[str]
    has_logprobs: bool
    config: SessionConfig


def routes(desk: Desk, guard: Callable[[Handler], Handler]) -> list[Route]:
    """Of this module."""
    started = int(time.time())

    async def transcriptions(request: Request) -> Response:
        form = await form_of(bounded(request, desk.most_bytes))
        wanted = asked(form, desk)
        files = form.files("file")
        if len(files) != 1:
            raise ProtocolViolation(
                f"file is there {len(files)} times, expected one upload", field="file", code="missing_parameter"
            )
        desk.check_turn()
        if wanted.is_streamed:
            return event_stream(_events(desk, files[0][1], wanted))
        return rendered(await desk.transcript(request, files[0][1], wanted.config), wanted)

    async def translations(request: Request) -> Response:
        raise ProtocolViolation("this server writes down what is said in its own language; it does not translate", field="task")

    async def models(request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [_model(name, started) for name in desk.defaults.models]})

    async def model(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in desk.defaults.models:
            expected = ", ".join(desk.defaults.models)
            raise ProtocolViolation(f"there is no model {name[:LONGEST_NAME]!r}, only {expected}", field="model", code="not_found")
        return JSONResponse(_model(name, started))

    return [
        Route("/v1/audio/transcriptions", guard(transcriptions), methods=["POST"]),
        Route("/v1/audio/translations", guard(translations), methods=["POST"]),
        Route("/v1/models", guard(models)),
        Route("/v1/models/{name:path}", guard(model)),
    ]


def _model(name: str, created: int) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": created, "owned_by": "stenoline"}


# in


def asked(form: Form, desk: Desk) -> Wanted:
    """Raises TranscriptionError, naming the field."""
    desk.check_model(form.text("model"))
    format = form.text("response_format", "json")
    if format == "diarized_json":
        raise invalid("response_format", format, f"one of {', '.join(FORMATS)}: this server does not tell speakers apart")
    choice("response_format", format, FORMATS)
    granularities = [choice("timestamp_granularities", each, _GRANULARITIES) for each in form.texts("timestamp_granularities")]
    if granularities and format != "verbose_json":
        raise invalid("timestamp_granularities", granularities, "it only with response_format verbose_json")
    includes = [choice("include", each, _INCLUDES) for each in form.texts("include")]
    for name in ("known_speaker_names", "known_speaker_references"):
        if form.texts(name):
            raise invalid(name, form.texts(name)[0], "it to be absent: this server does not tell speakers apart")
    number({"temperature": numeric(form.text("temperature"))}, "temperature", 0, 1, 0)
    is_streamed = choice("stream", form.text("stream", "false").lower(), ("true", "false", "1", "0")) in ("true", "1")
    return Wanted(format, is_streamed, frozenset(granularities or ["segment"]), bool(includes), _config(form, desk))


def _config(form: Form, desk: Desk) -> SessionConfig:
    defaults = desk.defaults
    given = form.texts("languages") or [form.text("language") or (defaults.language or "")]
    codes = languages(",".join(given), defaults.languages)
    prompt = form.text("prompt")
    if len(prompt) > _LONGEST_PROMPT:
        raise LimitExceeded(f"prompt has {len(prompt):,} characters, expected at most {_LONGEST_PROMPT:,}", field="prompt")
    return SessionConfig(
        language=only(codes),
        languages=codes,
        hotwords=_keywords(form),
        endpointing=_endpointing(form, defaults.endpointing),
        text=defaults.text,
        prompt=prompt,
    )


def _keywords(form: Form) -> HotwordList:
    try:
        return normalised(Hotword(each) for each in form.texts("keywords"))
    except LimitExceeded as error:
        raise LimitExceeded(error.message.replace("hotword", "keyword", 1), field="keywords") from None


def _endpointing(form: Form, default: EndpointingConfig) -> EndpointingConfig:
    """chunking_strategy: `auto`, an object in brackets, or one as JSON."""
    text = form.text("chunking_strategy")
    parts: dict[str, Any] = {
        name: value if name == "type" else numeric(value) for name, value in form.parts("chunking_strategy").items()
    }
    if text not in ("", "auto"):
        parts |= _object(text)
    if not parts:
        return default
    choice("chunking_strategy.type", str(parts.get("type")), ("server_vad", "auto"))
    number(parts, "threshold", 0, 1, 0.5)
    number(parts, "prefix_padding_ms", 0, 10_000, 300)
    silence_ms = number(parts, "silence_duration_ms", 1, 60_000, default.silence_ms)
    found = replace(default, silence_ms=round(min(max(silence_ms, 100), 10_000)))
    check_bounds(found)
    return found


def _object(text: str) -> dict[str, Any]:
    try:
        return json_object(text)
    except ProtocolViolation:
        expected = '"auto" or an object such as {"type": "server_vad", "silence_duration_ms": 500}'
        raise invalid("chunking_strategy", text, expected) from None


# out


def rendered(found: Transcript, wanted: Wanted) -> Response:
    """In the format that was asked for."""
    match wanted.format:
        case "text":
            return PlainTextResponse(found.text + "\n")
        case "srt":
            return PlainTextResponse(srt(found.finals))
        case "vtt":
            return PlainTextResponse(vtt(found.finals))
        case "verbose_json":
            return JSONResponse(_verbose(found, wanted))
    content: dict[str, Any] = {"text": found.text, "usage": _usage(found), "languages": [{"code": c} for c in found.languages]}
    if wanted.has_logprobs:
        content["logprobs"] = [_logprob(word) for final in found.finals for word in final.words]
    return JSONResponse(content)


def _usage(found: Transcript) -> dict[str, Any]:
    return {"type": "duration", "seconds": math.ceil(found.duration_s)}


def _verbose(found: Transcript, wanted: Wanted) -> dict[str, Any]:
    languages, style = found.languages, wanted.config.text
    is_masked = bool(style.redact) or not style.profanity  # tokens are of what was said, before that
    content: dict[str, Any] = {
        "task": "transcribe",
        "language": language_name(languages[0]) if languages else "unknown",
        "duration": found.duration_s,
        "text": found.text,
        "usage": _usage(found),
    }
    if "segment" in wanted.granularities:
        content["segments"] = [_segment(number, final, has_tokens=not is_masked) for number, final in enumerate(found.finals)]
    if "word" in wanted.granularities:
        content["words"] = [
            {"word": word.text.strip(), "start": seconds(word.start), "end": seconds(word.end)}
            for final in found.finals
            for word in final.words
        ]
    return content


def _segment(number: int, final: FinalTranscript, *, has_tokens: bool) -> dict[str, Any]:
    text = "".join(word.text for word in final.words)
    encoded = text.encode()
    return {
        "id": number,
        "seek": int(seconds(final.start) * 100),
        "start": seconds(final.words[0].start),
        "end": seconds(final.words[-1].end),
        "text": text,
        "tokens": [token for word in final.words for token in word.tokens] if has_tokens else [],
        "temperature": 0.0,
        "avg_logprob": sum(_log(word.confidence) for word in final.words) / len(final.words),
        "compression_ratio": len(encoded) / len(zlib.compress(encoded)),
        "no_speech_prob": 0.0,  # what is no speech is no segment
    }


def _logprob(word: Word) -> dict[str, Any]:
    return {"token": word.text, "bytes": list(word.text.encode()), "logprob": _log(word.confidence)}


def _log(probability: float) -> float:
    return math.log(max(probability, _LEAST_PROBABILITY))


def language_name(code: str) -> str:
    """`english` for `en`."""
    name = Locale("en").languages.get(code, code)
    return str(name).lower()


async def _events(desk: Desk, source: Any, wanted: Wanted) -> AsyncIterator[str]:
    """Server-sent events: a delta an utterance; progress as comments, which clients skip."""
    found, growing = Transcript(), GrowingText()
    try:
        async for event in desk.flowing(source, wanted.config):
            if isinstance(event, Progress):
                found.duration_s = event.heard_s
                yield f": {event.heard_s:.1f} s heard\n\n"
                continue
            delta: dict[str, Any] = {"type": "transcript.text.delta", "delta": growing.close(event.words)}
            yield _event(delta | _logprobs([event], wanted))
            found.finals.append(event)
    except TranscriptionError as error:
        yield f"data: {json.dumps(error_body(error, ''))}\n\n"
        return
    except BadMedia as error:
        yield f"data: {json.dumps(error_body(bad_file(error), ''))}\n\n"
        return
    done: dict[str, Any] = {"type": "transcript.text.done", "text": growing.text}
    yield _event(done | {"languages": [{"code": code} for code in found.languages]} | _logprobs(found.finals, wanted))
    yield "data: [DONE]\n\n"


def _logprobs(finals: list[FinalTranscript], wanted: Wanted) -> dict[str, Any]:
    return {"logprobs": [_logprob(word) for final in finals for word in final.words]} if wanted.has_logprobs else {}


def _event(content: dict[str, Any]) -> str:
    return server_event(content["type"], content)
