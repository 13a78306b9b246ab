"""Speak to Stenoline: the microphone goes out, words come back. Ctrl-C ends the session and waits for the last words.

pip install websockets sounddevice        (and, on Debian: apt-get install libportaudio2)
python client_examples/microphone.py
"""

import argparse
import asyncio
import json
import os
import signal
import sys
from typing import Any

import websockets

RATE = 16_000
BLOCK = RATE // 20
WAITING = 200  # blocks of 50 ms that wait for a slow network; beyond that the newest are dropped


async def main(options: argparse.Namespace, sounddevice: Any) -> None:
    """One session."""
    loop, blocks = asyncio.get_running_loop(), asyncio.Queue[bytes](WAITING)

    def recorded(data: Any, frames: int, time: Any, status: Any) -> None:
        """The sound card's thread calls this."""
        loop.call_soon_threadsafe(keep, blocks, bytes(data))

    headers = {"Authorization": f"Bearer {options.key}"} if options.key else {}
    microphone = sounddevice.RawInputStream(RATE, BLOCK, options.device, 1, "int16", callback=recorded)
    async with websockets.connect(options.url, additional_headers=headers) as socket:
        await socket.send(json.dumps({"type": "start", "sample_rate": RATE, "language": options.language or None}))
        with microphone:
            print("listening; Ctrl-C ends", file=sys.stderr)
            sending = asyncio.create_task(send(socket, blocks))
            loop.add_signal_handler(signal.SIGINT, sending.cancel)
            async for message in socket:
                show(json.loads(message))
        await asyncio.gather(sending, return_exceptions=True)


def keep(blocks: asyncio.Queue[bytes], block: bytes) -> None:
    """Queue it, unless the network is too far behind."""
    if blocks.full():
        print("the network is too slow: sound was dropped", file=sys.stderr)
    else:
        blocks.put_nowait(block)


async def send(socket: websockets.ClientConnection, blocks: asyncio.Queue[bytes]) -> None:
    """Until Ctrl-C cancels it."""
    try:
        while True:
            await socket.send(await blocks.get())
    except asyncio.CancelledError:
        await socket.send(json.dumps({"type": "stop"}))


def show(event: dict[str, Any]) -> None:
    """Partials overwrite each other, finals stay."""
    if event["type"] == "partial":
        print("\r\x1b[K" + event["text"][-78:], end="", flush=True)
    elif event["type"] == "final":
        print("\r\x1b[K" + event["text"], end="\n" if event["text"] else "", flush=True)
    elif event["type"] in ("error", "warning"):
        print(f"{event['type']}: {event['message']}", file=sys.stderr)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Speak to Stenoline.")
    parser.add_argument("--url", default="ws://127.0.0.1:8000/v1/stream", help="default: %(default)s")
    parser.add_argument("--key", default=os.environ.get("STENOLINE_API_KEY", ""), help="API key (default: STENOLINE_API_KEY)")
    parser.add_argument("--language", default="", help="such as en (default: found from what is said)")
    parser.add_argument("--device", type=int, help="number of the microphone, see `python -m sounddevice` (default: the system's)")
    arguments = parser.parse_args()
    try:
        import sounddevice
    except (ImportError, OSError) as error:  # OSError: the package is there, PortAudio is not
        sys.exit(
            f"error: no access to microphones ({error}): pip install sounddevice; on Debian also apt-get install libportaudio2"
        )
    try:
        asyncio.run(main(arguments, sounddevice))
    except (OSError, sounddevice.PortAudioError, websockets.WebSocketException) as error:
        sys.exit(f"error: {arguments.url}: {error}")
