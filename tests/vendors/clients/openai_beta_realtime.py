"""OpenAI's older SDK (1.x, `client.beta.realtime`) as a client of /v1/realtime: `python openai_beta_realtime.py BASE_URL WAV`.

Runs under an interpreter of its own with `openai[realtime]` 1.x and nothing of this project. Streams the file (s16le, mono,
16 or 24 kHz) at four times the speed of speech with the beta's flat settings, once through `transcription_session.update`
and once through `session.update`; every message must pass the SDK's class for its type. Prints one JSON object.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
from typing import Any, get_args

from openai import AsyncOpenAI
from openai.resources.beta.realtime.realtime import AsyncRealtimeConnection
from openai.types.beta.realtime import RealtimeServerEvent, TranscriptionSession
from wav import PIECE_S, paced_pcm, pcm, rate_of

HEARD = "conversation.item.input_audio_transcription."
CLASSES = {get_args(c.model_fields["type"].annotation)[0]: c for c in get_args(get_args(RealtimeServerEvent)[0])}


class Checked:
    """Every event so far, against the SDK's classes and the order of the beta."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.committed: list[str] = []
        self.stopped: set[str] = set()
        self.deltas: dict[str, str] = {}
        self.transcripts: dict[str, str] = {}
        self.refused = False  # there was nothing left to commit
        self.first_partial_s: float | None = None
        self.began = time.monotonic()

    def take(self, data: bytes) -> dict[str, Any]:
        raw: dict[str, Any] = json.loads(data)
        kind = raw["type"]
        if kind == "transcription_session.created":  # sent by the beta, not known to its SDK
            TranscriptionSession.model_validate(raw["session"], strict=True)
        else:
            CLASSES[kind].model_validate(raw, strict=True)
        self.events.append(raw)
        item = raw.get("item_id")
        assert item is None or item not in self.transcripts, f"{kind} after the item was completed"
        if kind == "input_audio_buffer.speech_stopped":
            self.stopped.add(item)
        elif kind == "input_audio_buffer.committed":
            assert raw["previous_item_id"] == (self.committed[-1] if self.committed else None)
            self.committed.append(item)
        elif kind == "conversation.item.created":
            assert raw["item"]["id"] == self.committed[-1], "an item was created that was not committed"
        elif kind == HEARD + "delta":
            self.first_partial_s = self.first_partial_s or time.monotonic() - self.began
            self.deltas[item] = self.deltas.get(item, "") + raw["delta"]
        elif kind == HEARD + "completed":
            assert item in self.committed and self.deltas.get(item, "") == raw["transcript"]
            self.transcripts[item] = raw["transcript"]
        elif kind == "error":
            assert raw["error"]["code"] == "input_audio_buffer_commit_empty", raw
            self.refused = True
        return raw

    @property
    def is_over(self) -> bool:
        """The last commit was answered, and all that is committed is transcribed."""
        by_client = [item for item in self.committed if item not in self.stopped]
        return bool(by_client or self.refused) and set(self.transcripts) == set(self.committed)

    @property
    def text(self) -> str:
        return " ".join(text for item in self.committed if (text := self.transcripts[item]))


async def until(connection: AsyncRealtimeConnection, checked: Checked, kind: str) -> dict[str, Any]:
    while True:
        raw = checked.take(await asyncio.wait_for(connection.recv_bytes(), 120))
        if raw["type"] == kind:
            return raw


async def stream(connection: AsyncRealtimeConnection, checked: Checked, sound: bytes, rate: int) -> None:
    checked.began = time.monotonic()
    spoken = asyncio.create_task(until(connection, checked, "never"))
    odd_step = int(PIECE_S * rate) * 2 - 1
    async for piece in paced_pcm(sound + bytes(2 * rate), rate, odd_step):
        await connection.input_audio_buffer.append(audio=base64.b64encode(piece).decode())
    await connection.input_audio_buffer.commit()
    while not checked.is_over:
        assert not spoken.done(), spoken.result()
        await asyncio.sleep(0.05)
    spoken.cancel()


def settings(rate: int) -> Any:
    return {
        "input_audio_format": "pcm16",
        "input_audio_params": {"sample_rate_hz": rate, "num_channels": 1},
        "input_audio_transcription": {"model": "whisper-1", "language": "en", "prompt": ""},
        "input_audio_noise_reduction": {"type": "near_field"},
        "turn_detection": {"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 500},
    }


async def transcription(client: AsyncOpenAI, sound: bytes, rate: int) -> Checked:
    """As a transcription session."""
    checked = Checked()
    async with client.beta.realtime.connect(model="whisper-1", extra_query={"intent": "transcription"}) as connection:
        await until(connection, checked, "transcription_session.created")
        await connection.transcription_session.update(session=settings(rate))
        shown = (await until(connection, checked, "transcription_session.updated"))["session"]
        assert shown["input_audio_transcription"] == {"model": "whisper-1", "language": "en"}
        await stream(connection, checked, sound, rate)
    return checked


async def conversation(client: AsyncOpenAI, sound: bytes, rate: int) -> Checked:
    """As a conversation that is only listened to."""
    checked = Checked()
    async with client.beta.realtime.connect(model="whisper-1") as connection:
        await until(connection, checked, "session.created")
        await connection.session.update(session=settings(rate))
        assert (await until(connection, checked, "session.updated"))["session"]["turn_detection"]["silence_duration_ms"] == 500
        await stream(connection, checked, sound, rate)
    return checked


async def main(base_url: str, path: str) -> None:
    rate, sound = rate_of(path), pcm(path)
    base_url = base_url.rstrip("/")
    base_url = base_url if base_url.endswith("/v1") else base_url + "/v1"
    sockets = "ws" + base_url.removeprefix("http")
    client = AsyncOpenAI(api_key="key", base_url=base_url, websocket_base_url=sockets)
    checked = await transcription(client, sound, rate)
    again = await conversation(client, sound, rate)
    assert any(event["type"] == "conversation.item.created" for event in checked.events)
    report = {"text": checked.text, "first_partial_s": checked.first_partial_s, "events": len(checked.events + again.events)}
    print(json.dumps({**report, "text_of_conversation": again.text}, ensure_ascii=False))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
