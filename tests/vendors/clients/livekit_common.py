"""A speech plugin of LiveKit's agents, fed with a file: the final transcripts of its stream."""

from __future__ import annotations

import asyncio

import aiohttp
from livekit import rtc
from livekit.agents import stt, utils
from wav import Watch, paced, rate_of

QUIET_S = 4.0


async def run(make: object, path: str) -> None:
    """`make()` gives the plugin's STT."""
    watch, texts, rate = Watch(), list[str](), rate_of(path)
    async with aiohttp.ClientSession() as session:
        utils.http_context._ContextVar.set(lambda: session)
        plugin = make()  # type: ignore[operator]
        stream = plugin.stream()

        async def send() -> None:
            async for piece in paced(path):
                stream.push_frame(rtc.AudioFrame(piece, rate, 1, len(piece) // 2))
            silence = bytes(2 * rate // 10)
            for _ in range(20):  # a microphone goes on after the last word
                stream.push_frame(rtc.AudioFrame(silence, rate, 1, rate // 10))
                await asyncio.sleep(0.05)
            before = -1
            while before != len(texts):
                before = len(texts)
                await asyncio.sleep(QUIET_S)
            stream.end_input()
            await asyncio.sleep(0.5)
            await stream.aclose()

        sending = asyncio.create_task(send())
        async for event in stream:
            if event.type in (stt.SpeechEventType.INTERIM_TRANSCRIPT, stt.SpeechEventType.FINAL_TRANSCRIPT):
                watch.shown()
            if event.type == stt.SpeechEventType.FINAL_TRANSCRIPT:
                texts.append(event.alternatives[0].text.strip())
        await sending
        await plugin.aclose()
    assert texts, "nothing was heard"
    watch.report(" ".join(text for text in texts if text))
