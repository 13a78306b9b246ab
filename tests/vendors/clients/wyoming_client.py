"""The wyoming package: `python wyoming_client.py tcp://HOST:PORT WAV`."""

from __future__ import annotations

import asyncio
import sys

from wav import Watch, paced, rate_of
from wyoming.asr import Transcribe, Transcript, TranscriptChunk, TranscriptStart, TranscriptStop
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncClient
from wyoming.info import Describe, Info
from wyoming.ping import Ping, Pong


async def main(url: str, path: str) -> None:
    watch, rate = Watch(), rate_of(path)
    async with AsyncClient.from_uri(url) as client:
        await client.write_event(Describe().event())
        info = Info.from_event(await client.read_event())
        assert info.asr and info.asr[0].models and "en" in info.asr[0].models[0].languages
        await client.write_event(Ping(text="a").event())
        assert Pong.from_event(await client.read_event()).text == "a"
        await client.write_event(Transcribe(language="en").event())
        await client.write_event(AudioStart(rate=rate, width=2, channels=1).event())

        async def send() -> None:
            async for piece in paced(path):
                await client.write_event(AudioChunk(rate=rate, width=2, channels=1, audio=piece).event())
            await client.write_event(AudioStop().event())

        sending, kinds, chunks, text = asyncio.create_task(send()), list[str](), "", ""
        while not kinds or not TranscriptStop.is_type(kinds[-1]):
            event = await asyncio.wait_for(client.read_event(), 120)
            assert event is not None, "the end came early"
            kinds.append(event.type)
            if TranscriptChunk.is_type(event.type):
                watch.shown()
                chunks += TranscriptChunk.from_event(event).text
            elif Transcript.is_type(event.type):
                text = Transcript.from_event(event).text
        await sending
    assert TranscriptStart.is_type(kinds[0]) and Transcript.is_type(kinds[-2]), kinds
    assert chunks == text, "the chunks are not the transcript"
    watch.report(text)


asyncio.run(main(*sys.argv[1:]))
