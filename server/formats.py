"""Finals as documents: text, JSON, subtitles."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.sax.saxutils import escape

from model.interfaces import Word
from streaming.events import FinalTranscript
from streaming.text.growing import joined, text_of
from streaming.timeline import seconds

Finals = list[FinalTranscript]

_COLUMNS, _LINES, _LONGEST_S = 42, 2, 7.0


def txt(finals: Finals) -> str:
    """A line an utterance."""
    return "".join(f"{text_of(final.words)}\n" for final in finals)


def srt(finals: Finals) -> str:
    """SubRip."""
    return "".join(f"{n}\n{_cue(cue, ',')}\n\n" for n, cue in enumerate(cues(finals), 1))


def vtt(finals: Finals) -> str:
    """WebVTT."""
    return "WEBVTT\n\n" + "".join(f"{_cue(cue, '.', escape)}\n\n" for cue in cues(finals))


def cues(finals: Finals) -> Iterator[list[list[Word]]]:
    """What is shown at once, in lines: at most 2 of 42 columns, for at most 7 s; an utterance begins a new one."""
    for final in finals:
        lines: list[list[Word]] = []
        for word in final.words:
            has_room = bool(lines) and _width([*lines[-1], word]) <= _COLUMNS
            if lines and (_lasts(lines, word) > _LONGEST_S or (not has_room and len(lines) == _LINES)):
                yield lines
                lines, has_room = [], False
            if has_room:
                lines[-1].append(word)
            else:
                lines.append([word])
        if lines:
            yield lines


def _lasts(lines: list[list[Word]], word: Word) -> float:
    """In seconds, with this word."""
    return seconds(word.end - lines[0][0].start)


def _width(words: list[Word]) -> int:
    """In columns: characters of Chinese and the like take two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text_of(words))


def _cue(lines: list[list[Word]], mark: str, written: Callable[[str], str] = str) -> str:
    start, end = lines[0][0].start, lines[-1][-1].end
    text = "\n".join(written(text_of(line)) for line in lines)
    return f"{_clock(seconds(start), mark)} --> {_clock(seconds(end), mark)}\n{text}"


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


def _clock(at_s: float, mark: str) -> str:
    whole, ms = divmod(round(at_s * 1000), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}{mark}{ms:03}"


FORMS: dict[str, Callable[[Finals, Path], str]] = {
    "txt": lambda finals, _: txt(finals),
    "json": _json,
    "srt": lambda finals, _: srt(finals),
    "vtt": lambda finals, _: vtt(finals),
}
