"""As clients of vosk-server do it, a message and its answer in turn: `python vosk_loop.py WS_URL WAV`."""

from __future__ import annotations

import asyncio
import json
import sys

import websockets
from wav import Watch, paced, rate_of


async def main(url: str, path: str) -> None:
    watch, texts = Watch(), list[str]()
    async with websockets.connect(url) as socket:
        await socket.send(json.dumps({"config": {"sample_rate": rate_of(path), "words": True}}))
        async for piece in paced(path):
            await socket.send(piece)
            answer = json.loads(await asyncio.wait_for(socket.recv(), 60))
            assert set(answer) in ({"partial"}, {"text"}, {"text", "result"}), answer
            if answer.get("partial") or answer.get("text"):
                watch.shown()
            texts.append(answer.get("text", ""))
            if "result" in answer:
                assert " ".join(w["word"] for w in answer["result"]) == answer["text"]
        await socket.send('{"eof" : 1}')
        texts.append(json.loads(await asyncio.wait_for(socket.recv(), 120))["text"])
    watch.report(" ".join(text for text in texts if text))


asyncio.run(main(*sys.argv[1:]))
