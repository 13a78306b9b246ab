"""Live captions in an SRT or VTT file that grows while somebody speaks, and is whole at every moment.

pip install websockets soundfile sounddevice        (sounddevice for the microphone only)
python client_examples/subtitles.py talk.srt --sound data/talk.flac
ffmpeg -loglevel error -re -i talk.mp4 -ac 1 -ar 16000 -f s16le - | python client_examples/subtitles.py talk.vtt --sound -
"""

from __future__ import annotations

import argparse
import asyncio
import html
import itertools
import os
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from client import Event, Final, Partial, Reconnecting, Rejected, Transcriber, TranscriberError, Warned, Word
from sound import Sound, SoundError, converse, file, microphone, pipe

WIDTH, LINES = 42, 2  # of a cue
LONGEST_S = 7.0


@dataclass(frozen=True, slots=True)
class Cue:
    """What is shown at once; seconds."""

    start: float
    end: float
    lines: tuple[str, ...]


def cues(words: Iterable[Word], after: float = 0.0) -> Iterator[Cue]:
    """Words in as few cues as will hold them; none begins before the one before it ends, nor `after`."""
    lines: list[str] = []
    start = end = after
    for word in itertools.chain.from_iterable(map(pieces, words)):
        if lines and word.end - start <= LONGEST_S and width(lines[-1] + word.text) <= WIDTH:
            lines[-1] += word.text
        elif lines and word.end - start <= LONGEST_S and len(lines) < LINES:
            lines.append(word.text.lstrip())
        else:
            if lines:
                yield Cue(start, end, tuple(lines))
            lines, start = [word.text.lstrip()], max(word.start, end)
        end = max(end, start + 0.001, min(word.end, start + LONGEST_S))
    if lines:
        yield Cue(start, end, tuple(lines))


def pieces(word: Word) -> Iterator[Word]:
    """The word, or parts of one that no line can hold, each with its share of the time."""
    if width(word.text.strip()) <= WIDTH:
        yield word
        return
    cut = len(word.text) // 2
    middle = (word.start + word.end) / 2
    yield from pieces(replace(word, text=word.text[:cut], end=middle))
    yield from pieces(replace(word, text=word.text[cut:], start=middle))


def width(text: str) -> int:
    """Columns: Chinese, Japanese and Korean characters take two."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def tail(text: str, columns: int) -> str:
    """As much of its end as fits."""
    return next((text[at:] for at in range(max(0, len(text) - columns), len(text)) if width(text[at:]) <= columns), "")


class CaptionFile:
    """Only what is final is written, each time by one write at the end of the file."""

    def __init__(self, path: Path, *, overwrite: bool) -> None:
        """Raises OSError, and ValueError for a name of another kind."""
        if path.suffix.lower() not in (".srt", ".vtt"):
            raise ValueError(f"{path}: expected a name that ends in .srt or .vtt")
        self._is_vtt = path.suffix.lower() == ".vtt"
        self._file = open(path, "wb" if overwrite else "xb", buffering=0)  # noqa: SIM115
        self._file.write(b"WEBVTT\n\n" if self._is_vtt else b"")
        self._count, self._end = 0, 0.0

    def add(self, words: Iterable[Word]) -> list[Cue]:
        """Write the cues of a final; gives them."""
        found = list(cues(words, self._end))
        self._file.write("".join(map(self._block, found)).encode())
        self._end = found[-1].end if found else self._end
        return found

    def close(self) -> None:
        """No more."""
        self._file.close()

    def _block(self, cue: Cue) -> str:
        self._count += 1
        text = "\n".join(cue.lines)
        text = html.escape(text, quote=False) if self._is_vtt else text.replace("-->", "->")
        return f"{self._count}\n{self._clock(cue.start)} --> {self._clock(cue.end)}\n{text}\n\n"

    def _clock(self, seconds: float) -> str:
        minutes, ms = divmod(round(seconds * 1000), 60_000)
        return f"{minutes // 60:02}:{minutes % 60:02}:{ms // 1000:02}{'.' if self._is_vtt else ','}{ms % 1000:03}"


def show(event: Event) -> None:
    """On a terminal: what is being said, on the last line."""
    match event:
        case Partial() if sys.stdout.isatty():
            print("\r\x1b[K\x1b[2m" + tail(event.text, shutil.get_terminal_size().columns - 1) + "\x1b[0m", end="", flush=True)
        case Rejected() | Warned():
            print(f"{event.code}: {event.message}", file=sys.stderr)
        case Reconnecting():
            print(f"reconnecting, try {event.attempt}: {event.reason}", file=sys.stderr)


def source(options: argparse.Namespace) -> Sound:
    """Where the sound comes from."""
    if options.sound is None:
        return microphone(options.device)
    return pipe() if options.sound == "-" else file(Path(options.sound), options.speed)


async def main(options: argparse.Namespace) -> None:
    """One session."""
    sound = source(options)
    settings = {"key": options.key, "language": options.language or None, "sample_rate": sound.rate, "channels": sound.channels}
    async with Transcriber(options.url, partials=sys.stdout.isatty(), **settings) as session:
        captions = CaptionFile(options.captions, overwrite=options.overwrite)
        print(f"writing {options.captions}; Ctrl-C ends", file=sys.stderr)
        try:
            async for event in converse(session, sound):
                show(event)
                for cue in captions.add(event.words) if isinstance(event, Final) else ():
                    print("\r\x1b[K" * sys.stdout.isatty() + f"{cue.start:7.2f}  {' '.join(cue.lines)}", flush=True)
        finally:
            captions.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Live captions in an SRT or VTT file that grows. Ctrl-C ends it.")
    parser.add_argument("captions", type=Path, help="the file to write: NAME.srt or NAME.vtt")
    parser.add_argument(
        "--sound", help="a sound file, played at its pace, or - for raw s16le, mono, 16 kHz from a pipe (default: microphone)"
    )
    parser.add_argument("--device", help="number of a microphone or a part of its name (default: the system's)")
    parser.add_argument("--speed", type=float, default=1.0, help="of a sound file: times the pace of speech (default: 1)")
    parser.add_argument("--overwrite", action="store_true", help="the file may be there already")
    parser.add_argument("--language", default="", help="such as en (default: found from what is said)")
    parser.add_argument("--url", default="ws://127.0.0.1:8000/v1/stream", help="default: %(default)s")
    parser.add_argument("--key", default=os.environ.get("STENOLINE_API_KEY", ""), help="API key (default: STENOLINE_API_KEY)")
    arguments = parser.parse_args()
    if not arguments.speed > 0:
        parser.error(f"--speed is {arguments.speed}, expected a number above 0")
    try:
        asyncio.run(main(arguments))
    except FileExistsError:
        sys.exit(f"error: {arguments.captions} is there already: another name, or --overwrite")
    except (OSError, ValueError, SoundError, TranscriberError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
