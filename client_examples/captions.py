"""Captions in a terminal: what is final scrolls away, the sentence being spoken stays on the last line.

pip install websockets
arecord -q -t raw -f S16_LE -r 16000 | python client_examples/captions.py
ffmpeg -loglevel error -re -i talk.mp4 -ac 1 -ar 16000 -f s16le - | python client_examples/captions.py
"""

import argparse
import asyncio
import json
import os
import shutil
import sys
import unicodedata
from typing import Any

import websockets

BLOCK = 3200  # bytes: a tenth of a second


async def main(options: argparse.Namespace) -> None:
    """One session: raw sound from standard input, captions to standard output."""
    headers = {"Authorization": f"Bearer {options.key}"} if options.key else {}
    async with websockets.connect(options.url, additional_headers=headers) as socket:
        await socket.send(json.dumps({"type": "start", "sample_rate": 16_000, "language": options.language or None}))
        answer = json.loads(await socket.recv())
        if answer.get("type") != "ready":
            raise ValueError(answer.get("message", "no /v1/stream is there"))
        await asyncio.gather(send(socket), receive(socket))


async def send(socket: websockets.ClientConnection) -> None:
    """Whatever comes, when it comes; at the end of the sound the session is stopped."""
    while block := await asyncio.to_thread(sys.stdin.buffer.read1, BLOCK):
        await socket.send(block)
    await socket.send(json.dumps({"type": "stop"}))


async def receive(socket: websockets.ClientConnection) -> None:
    """Until the server closes."""
    async for message in socket:
        show(json.loads(message))


def show(event: dict[str, Any]) -> None:
    """Stable words bright, unstable ones dim; without a terminal only finals."""
    live = sys.stdout.isatty()
    if event["type"] == "partial" and live:
        stable, unstable = ("".join(word["text"] for word in event[kind]) for kind in ("stable", "unstable"))
        hidden = overhang(stable + unstable, shutil.get_terminal_size().columns - 1)
        print(f"\r\x1b[K{stable[hidden:]}\x1b[2m{unstable[max(0, hidden - len(stable)) :]}\x1b[0m", end="", flush=True)
    elif event["type"] == "final":
        print(("\r\x1b[K" if live else "") + event["text"], end="\n" if event["text"] else "", flush=True)
    elif event["type"] in ("error", "warning"):
        print(f"{event['type']}: {event['message']}", file=sys.stderr)


def overhang(text: str, columns: int) -> int:
    """How many characters at its start do not fit; Chinese, Japanese and Korean ones take two columns."""
    for at in range(len(text), 0, -1):
        columns -= 2 if unicodedata.east_asian_width(text[at - 1]) in "WF" else 1
        if columns < 0:
            return at
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Captions of raw sound (s16le, mono, 16 kHz) from standard input.")
    parser.add_argument("--url", default="ws://127.0.0.1:8000/v1/stream", help="default: %(default)s")
    parser.add_argument("--key", default=os.environ.get("STENOLINE_API_KEY", ""), help="API key (default: STENOLINE_API_KEY)")
    parser.add_argument("--language", default="", help="such as en (default: found from the sound)")
    arguments = parser.parse_args()
    try:
        asyncio.run(main(arguments))
    except (OSError, ValueError, websockets.WebSocketException) as error:
        sys.exit(f"error: {arguments.url}: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
