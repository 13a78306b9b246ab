"""`make demo`: a server on a free port, the bundled talk through a real WebSocket, then what it took.

Needs the package installed (`make setup` does that); exits with 1 if the server could not be used.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from bench.live import serving
from bench.score import errors, tokens, word_latencies
from server.stream import Heard, converse

DATA = Path(__file__).parent.parent / "data"


def main() -> int:
    """Run the demo; gives the exit code."""
    console = Console()
    try:
        with contextlib.ExitStack() as stack:
            with console.status("starting a server"):
                server = stack.enter_context(serving())
            console.print(f"streaming [bold]data/talk.flac[/] to {server.url} at the pace of speech\n")
            _report(console, asyncio.run(converse(DATA / "talk.flac", server.url, language="en", console=console)))
    except (OSError, RuntimeError) as error:
        console.print(f"[bold red]error[/] {error}", highlight=False)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _report(console: Console, heard: Heard) -> None:
    reference = tokens((DATA / "talk.txt").read_text())
    shown = word_latencies(heard.messages)
    last = heard.messages[-1][0]
    console.print(f"\n[bold]Transcript[/]\n{heard.text}\n")
    table = Table("figure", "value", title="What it took")
    table.add_row("audio", f"{heard.audio_s:.1f} s")
    table.add_row(
        "word error rate against the text that was spoken", f"{100 * errors(reference, tokens(heard.text)) / len(reference):.1f} %"
    )
    table.add_row("a word shown after it was said, median", f"{median(shown) * 1000:.0f} ms")
    table.add_row("all text final after the end of the audio", f"{(last - heard.sent_s) * 1000:.0f} ms")
    table.add_row("real-time factor (of a live stream it is 1 plus the delay)", f"{last / heard.audio_s:.3f}")
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
