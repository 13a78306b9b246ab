"""Dictation: what you say is typed into the window that has the focus, or handed to an editor over a local socket.

pip install websockets sounddevice        (and to type: apt-get install xdotool; on Wayland wtype; elsewhere pip install pynput)
python client_examples/dictation.py
python client_examples/dictation.py --socket ~/.dictation        (then, to see it: nc -U ~/.dictation)

Words are typed once they are stable; --eager types them at once and corrects the unstable ones with backspaces. "new line" and
"new paragraph" (换行, 新段落), said on their own, do that.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Callable
from os.path import commonprefix
from pathlib import Path
from typing import Protocol

from client import Event, Final, Partial, Reconnecting, Rejected, Transcriber, TranscriberError, Warned
from sound import Sound, SoundError, converse, microphone, pipe

COMMANDS = {"new line": "\n", "new paragraph": "\n\n", "换行": "\n", "新段落": "\n\n"}
MOST_UNREAD = 65_536  # bytes that an editor has not taken; one that is slower is let go


class Fault(Exception):
    """Something is missing; the message says what."""


class Output(Protocol):
    """Where the words go."""

    async def take(self, event: Partial | Final) -> None:
        """Take what is heard of an utterance."""


class Typist:
    """Types with one of the system's tools."""

    def __init__(self, *, eager: bool) -> None:
        """Raises Fault if there is no tool."""
        self._type, self._erase = tool()
        self._eager = eager
        self._typed = ""  # of the present utterance
        self._is_first = True

    async def take(self, event: Partial | Final) -> None:
        """Go from what is typed to what is heard now."""
        if isinstance(event, Final):
            await self._become(spoken_command(event.text) or self._joined("".join(word.text for word in event.words)))
            self._is_first = self._is_first and not self._typed
            self._typed = ""
        else:
            words = event.stable + event.unstable if self._eager else event.stable
            await self._become(self._joined("".join(word.text for word in words)))

    def _joined(self, text: str) -> str:
        """Words bring the space before them; the very first needs none."""
        return text.lstrip() if self._is_first else text

    async def _become(self, text: str) -> None:
        kept = len(commonprefix([self._typed, text]))
        if wrong := len(self._typed) - kept:
            await run(self._erase(wrong))
        if text[kept:]:
            await run(self._type(text[kept:]))
        self._typed = text


def spoken_command(text: str) -> str:
    """What is to be typed for it, or nothing."""
    return COMMANDS.get(text.strip(" .,!。，！").lower(), "")


def tool() -> tuple[Callable[[str], list[str]], Callable[[int], list[str]]]:
    """Commands that type a text and that erase so many characters. Raises Fault."""
    if os.environ.get("WAYLAND_DISPLAY") and shutil.which("wtype"):
        return lambda text: ["wtype", "--", text], lambda n: ["wtype", *["-k", "BackSpace"] * n]
    if os.environ.get("DISPLAY") and shutil.which("xdotool"):
        return (
            lambda text: ["xdotool", "type", "--clearmodifiers", "--", text],
            lambda n: ["xdotool", "key", "--clearmodifiers", "--repeat", str(n), "BackSpace"],
        )
    try:
        import pynput.keyboard  # noqa: F401
    except ImportError as error:  # also where there is no display
        raise Fault(
            "no way to type: X11 needs apt-get install xdotool, Wayland apt-get install wtype, others pip install pynput;"
            " --socket works without"
        ) from error
    keyboard = [sys.executable, "-c", PYNPUT]
    return lambda text: [*keyboard, text, "0"], lambda n: [*keyboard, "", str(n)]


PYNPUT = """
import sys
from pynput.keyboard import Controller, Key
keyboard = Controller()
keyboard.type(sys.argv[1])
for _ in range(int(sys.argv[2])):
    keyboard.tap(Key.backspace)
"""


async def run(command: list[str]) -> None:
    """Raises Fault if it fails."""
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    _, said = await process.communicate()
    if process.returncode:
        raise Fault(f"{command[0]} failed: {said.decode(errors='replace').strip()}")


