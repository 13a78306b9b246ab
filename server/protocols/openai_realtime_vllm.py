"""vLLM's dialect of `/v1/realtime`: no settings, no items; one transcript from the first audio to the final commit."""

from __future__ import annotations

from collections import deque
from typing import Any

from streaming.errors import ShuttingDown, TranscriptionError
from streaming.events import Closed, ErrorEvent, Event, FinalTranscript, Flushed, PartialTranscript
from streaming.text.growing import GrowingText

SAMPLE_RATE = 16_000  # s16le mono
FINAL = "final"  # marker of the commit that ends a transcript

_CODES = {"recogniser_failed": "processing_error", "overloaded": "processing_error", "invalid_value": "invalid_event"}


class VllmTranscript:
    """Events as deltas, and `done` when all up to a final commit is out."""

    def __init__(self) -> None:
        self._text = GrowingText()
        self._tokens = 0
        self._fault: deque[TranscriptionError] = deque(maxlen=1)

    def tell(self, event: Event) -> list[dict[str, Any]]:
        """Messages about something that was heard, or that went wrong."""
        match event:
            case PartialTranscript(_, _, stable):
                return _delta(self._text.grow(stable))
            case FinalTranscript(_, words):
                self._tokens += sum(len(word.tokens) for word in words)
                return _delta(self._text.close(words))
            case Flushed(marker) if marker == FINAL:
                return [self._done()]
            case ErrorEvent(error, True):
                self._fault.append(error)
            case ErrorEvent(error):
                return [failure(error)]
            case Closed(code, reason) if code != ShuttingDown.close_code:
                return [failure(error) for error in self._fault]
            case Closed(code, reason):
                return [failure(ShuttingDown(reason))]
        return []

    def _done(self) -> dict[str, Any]:
        usage = {"prompt_tokens": 0, "completion_tokens": self._tokens, "total_tokens": self._tokens}
        done = {"type": "transcription.done", "text": self._text.text, "usage": usage}
        self._text, self._tokens = GrowingText(), 0
        return done


def failure(error: TranscriptionError) -> dict[str, Any]:
    """An error in its flat shape."""
    return {"type": "error", "error": error.message, "code": _CODES.get(error.code, error.code)}


def _delta(added: str) -> list[dict[str, Any]]:
    return [{"type": "transcription.delta", "delta": added}] if added else []
