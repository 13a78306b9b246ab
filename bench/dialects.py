"""How much later a word is shown through each live dialect than through the native one: the bundled talk, paced.

Median over the words, in ms. Realtime and Wyoming show only text that will not change: they are held against stable words.
"""

from __future__ import annotations

import asyncio
import base64
import json
import statistics
import time
from argparse import ArgumentParser
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
import websockets

from bench.live import serving
from bench.manifest import DATA
from bench.report import report
from bench.score import matched, tokens
from server.media import blocks
from server.protocols.wyoming import framed
from server.run import listen

Shown = list[tuple[float, str]]  # (seconds since the first sample was sent, all the text so far)
STABLE = ("openai_realtime", "wyoming")
_PIECE_S = 0.05


def main() -> None:
    """Run it."""
    options = ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=2, help="times each hears the talk (default: 2)")
    given = options.parse_args()
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
    with serving("--wyoming-port", str(port)) as server:
        base = server.url.removesuffix("/v1/stream")
        shown: dict[str, list[Shown]] = {}
        for _ in range(given.rounds):
            for name, found in asyncio.run(_round(base, port)).items():
                shown.setdefault(name, []).append(found)
    spoken = tokens(shown["native"][0][-1][1])
    figures = {
        name: _later(found, shown[_reference(name)], spoken) for name, found in shown.items() if not name.startswith("native")
    }
    report("dialects", figures, vars(given))


def _reference(name: str) -> str:
    return "native, stable" if name in STABLE else "native"


def _later(found: list[Shown], reference: list[Shown], spoken: list[str]) -> float:
    """Median over the words of how much later one is shown than in the other, in ms."""
    differences = []
    for one, other in zip(found, reference, strict=True):
        first, native = _first_shown(one, spoken), _first_shown(other, spoken)
        differences += [first[index] - native[index] for index in first.keys() & native.keys()]
    return 1000 * statistics.median(differences)


async def _round(base: str, port: int) -> dict[str, Shown]:
    """One dialect after the other, so that none waits for another's work."""
    native = await _native(base)
    found = {"native": native[0], "native, stable": native[1]}
    for name, run in DIALECTS.items():
        found[name] = await run(base if name != "wyoming" else str(port))
    return found


