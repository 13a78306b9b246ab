"""Finals as documents: text, JSON, subtitles."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from streaming.events import FinalTranscript
from streaming.text.growing import joined, text_of
from streaming.timeline import seconds

Finals = list[FinalTranscript]


def txt(finals: Finals) -> str:
    """A line an utterance."""
    return "".join(f"{text_of(final.words)}\n" for final in finals)


def srt(finals: Finals) -> str:
    """SubRip."""
    return "".join(f"{n}\n{_span(final, ',')}\n{text_of(final.words)}\n\n" for n, final in enumerate(finals, 1))


def vtt(finals: Finals) -> str:
    """WebVTT."""
    return "WEBVTT\n\n" + "".join(f"{_span(final, '.')}\n{text_of(final.words)}\n\n" for final in finals)


def _json(finals: Finals, path: Path) -> str:
    segments = [
        {
            "start": seconds(final.words[0].start),
            "end": seconds(final.words[-1].end),
            "text": text_of(final.words),
            "language": final.language,
            "words": [
                {"text": w.text, "start": seconds(w.start), "end": seconds(w.end), "confidence": round(w.confidence, 3)}
                for w in final.words
            ],
        }
        for final in finals
    ]
    content = {"file": path.name, "text": joined(final.words for final in finals), "segments": segments}
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def _span(final: FinalTranscript, mark: str) -> str:
    return f"{_clock(seconds(final.words[0].start), mark)} --> {_clock(seconds(final.words[-1].end), mark)}"


def _clock(at_s: float, mark: str) -> str:
    whole, ms = divmod(round(at_s * 1000), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}{mark}{ms:03}"


FORMS: dict[str, Callable[[Finals, Path], str]] = {
    "txt": lambda finals, _: txt(finals),
    "json": _json,
    "srt": lambda finals, _: srt(finals),
    "vtt": lambda finals, _: vtt(finals),
}
