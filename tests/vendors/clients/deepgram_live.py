"""Deepgram's SDK, live: `python deepgram_live.py HTTP_URL WAV`. Every message must pass the SDK's class, strictly."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from deepgram import AsyncDeepgramClient
from deepgram.environment import DeepgramClientEnvironment
from deepgram.listen.v1 import ListenV1Metadata, ListenV1Results, ListenV1SpeechStarted, ListenV1UtteranceEnd
from wav import Watch, paced, rate_of

CLASSES: dict[str, Any] = {
    "Results": ListenV1Results,
    "Metadata": ListenV1Metadata,
    "SpeechStarted": ListenV1SpeechStarted,
    "UtteranceEnd": ListenV1UtteranceEnd,
}


async def main(url: str, path: str) -> None:
    ws, watch, finals, last = url.replace("http", "ws", 1), Watch(), list[Any](), ""
    places = DeepgramClientEnvironment(base=url, production=ws, agent=ws, agent_rest=url)
    client = AsyncDeepgramClient(api_key="none", environment=places)
    options = {"interim_results": "true", "vad_events": "true", "endpointing": "500", "utterance_end_ms": "1000", "language": "en"}
    async with client.listen.v1.connect(
        model="nova-3", encoding="linear16", sample_rate=str(rate_of(path)), channels="1", **options
    ) as connection:

        async def send() -> None:
            async for piece in paced(path):
                await connection.send_media(piece)
            await connection.send_keep_alive()
            await connection.send_close_stream()

        sending = asyncio.create_task(send())
        async for data in connection._websocket:
            content = json.loads(data)
            message = CLASSES[content["type"]].model_validate(content, strict=True)
            last = message.type
            if message.type == "Results":
                if message.channel.alternatives[0].transcript:
                    watch.shown()
                finals += [message] if message.is_final else []
        await sending
    assert last == "Metadata", f"the last message is {last}"
    for before, after in zip(finals, finals[1:], strict=False):
        assert abs(before.start + before.duration - after.start) < 1e-3, "finals leave a gap or overlap"
    watch.report(" ".join(f.channel.alternatives[0].transcript for f in finals if f.channel.alternatives[0].transcript))


asyncio.run(main(*sys.argv[1:]))