class Editors:
    """All that are connected to a Unix socket get a line of JSON for each partial and final."""

    def __init__(self) -> None:
        self.writers: set[asyncio.StreamWriter] = set()

    async def welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Keep an editor until it goes."""
        self.writers.add(writer)
        with contextlib.suppress(OSError):
            while await reader.read(1_024):
                pass
        self._leave(writer)

    async def take(self, event: Partial | Final) -> None:
        """Tell all."""
        content = {"type": type(event).__name__.lower(), "utterance": event.utterance, "text": event.text}
        if isinstance(event, Partial):
            content["stable"] = "".join(word.text for word in event.stable).lstrip()
        for writer in list(self.writers):
            writer.write(json.dumps(content, ensure_ascii=False).encode() + b"\n")
            if writer.transport.get_write_buffer_size() > MOST_UNREAD:
                self._leave(writer)

    def close(self) -> None:
        """No more words; what was told is still delivered."""
        for writer in self.writers:
            writer.close()

    def _leave(self, writer: asyncio.StreamWriter) -> None:
        self.writers.discard(writer)
        writer.transport.abort()


@contextlib.asynccontextmanager
async def output(options: argparse.Namespace) -> AsyncIterator[Output]:
    """The window or the socket. Raises Fault."""
    if options.socket is None:
        yield Typist(eager=options.eager)
        return
    if options.socket.exists() and not options.socket.is_socket():
        raise Fault(f"{options.socket} is there already, and is no socket")
    options.socket.unlink(missing_ok=True)  # of an earlier run
    os.umask(0o077)  # nobody else may listen
    editors = Editors()
    async with await asyncio.start_unix_server(editors.welcome, options.socket):
        try:
            yield editors
        finally:
            editors.close()
            options.socket.unlink(missing_ok=True)


def by_signal(sound: Sound) -> Sound:
    """Nothing is heard until SIGUSR1 comes, and again until the next one."""
    is_on, blocks = False, sound.blocks

    def toggle() -> None:
        nonlocal is_on
        is_on = not is_on
        print("listening" if is_on else "paused", file=sys.stderr, flush=True)

    async def heard() -> AsyncIterator[bytes]:
        async for block in blocks:
            yield block if is_on else bytes(len(block))

    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, toggle)
    print(f"paused; bind a key to: kill -USR1 {os.getpid()}", file=sys.stderr, flush=True)
    sound.blocks = heard()
    return sound


def tell(event: Event) -> None:
    """What the speaker should know."""
    match event:
        case Rejected() | Warned():
            print(f"{event.code}: {event.message}", file=sys.stderr)
        case Reconnecting():
            print(f"reconnecting, try {event.attempt}: {event.reason}", file=sys.stderr)


async def main(options: argparse.Namespace) -> None:
    """One session."""
    async with output(options) as words:
        sound = pipe() if options.pipe else microphone(options.device)
        sound = by_signal(sound) if options.push_to_talk else sound
        settings = {"key": options.key, "language": options.language or None, "hotwords": options.hotword}
        async with Transcriber(options.url, **settings) as session:
            print("dictate; Ctrl-C ends", file=sys.stderr, flush=True)
            async for event in converse(session, sound):
                tell(event)
                if isinstance(event, Partial | Final):
                    await words.take(event)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description="What you say is typed into the window that has the focus, or handed to an editor over a socket.",
        epilog='"new line" and "new paragraph", said on their own, are typed as such. Ctrl-C ends it and waits for the last words.',
    )
    parser.add_argument("--eager", action="store_true", help="type words at once, correct the unstable ones with backspaces")
    parser.add_argument(
        "--socket", type=Path, help='type nothing: lines like {"type": "final", "text": …} to all who connect to this Unix socket'
    )
    parser.add_argument("--push-to-talk", action="store_true", help="start paused; the signal SIGUSR1 begins and ends listening")
    parser.add_argument("--device", help="number of a microphone or a part of its name (default: the system's)")
    parser.add_argument("--pipe", action="store_true", help="raw s16le, mono, 16 kHz from standard input, not the microphone")
    parser.add_argument("--language", default="", help="such as en (default: found from what is said)")
    parser.add_argument("--hotword", action="append", default=[], metavar="TERM", help="a term to listen for; may be repeated")
    parser.add_argument("--url", default="ws://127.0.0.1:8000/v1/stream", help="default: %(default)s")
    parser.add_argument("--key", default=os.environ.get("STENOLINE_API_KEY", ""), help="API key (default: STENOLINE_API_KEY)")
    arguments = parser.parse_args()
    try:
        asyncio.run(main(arguments))
    except (OSError, Fault, SoundError, TranscriberError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