def _pcm(rate: int = 16_000) -> bytes:
    sound = np.concatenate(list(blocks(DATA / "talk.flac")))
    return (np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes()


async def _paced(started: float) -> AsyncIterator[bytes]:
    data, step = _pcm(), int(_PIECE_S * 16_000) * 2
    for at in range(0, len(data), step):
        await asyncio.sleep(max(0.0, started + (at + step) / 32_000 - time.monotonic()))
        yield data[at : at + step]


class _Text:
    """Finals, and the partial that is there."""

    def __init__(self) -> None:
        self.started, self.done, self.shown = time.monotonic(), "", Shown()

    def show(self, partial: str) -> None:
        self.shown.append((time.monotonic() - self.started, f"{self.done} {partial}"))

    def finish(self, text: str) -> None:
        self.done += f" {text}"
        self.show("")


async def _over(
    url: str, opening: list[str], wrap: Callable[[bytes], str | bytes], end: str | bytes, hear: Callable[[_Text, Any], None]
) -> Shown:
    """A session whose answers need no answer."""
    async with websockets.connect(url, compression=None, max_size=None) as socket:
        for message in opening:
            await socket.send(message)
        text = _Text()

        async def send() -> None:
            async for piece in _paced(text.started):
                await socket.send(wrap(piece))
            await socket.send(end)

        sending = asyncio.create_task(send())
        async for message in socket:
            hear(text, json.loads(message))
            if text.shown and json.loads(message).get("type") == "conversation.item.done" and sending.done():
                break
        await sending
        return text.shown


async def _native(base: str) -> tuple[Shown, Shown]:
    stable = _Text()

    def hear(text: _Text, message: Any) -> None:
        if message["type"] == "partial":
            text.show(message["text"])
            stable.show("".join(w["text"] for w in message["stable"]))
        if message["type"] == "final":
            text.finish(message["text"])
            stable.finish(message["text"])

    start = json.dumps({"type": "start", "language": "en"})
    stable.started = time.monotonic()
    found = await _over(f"{base}/v1/stream", [start], bytes, json.dumps({"type": "stop"}), hear)
    return found, stable.shown


async def _deepgram(base: str) -> Shown:
    def hear(text: _Text, message: Any) -> None:
        if message["type"] == "Results":
            said = message["channel"]["alternatives"][0]["transcript"]
            text.finish(said) if message["is_final"] else text.show(said)

    url = f"{base}/v1/listen?encoding=linear16&sample_rate=16000&interim_results=true&language=en"
    return await _over(url, [], bytes, '{"type": "CloseStream"}', hear)


async def _realtime(base: str) -> Shown:
    def hear(text: _Text, message: Any) -> None:
        kind = message["type"]
        if kind.endswith(".delta"):
            text.done += message["delta"]
            text.show("")
        if kind.endswith(".completed"):
            text.finish("")

    audio = {"input": {"format": {"type": "audio/pcm", "rate": 16_000}, "transcription": {"language": "en"}}}
    start = json.dumps({"type": "session.update", "session": {"type": "transcription", "audio": audio}})
    silence = json.dumps({"type": "input_audio_buffer.append", "audio": base64.b64encode(bytes(32_000)).decode()})

    def wrap(piece: bytes) -> str:
        return json.dumps({"type": "input_audio_buffer.append", "audio": base64.b64encode(piece).decode()})

    return await _over(f"{base}/v1/realtime?intent=transcription", [start], wrap, silence, hear)


async def _whisper_live(base: str) -> Shown:
    def hear(text: _Text, message: Any) -> None:
        for segment in message.get("segments", []):
            if not segment["completed"]:
                text.show(segment["text"])
            elif float(segment["end"]) > last[0]:
                last[0] = float(segment["end"])
                text.finish(segment["text"])

    last = [0.0]
    start = json.dumps({"uid": "a", "language": "en", "audio_format": "int16"})
    return await _over(f"{base}/whisper-live", [start], bytes, b"END_OF_AUDIO", hear)


async def _vosk(base: str) -> Shown:
    async with websockets.connect(f"{base}/vosk", compression=None) as socket:
        await socket.send('{"config": {"sample_rate": 16000}}')
        text = _Text()
        async for piece in _paced(text.started):
            await socket.send(piece)
            answer = json.loads(await socket.recv())
            text.finish(answer["text"]) if "text" in answer else text.show(answer["partial"])
        return text.shown


async def _wyoming(port: str) -> Shown:
    from server.protocols.wyoming import Frames

    audio = {"rate": 16_000, "width": 2, "channels": 1}
    reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
    writer.write(framed("transcribe", {"language": "en"}) + framed("audio-start", audio))
    text, frames = _Text(), Frames()

    async def send() -> None:
        async for piece in _paced(text.started):
            writer.write(framed("audio-chunk", audio, piece))
            await writer.drain()
        writer.write(framed("audio-stop", {}))

    sending = asyncio.create_task(send())
    while data := await reader.read(65_536):
        for each in frames.feed(data):
            if each.kind == "transcript-chunk":
                text.done += each.data["text"]
                text.show("")
            if each.kind == "transcript-stop":
                writer.close()
    await sending
    return text.shown


DIALECTS: dict[str, Callable[[str], Any]] = {
    "deepgram": _deepgram,
    "openai_realtime": _realtime,
    "whisper_live": _whisper_live,
    "vosk": _vosk,
    "wyoming": _wyoming,
}


def _first_shown(shown: Shown, spoken: list[str]) -> dict[int, float]:
    """When each word was first there, in s."""
    first: dict[int, float] = {}
    for at, text in shown:
        for index in matched(spoken, tokens(text)):
            first.setdefault(index, at)
    return first


if __name__ == "__main__":
    main()
