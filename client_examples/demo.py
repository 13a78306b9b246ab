"""`make demo`: a server on a free port, the bundled talk through a real WebSocket, then what it took.

Needs the package installed (`make setup` does that); exits with 1 if the server could not be used.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.live import serving
from bench.score import errors, percentile, tokens, word_latencies
from server.stream import Heard, converse

DATA = Path(__file__).parent.parent / "data"


def main() -> int:
    """Run the demo; gives the exit code."""
    console = Console()
    try:
        with contextlib.ExitStack() as stack:
            with console.status("starting a server"):
                server = stack.enter_context(serving())
            console.print(f"streaming [bold]data/talk.flac[/] to {server.url} at the pace of speech; Ctrl-C ends\n")
            idle_s = server.cpu_s()
            heard = asyncio.run(converse(DATA / "talk.flac", server.url, language="en", console=console))
            _report(console, heard, server.cpu_s() - idle_s)
    except (OSError, RuntimeError) as error:
        console.print(f"[bold red]error[/] {error}", highlight=False)
        return 1
    except KeyboardInterrupt:
        console.print("\nstopped")
        return 130
    return 0


def _report(console: Console, heard: Heard, cpu_s: float) -> None:
    reference = tokens((DATA / "talk.txt").read_text())
    wrong = errors(reference, tokens(heard.text))
    shown = word_latencies(heard.messages)
    last_s = max((at for at, message in heard.messages if message["type"] == "final"), default=0.0)
    console.print(f"\n[bold]Transcript[/]\n{heard.text}\n")
    table = Table("figure", "value", title="What it took", title_justify="left")
    table.add_row("audio", f"{heard.audio_s:.1f} s")
    table.add_row("wrong words, of those that were spoken", f"{wrong} of {len(reference)}")
    table.add_row("a word shown after it was said, median", _milliseconds(percentile(shown, 50)))
    table.add_row("a word shown after it was said, 95 in 100 within", _milliseconds(percentile(shown, 95)))
    table.add_row("all text final after the end of the audio", _milliseconds(max(0.0, last_s - heard.sent_s)))
    table.add_row("real-time factor: processor time / length of the audio", f"{cpu_s / heard.audio_s:.2f}")
    console.print(table)


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.0f} ms"


if __name__ == "__main__":
    sys.exit(main())
