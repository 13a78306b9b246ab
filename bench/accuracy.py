"""What is written down: the streaming sessions against whole clips on the same weights, without pacing.

streaming        word error rate (characters for zh, yue, ja) of finals with partials on
offline          the same of one pass over the whole clip (clips up to 28 s)
invented_words   words on clips in which nothing is said
calibration      expected calibration error of word confidence
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from rich.console import Console
from rich.progress import track

from bench.manifest import Clip, clips
from bench.report import parser, report
from bench.score import calibration_error, errors, matched, tokens
from model.interfaces import DecodeContext, Recogniser, StepRequest, UtteranceId
from server.audiofile import blocks
from server.config import Config
from server.loading import load
from server.transcribe import Finals, transcribe

Counts = dict[str, list[int]]


def main() -> None:
    """Run it."""
    options = parser(__doc__ or "").parse_args()
    recogniser = load(Config(), Console(stderr=True))
    streaming, offline = defaultdict[str, list[int]](lambda: [0, 0]), defaultdict[str, list[int]](lambda: [0, 0])
    invented, pairs = 0, list[tuple[float, bool]]()
    chosen = clips(options.manifest, language=options.language, max_seconds=options.max_seconds, limit=options.limit)
    for clip in track(chosen, "transcribing"):
        finals = transcribe(recogniser, Config(language=clip.language), clip.path, partials=True)
        found = tokens("".join(w.text for f in finals for w in f.words), clip.language)
        if not clip.text:
            invented += len(found)
            continue
        _count(streaming[clip.language], clip, found)
        pairs += _judged(clip, finals)
        if clip.seconds <= 28:
            _count(offline[clip.language], clip, tokens(whole(recogniser, clip), clip.language))
    figures = {f"streaming {lang}": wrong / max(1, total) for lang, (wrong, total) in streaming.items()}
    figures |= {f"offline {lang}": wrong / max(1, total) for lang, (wrong, total) in offline.items()}
    report(
        "accuracy",
        {"clips": len(chosen), **figures, "invented_words": invented, "calibration": calibration_error(pairs)},
        vars(options),
    )


def whole(recogniser: Recogniser, clip: Clip) -> str:
    """One pass over the whole clip."""
    import numpy as np

    audio = np.concatenate(list(blocks(clip.path)))
    request = StepRequest(UtteranceId(clip.name, 0), 0, 0, audio, True, True, 0.0, DecodeContext(clip.language))
    return "".join(word.text for word in recogniser.step([request])[0].words)


def _count(counts: list[int], clip: Clip, found: Sequence[str]) -> None:
    reference = tokens(clip.text, clip.language)
    counts[0] += errors(reference, found)
    counts[1] += len(reference)


def _judged(clip: Clip, finals: Finals) -> list[tuple[float, bool]]:
    """(confidence, is right) of each word that has one token."""
    words = [(tokens(w.text, clip.language), w.confidence) for f in finals for w in f.words]
    said = [(t, confidence) for parts, confidence in words for t in parts]
    right = matched([t for t, _ in said], tokens(clip.text, clip.language))
    return [(confidence, index in right) for index, (_, confidence) in enumerate(said)]


if __name__ == "__main__":
    main()
