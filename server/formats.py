"""Finals as documents: text, JSON, subtitles."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from streaming.events import FinalTranscript
from streaming.text.spacing import HAN
from streaming.timeline import seconds

Finals = list[FinalTranscript]

_UNSPACED = re.compile(rf"[{HAN}\u3000-\u30ff\uff00-\uffef]")


def text_of(final: FinalTranscript) -> str:
    """Without the space before it."""
    return "".join(word.text for word in final.words).strip()


def joint(before: str, after: str) -> str:
    """What stands between two texts: a space, but none beside Chinese or Japanese."""
    return "" if not before or not after or _UNSPACED.match(before[-1]) or _UNSPACED.match(after[0]) else " "


def joined(texts: Iterable[str]) -> str:
    """One text."""
    whole = ""
    for text in texts:
        whole += joint(whole, text) + text
    return whole


def txt(finals: Finals) -> str:
    """A line an utterance."""
    return "".join(f"{text_of(final)}\n" for final in finals)


def srt(finals: Finals) -> str:
    """SubRip."""
    return "".join(f"{n}\n{_span(final, ',')}\n{text_of(final)}\n\n" for n, final in enumerate(finals, 1))


def vtt(finals: Finals) -> str:
    """WebVTT."""
    return "WEBVTT\n\n" + "".join(f"{_span(final, '.')}\n{text_of(final)}\n\n" for final in finals)


def _json(finals: Finals, path: Path) -> str:
    segments = [
        {
            "start": seconds(final.words[0].start),
            "end": seconds(final.words[-1].end),
            "text": text_of(final),
            "language": final.language,
            "words": [
                {"text": w.text, "start": seconds(w.start), "end": seconds(w.end), "confidence": round(w.confidence, 3)}
                for w in final.words
            ],
        }
        for final in finals
    ]
    content = {"file": path.name, "text": joined(map(text_of, finals)), "segments": segments}
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
