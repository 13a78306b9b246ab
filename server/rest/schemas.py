"""JSON Schemas of what goes over HTTP, for documents.py."""

from __future__ import annotations

from typing import Any

from streaming.biasing import HEAVIEST


def ref(name: str) -> dict[str, str]:
    """To one of SCHEMAS."""
    return {"$ref": f"#/components/schemas/{name}"}


def record(required: list[str], **properties: Any) -> dict[str, Any]:
    """An object, and which of its keys are always there."""
    return {"type": "object", "required": required, "properties": properties}


def listed(of: dict[str, Any], **rest: Any) -> dict[str, Any]:
    """A list of such."""
    return {"type": "array", "items": of, **rest}


TEXT, NUMBER, WHOLE, FLAG = ({"type": name} for name in ("string", "number", "integer", "boolean"))
FILE = {"type": "string", "format": "binary", "description": "WAV, MP3, FLAC, OGG, Opus, WebM, M4A or AAC"}
BASE64 = {"type": "string", "contentEncoding": "base64", "minLength": 1}
LANGUAGE = {"type": "string", "description": "code such as en, several (zh,en), or auto"}
TEMPERATURE = {"type": "number", "minimum": 0, "maximum": 1, "description": "accepted for other servers' clients; text is greedy"}
_SEGMENT = record(["start", "end", "text", "confidence"], start=NUMBER, end=NUMBER, text=TEXT, confidence=NUMBER)
_OPENAI_NUMBERS = ("start", "end", "temperature", "avg_logprob", "compression_ratio", "no_speech_prob")
_OPENAI_SEGMENT = record(
    ["id", "seek", "text", "tokens", *_OPENAI_NUMBERS],
    id=WHOLE,
    seek=WHOLE,
    text=TEXT,
    tokens=listed(WHOLE),
    **dict.fromkeys(_OPENAI_NUMBERS, NUMBER),
)
_LOGPROB = record(["token", "bytes", "logprob"], token=TEXT, bytes=listed(WHOLE), logprob=NUMBER)
_WEIGHT = {"type": "number", "minimum": 0, "maximum": HEAVIEST}
HOTWORD = {"anyOf": [TEXT, record(["text"], text=TEXT, weight=_WEIGHT, sounds_like=listed(TEXT))]}
_DURATION = record(["type", "seconds"], type={"const": "duration"}, seconds=NUMBER)

_WORD = record(["word", "start", "end", "confidence"], word=TEXT, start=NUMBER, end=NUMBER, confidence=NUMBER)
_ALTERNATIVE = record(["transcript", "confidence", "words"], transcript=TEXT, confidence=NUMBER, words=listed(_WORD))

SCHEMAS: dict[str, Any] = {
    "Prerecorded": record(
        ["metadata", "results"],
        metadata=record(["request_id", "sha256", "created", "duration", "channels", "models"], duration=NUMBER, channels=WHOLE),
        results=record(["channels"], channels=listed(record(["alternatives"], alternatives=listed(_ALTERNATIVE)))),
    ),
    "Grant": record(["access_token", "expires_in"], access_token=TEXT, expires_in=NUMBER),
    "Secret": record(["value", "expires_at", "session"], value=TEXT, expires_at=WHOLE, session={"type": "object"}),
    "Error": record(
        ["error"],
        error=record(
            ["message", "type", "param", "code"],
            message=TEXT,
            type={"enum": ["invalid_request_error", "server_error"]},
            param={"type": ["string", "null"]},
            code={"type": ["string", "null"]},
        ),
        err_code=TEXT,
        err_msg=TEXT,
        request_id=TEXT,
    ),
    "Transcript": record(
        ["text", "segments", "confidence", "language", "duration"],
        text=TEXT,
        segments=listed(_SEGMENT),
        confidence=NUMBER,
        language={"type": ["string", "null"]},
        duration=NUMBER,
    ),
    "Batch": record(
        ["results"],
        results=listed({"anyOf": [ref("Transcript"), ref("FileError")]}),
    ),
    "FileError": record(["file", "error"], file=TEXT, error=record(["message", "code"], message=TEXT, code=TEXT)),
    "Transcription": record(
        ["text"], text=TEXT, usage=_DURATION, languages=listed(record(["code"], code=TEXT)), logprobs=listed(_LOGPROB)
    ),
    "VerboseTranscription": record(
        ["task", "language", "duration", "text"],
        task={"const": "transcribe"},
        language=TEXT,
        duration=NUMBER,
        text=TEXT,
        usage=_DURATION,
        segments=listed(_OPENAI_SEGMENT),
        words=listed(record(["word", "start", "end"], word=TEXT, start=NUMBER, end=NUMBER)),
    ),
    "Info": record(
        ["name", "version", "model", "languages", "key_required", "hotwords", "recordings", "captions"],
        **dict.fromkeys(("name", "version", "model"), TEXT),
        languages=listed(TEXT),
        key_required=FLAG,
        hotwords=record(["active", "most", "lists"], active=FLAG, most=WHOLE, lists=listed(TEXT)),
        recordings=record(["most_bytes", "most_s"], most_bytes=WHOLE, most_s=NUMBER),
        captions=FLAG,
    ),
    "Model": record(["id", "object", "created", "owned_by"], id=TEXT, object={"const": "model"}, created=WHOLE, owned_by=TEXT),
}
