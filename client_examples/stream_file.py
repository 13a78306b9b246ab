"""Stream an audio file (WAV, FLAC, OGG) to Stenoline and print what it hears.

pip install websockets soundfile
python client_examples/stream_file.py data/talk.flac
"""

import argparse
import asyncio
import json
import os
import sys

import soundfile
import websockets


async def main(file: soundfile.SoundFile, options: argparse.Namespace) -> None:
    """One session: the file goes out, the words come in."""
    headers = {"Authorization": f"Bearer {options.key}"} if options.key else {}
    async with websockets.connect(options.url, additional_headers=headers) as socket:
        start = {"type": "start", "format": "s16le", "sample_rate": file.samplerate, "channels": file.channels}
        await socket.send(json.dumps({**start, "language": options.language or None}))
        answer = json.loads(await socket.recv())
        if answer.get("type") != "ready":
            raise ValueError(answer.get("message", "no /v1/stream is there"))
        await asyncio.gather(send(socket, file, options.speed), receive(socket))


async def send(socket: websockets.ClientConnection, file: soundfile.SoundFile, speed: float) -> None:
    """A tenth of a second at a time, as fast as a microphone would give it, or `speed` times as fast."""
    for block in file.blocks(file.samplerate // 10, dtype="float32"):
        await socket.send((block.clip(-1, 1) * 32767).astype("<i2").tobytes())
        await asyncio.sleep(0.1 / speed)
    await socket.send(json.dumps({"type": "stop"}))


async def receive(socket: websockets.ClientConnection) -> None:
    """Until the server closes."""
    async for message in socket:
        event = json.loads(message)
        if event["type"] in ("partial", "final") and event["text"]:
            print(f"{event['type']:8}{event['start']:7.2f}  {event['text']}", flush=True)
        elif event["type"] in ("error", "warning"):
            print(f"{event['type']}: {event['message']}", file=sys.stderr)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Stream an audio file to Stenoline and print what it hears.")
    parser.add_argument("file")
    parser.add_argument("--url", default="ws://127.0.0.1:8000/v1/stream", help="default: %(default)s")
    parser.add_argument("--key", default=os.environ.get("STENOLINE_API_KEY", ""), help="API key (default: STENOLINE_API_KEY)")
    parser.add_argument("--language", default="", help="such as en (default: found from the audio)")
    parser.add_argument("--speed", type=float, default=1.0, help="times the pace of speech (default: 1)")
    arguments = parser.parse_args()
    if not arguments.speed > 0:
        parser.error(f"--speed is {arguments.speed}, expected a number above 0")
    try:
        with open(arguments.file, "rb") as opened, soundfile.SoundFile(opened) as sound:
            asyncio.run(main(sound, arguments))
    except soundfile.LibsndfileError as error:
        sys.exit(f"error: {arguments.file}: {error.error_string} Expected WAV, FLAC or OGG.")
    except (OSError, ValueError, websockets.WebSocketException) as error:
        sys.exit(f"error: {arguments.file} to {arguments.url}: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
