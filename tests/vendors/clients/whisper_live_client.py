"""As WhisperLive's client does it, whose package wants torch: `python whisper_live_client.py WS_URL WAV`.

After the last piece it waits, silent, for the rest of the text, and only then says that this was the end.
"""

from __future__ import annotations

import array
import asyncio
import json
import sys
import uuid
from typing import Any

import websockets
from wav import Watch, paced, rate_of


def float32(piece: bytes) -> bytes:
    return array.array("f", [sample / 32_768 for sample in array.array("h", piece)]).tobytes()


async def main(url: str, path: str) -> None:
    assert rate_of(path) == 16_000
    watch, uid, kept, is_settled = Watch(), str(uuid.uuid4()), list[dict[str, Any]](), asyncio.Event()
    async with websockets.connect(url) as socket:
        await socket.send(json.dumps({"uid": uid, "language": "en", "task": "transcribe", "model": "small", "use_vad": True}))
        ready = json.loads(await asyncio.wait_for(socket.recv(), 60))
        assert (ready["uid"], ready["message"], ready["backend"]) == (uid, "SERVER_READY", "faster_whisper"), ready

        async def send() -> None:
            async for piece in paced(path):
                is_settled.clear()
                await socket.send(float32(piece))
            await asyncio.wait_for(is_settled.wait(), 15)
            await socket.send(b"END_OF_AUDIO")

        sending, last = asyncio.create_task(send()), ""
        async for data in socket:
            message = json.loads(data)
            assert message["uid"] == uid and "status" not in message, message
            last = message.get("message", "")
            for segment in message.get("segments", []):
                watch.shown()
                assert isinstance(segment["start"], str) and float(segment["start"]) <= float(segment["end"])
                (is_settled.set if segment["completed"] else is_settled.clear)()
                if segment["completed"] and (not kept or float(segment["start"]) >= float(kept[-1]["end"])):
                    kept.append(segment)
        await sending
    assert last == "DISCONNECT"
    watch.report(" ".join(segment["text"].strip() for segment in kept))


asyncio.run(main(*sys.argv[1:]))
