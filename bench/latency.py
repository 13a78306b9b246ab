"""What one listener feels: paced streams, one after the other.

word_error        word error rate of the finals (characters for zh, yue, ja)
shown_p50/p95_s   from a word's end in the audio until it is first shown
stable_p50_s      from a word's end until it is among the stable words or in a final
final_p50/p95_s   from the end of the clip until its last final
cpu_per_audio     CPU seconds of the server per second of audio
"""

from __future__ import annotations

import asyncio
import tempfile
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import hotwords
from bench.live import Run, serving, stream_all
from bench.manifest import Clip, clips
from bench.report import parser, report
from bench.score import errors, matched, percentile, tokens, word_latencies


def main() -> None:
    """Run it."""
    measure("latency", options(__doc__ or "").parse_args(), streams=1)


def options(description: str) -> ArgumentParser:
    """Those of paced benches."""
    found = parser(description)
    found.add_argument("--hotwords", type=int, default=0, metavar="N", help="so many that never occur (default: 0)")
    return found


def measure(name: str, options: Any, streams: int) -> None:
    """Stream the clips to a fresh server and report."""
    chosen = [c for c in clips(options.manifest, language=options.language, max_seconds=options.max_seconds) if c.text][
        : options.limit
    ]
    with serving(*_with_hotwords(chosen, options.hotwords)) as server:
        before = server.cpu_s()
        runs = asyncio.run(stream_all(server.url, chosen, streams, give_language=True))
        audio_s = sum(run.heard.audio_s for run in runs)
        cost = {"cpu_per_audio": (server.cpu_s() - before) / max(audio_s, 1e-9), "rss_mb": server.rss_mb()}
    report(name, {"streams": streams, "clips": len(runs), "audio_s": audio_s, **figures(runs), **cost}, vars(options))


def _with_hotwords(found: Sequence[Clip], count: int) -> tuple[str, ...]:
    """Arguments of the server."""
    if not count:
        return ()
    path = Path(tempfile.gettempdir()) / f"stenoline-{count}-hotwords.txt"
    path.write_text("".join(f"{word.text}\n" for word in hotwords.chosen(found, "none", count, sounds_like=False)))
    return ("--hotwords", str(path))


def figures(runs: Sequence[Run]) -> dict[str, Any]:
    """Accuracy and latencies of runs."""
    good = [run for run in runs if not run.error]
    wrong = total = 0
    shown, stable, final = list[float](), list[float](), list[float]()
    for run in good:
        reference = tokens(run.clip.text, run.clip.language)
        wrong += errors(reference, tokens(run.heard.text, run.clip.language))
        total += len(reference)
        shown += first_shown(run, ("stable", "unstable", "words"))
        stable += first_shown(run, ("stable", "words"))
        final.append(_last_final(run))
    return {
        "failed": len(runs) - len(good),
        "word_error": wrong / max(1, total),
        "shown_p50_s": percentile(shown, 50),
        "shown_p95_s": percentile(shown, 95),
        "stable_p50_s": percentile(stable, 50),
        "final_p50_s": percentile(final, 50),
        "final_p95_s": percentile(final, 95),
    }


def first_shown(run: Run, keys: tuple[str, ...]) -> list[float]:
    """Latency of each reference word until it is first among the words under `keys`; our own times if there are no others."""
    timed = [(t, end) for word, _, end in run.clip.words for t in tokens(word, run.clip.language)]
    if not timed:
        return word_latencies(run.heard.messages) if "unstable" in keys else []
    said, first, done = [t for t, _ in timed], dict[int, float](), list[str]()
    for at, message in run.heard.messages:
        if message["type"] not in ("partial", "final"):
            continue
        text = tokens("".join(w["text"] for key in keys for w in message.get(key, [])), run.clip.language)
        for index in matched(said, done + text):
            first.setdefault(index, at)
        done += text if message["type"] == "final" else []
    return [at - timed[index][1] for index, at in first.items()]


def _last_final(run: Run) -> float:
    times = [at for at, message in run.heard.messages if message["type"] == "final"]
    return max(0.0, times[-1] - run.heard.sent_s) if times else 0.0


if __name__ == "__main__":
    main()
