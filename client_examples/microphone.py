"""Speak, and see it written down while you speak. Ctrl-C ends it and waits for the last words.

pip install websockets sounddevice rich        (and, on Debian: apt-get install libportaudio2)
python client_examples/microphone.py
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys

from client import Event, Final, Partial, Reconnected, Reconnecting, Rejected, Transcriber, TranscriberError, Warned
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text
from sound import Sound, SoundError, converse, devices, microphone

METER = 20  # columns
QUIETEST_DB = -60.0


class Screen:
    """Finals scroll away; below them the sentence that is being said, and how the recording goes."""

    def __init__(self, console: Console, sound: Sound) -> None:
        self._console, self._sound = console, sound
        self._partial, self._trouble = Text(), ""
        self._behind_s: float | None = None

    def show(self, event: Event) -> None:
        """Take an event."""
        match event:
            case Partial():
                stable, unstable = ("".join(word.text for word in words) for words in (event.stable, event.unstable))
                self._partial = Text.assemble(stable.lstrip(), (unstable if stable else unstable.lstrip(), "dim"))
                self._behind_s = max(0.0, self._sound.sent_s - event.end)
            case Final():
                self._partial = Text()
                if event.text:
                    self._console.print(Text.assemble((f"{event.start:7.2f}  ", "cyan"), event.text))
            case Reconnecting():
                self._trouble = f"reconnecting, try {event.attempt}: {event.reason}"
            case Reconnected():
                self._trouble = ""
            case Rejected() | Warned():
                self._console.print(Text(f"{event.code}: {event.message}", "yellow"))

    def __rich__(self) -> RenderableType:
        """Drawn ten times a second."""
        return Group(self._partial, self._status())

    def _status(self) -> Text:
        sound, columns = self._sound, round(METER * (1 - max(self._sound.level_db, QUIETEST_DB) / QUIETEST_DB))
        line = Text.assemble(("█" * columns, "green"), ("░" * (METER - columns), "dim"), no_wrap=True, overflow="ellipsis")
        line.append(f"  {sound.sent_s // 60:02.0f}:{sound.sent_s % 60:02.0f}", "dim")
        if self._behind_s is not None:
            line.append(f"  {self._behind_s:.1f} s behind", "dim")
        if sound.dropped_s:
            line.append(f"  {sound.dropped_s:.1f} s lost", "red")
        return line.append("  " + (self._trouble or "Ctrl-C ends"), "yellow" if self._trouble else "dim")


async def main(options: argparse.Namespace) -> None:
    """One session."""
    console, sound = Console(highlight=False, soft_wrap=True), microphone(options.device)
    screen = Screen(console, sound)
    settings = {"key": options.key, "language": options.language or None, "hotwords": options.hotword}
    async with Transcriber(options.url, **settings) as session:
        live = Live(screen, console=console, refresh_per_second=10, transient=True)
        with live if console.is_terminal else contextlib.nullcontext():
            async for event in converse(session, sound):
                screen.show(event)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Speak, and see it written down. Ctrl-C ends it and waits for the last words.")
    parser.add_argument("--list", action="store_true", help="name the microphones and stop")
    parser.add_argument("--device", help="number of a microphone or a part of its name (default: the system's)")
    parser.add_argument("--language", default="", help="such as en (default: found from what is said)")
    parser.add_argument("--hotword", action="append", default=[], metavar="TERM", help="a term to listen for; may be repeated")
    parser.add_argument("--url", default="ws://127.0.0.1:8000/v1/stream", help="default: %(default)s")
    parser.add_argument("--key", default=os.environ.get("STENOLINE_API_KEY", ""), help="API key (default: STENOLINE_API_KEY)")
    arguments = parser.parse_args()
    try:
        print(devices()) if arguments.list else asyncio.run(main(arguments))
    except (SoundError, TranscriberError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
