"""What is written down, without pacing: streaming sessions, one pass over whole clips, and another program, on the same weights.

streaming    finals of sessions with partials on, which get their audio in steps of 0.1 s
one pass     the whole clip at once (clips up to 28 s); the distance to streaming is the streaming tax
peer         faster-whisper (--peer), without hotwords and with them

Tables by language, style and noise condition:
error        word error rate (characters for zh, yue, ja)
others       the same on the words that are no terms
terms        share of terms written exactly as they are to be
Then the words written where nothing is said, and how far confidence can be believed (reliability, expected calibration error).

Without --manifest and with the extra `bench` installed, the clips are technical sentences spoken by piper (bench.speech).
"""

from __future__ import annotations

import re
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench import hotwords, peer, speech
from bench.manifest import Clip, clips
from bench.report import parser, report
from bench.score import calibration_error, errors, errors_outside, found_terms, matched, reliability, tokens
from model.embedded import default_cache
from model.interfaces import DecodeContext, Hotword, Recogniser, StepRequest, UtteranceId, Word
from server.config import Config
from server.loading import load
from server.media import blocks
from server.transcribe import transcribe
from streaming.spelling import Speller, Spelling

Writes = Callable[[Clip], str]
ONE_PASS_S = 28


@dataclass(slots=True)
class Tally:
    """Of one program over the clips of one kind."""

    wrong: int = 0
    words: int = 0
    others_wrong: int = 0
    others: int = 0
    hit: int = 0
    terms: int = 0

    def add(self, clip: Clip, text: str) -> None:
        """Judge a text."""
        reference, found = tokens(clip.text, clip.language), tokens(text, clip.language)
        wrong, others = errors_outside([tokens(t, clip.language) for t in clip.terms], reference, found)
        self.wrong += errors(reference, found)
        self.words += len(reference)
        self.others_wrong += wrong
        self.others += others
        self.hit += len(found_terms(clip.terms, text))
        self.terms += len(clip.terms)

    def figures(self) -> dict[str, Any]:
        """Rates and what they are made of."""
        rates = {"error": self.wrong / max(1, self.words), "others": self.others_wrong / max(1, self.others)}
        return rates | {"terms": self.hit / self.terms if self.terms else None, "words": self.words, "wrong": self.wrong}


def main() -> None:
    """Run it."""
    options = _options().parse_args()
    found = clips(_manifest(options), language=options.language, max_seconds=options.max_seconds, limit=options.limit)
    favoured = hotwords.chosen(found, options.hotwords, options.distractors, sounds_like=options.sounds_like)
    (recogniser,) = load(Config(), Console(stderr=True))
    heard: list[tuple[Clip, list[Word]]] = []
    with ExitStack() as stack:
        programs = _programs(options, stack, recogniser, favoured, heard)
        tables, invented = measured(found, programs)
    pairs = [pair for clip, words in heard if clip.text for pair in judged(clip, words)]
    figures = {"clips": len(found), "hotwords": len(favoured), "calibration error": calibration_error(pairs)}
    for name, by_kind in tables.items():
        figures |= {f"{name}, {key}": value for key, value in by_kind["all"].figures().items()} | {
            f"{name}, words invented": invented[name]
        }
        _show(name, by_kind)
    _show_reliability(pairs)
    report("accuracy", figures, vars(options))


def _options() -> ArgumentParser:
    options = parser(__doc__ or "")
    options.add_argument("--hotwords", default="none", metavar="none|terms|FILE", help="phrases to favour (default: none)")
    options.add_argument("--distractors", type=int, default=0, metavar="N", help="so many more that never occur (default: 0)")
    options.add_argument("--sounds-like", action="store_true", help="with their sayings, of the clips and the ready-made lists")
    options.add_argument("--guess-language", action="store_true", help="sessions are not told the language")
    options.add_argument("--peer", action="store_true", help="faster-whisper too")
    return options


def _manifest(options: Namespace) -> Path | None:
    if options.manifest is None and find_spec("piper"):
        return speech.make(default_cache() / "speech")
    found: Path | None = options.manifest
    return found


def _programs(
    options: Namespace, stack: ExitStack, recogniser: Recogniser, favoured: Sequence[Hotword], heard: list[tuple[Clip, list[Word]]]
) -> dict[str, Writes]:
    def streaming(clip: Clip) -> str:
        config = Config(language="" if options.guess_language else clip.code)
        finals = transcribe(recogniser, config, clip.path, partials=True, hotwords=favoured)
        words = [word for final in finals for word in final.words]
        heard.append((clip, words))
        return "".join(word.text for word in words)

    lists = (tuple(favoured),) if favoured else ()
    speller = Speller([Spelling(each) for each in lists])
    programs: dict[str, Writes] = {"streaming": streaming}
    programs["one pass"] = lambda clip: whole(
        recogniser, clip, DecodeContext(None if options.guess_language else clip.code, hotwords=lists), speller
    )
    if options.peer:
        model = stack.enter_context(peer.faster_whisper())
        programs["faster-whisper"] = lambda clip: peer.text(model, clip, ())
        if favoured:
            programs["faster-whisper, hotwords"] = lambda clip: peer.text(model, clip, [word.text for word in favoured])
    return programs


def whole(recogniser: Recogniser, clip: Clip, context: DecodeContext, speller: Speller) -> str:
    """One pass over the whole clip."""
    audio = np.concatenate(list(blocks(clip.path)))
    hypothesis = recogniser.step([StepRequest(UtteranceId(clip.name, 0), 0, 0, audio, True, True, 0.0, context)])[0]
    return "".join(word.text for group in speller.write(hypothesis.words, is_end=True) for word in group.words)


def measured(found: Sequence[Clip], programs: dict[str, Writes]) -> tuple[dict[str, dict[str, Tally]], dict[str, int]]:
    """Tallies by program and kind of clip, and words where nothing is said."""
    tables: dict[str, dict[str, Tally]] = {name: {"all": Tally()} for name in programs}
    invented = dict.fromkeys(programs, 0)
    for clip in track(found, "transcribing"):
        for name, write in programs.items():
            if name == "one pass" and clip.seconds > ONE_PASS_S:
                continue
            text = write(clip)
            if not clip.text:
                invented[name] += len(tokens(text, clip.language))
                continue
            for kind in ("all", clip.language, f"{clip.language} {clip.style}", f"{clip.language} {clip.condition}"):
                tables[name].setdefault(kind, Tally()).add(clip, text)
    return tables, invented


def judged(clip: Clip, words: Sequence[Word]) -> list[tuple[float, bool]]:
    """(confidence, is right) of each word, or character."""
    said = [(part, word.confidence) for word in words for part in tokens(word.text, clip.language)]
    right = matched([part for part, _ in said], tokens(clip.text, clip.language))
    return [(confidence, index in right) for index, (_, confidence) in enumerate(said)]


def _show(name: str, by_kind: dict[str, Tally]) -> None:
    table = Table("clips", "error", "others", "terms", "words", title=name)
    for kind, tally in sorted(by_kind.items()):
        figures = tally.figures()
        rates = ["–" if figures[key] is None else f"{figures[key]:.2%}" for key in ("error", "others", "terms")]
        table.add_row(re.sub(r" $", " (no style)", kind), *rates, str(tally.words))
    Console().print(table)


def _show_reliability(pairs: Sequence[tuple[float, bool]]) -> None:
    table = Table("mean confidence", "right", "words", title="reliability, streaming")
    for confidence, right, count in reliability(pairs):
        table.add_row(f"{confidence:.3f}", f"{right:.3f}", str(count))
    Console().print(table)


if __name__ == "__main__":
    main()
