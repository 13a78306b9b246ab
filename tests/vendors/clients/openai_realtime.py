"""OpenAI's own SDK as a client of /v1/realtime: `python openai_realtime.py BASE_URL WAV` prints one JSON object.

Runs under an interpreter of its own with `openai[realtime]` and nothing of this project. Streams the file (s16le, mono,
16 or 24 kHz) at four times the speed of speech, once with server_vad and once with commits of its own; every message must
pass the SDK's class for its type and come in the documented order. "text" is what came with server_vad.
"""

from __future__ import annotations

import asyncio
import base64
import copy
import json
import sys
import time
from typing import Any, get_args

from openai import AsyncOpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection
from openai.types.realtime import RealtimeServerEvent
from wav import PIECE_S, paced_pcm, pcm, rate_of

HEARD = "conversation.item.input_audio_transcription."


def classes() -> dict[str, Any]:
    """The SDK's class for each type of server event."""
    union = get_args(RealtimeServerEvent)[0]
    return {get_args(each.model_fields["type"].annotation)[0]: each for each in get_args(union)}


class Checked:
    """Every event so far, against the SDK's classes and the order that the reference gives."""

    def __init__(self) -> None:
        self.classes = classes()
        self.ids: set[str] = set()
        self.deltas: dict[str, str] = {}
        self.committed: list[str] = []
        self.stopped: set[str] = set()
        self.started: list[str] = []
        self.transcripts: dict[str, str] = {}
        self.kinds: list[str] = []
        self.errors: list[dict[str, Any]] = []
        self.first_partial_s: float | None = None
        self.began = time.monotonic()

    def take(self, data: bytes, sdk: Any) -> dict[str, Any]:
        raw: dict[str, Any] = json.loads(data)
        kind = raw["type"]
        expected = self.classes[kind]
        expected.model_validate(official(raw), strict=True)
        assert isinstance(sdk, expected), f"the SDK took {kind} for {type(sdk).__name__}"
        assert raw["event_id"] not in self.ids, "an event_id came twice"
        self.ids.add(raw["event_id"])
        self.kinds.append(kind)
        if len(self.kinds) == 1:
            assert kind == "session.created", kind
        if "item_id" in raw:
            self.take_item(kind, raw, raw["item_id"])
        if kind == "error":
            self.errors.append(raw["error"])
        return raw

    def take_item(self, kind: str, raw: dict[str, Any], item: str) -> None:
        assert item not in self.transcripts, f"{kind} after the item was completed"
        if kind == "input_audio_buffer.speech_started":
            assert set(self.started) <= set(self.committed), "speech started before the last one was committed"
            self.started.append(item)
        elif kind == "input_audio_buffer.speech_stopped":
            assert item in self.started and item not in self.committed
            self.stopped.add(item)
        elif kind == "input_audio_buffer.committed":
            assert item not in self.committed, "committed twice"
            assert raw["previous_item_id"] == (self.committed[-1] if self.committed else None)
            self.committed.append(item)
        elif kind == HEARD + "delta":
            assert raw["delta"] and raw["content_index"] == 0
            self.first_partial_s = self.first_partial_s or time.monotonic() - self.began
            self.deltas[item] = self.deltas.get(item, "") + raw["delta"]
        elif kind == HEARD + "completed":
            assert item in self.committed, "completed before it was committed"
            assert self.deltas.get(item, "") == raw["transcript"], (self.deltas.get(item), raw["transcript"])
            assert raw["usage"]["seconds"] > 0
            self.transcripts[item] = raw["transcript"]

    @property
    def text(self) -> str:
        return " ".join(text for item in self.committed if (text := self.transcripts[item]))


def official(raw: dict[str, Any]) -> dict[str, Any]:
    """With the one rate that the SDK knows: others are an extension."""
    shown = copy.deepcopy(raw)
    form = shown.get("session", {}).get("audio", {}).get("input", {}).get("format", {})
    if form.get("rate") in (8_000, 16_000, 48_000):
        form["rate"] = 24_000
    return shown


async def until(connection: AsyncRealtimeConnection, checked: Checked, kind: str) -> dict[str, Any]:
    while True:
        data = await asyncio.wait_for(connection.recv_bytes(), 120)
        raw = checked.take(data, connection.parse_event(data))
        if raw["type"] == kind:
            return raw


def settings(rate: int, turn_detection: dict[str, Any] | None) -> Any:
    return {
        "type": "transcription",
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": rate},
                "noise_reduction": {"type": "near_field"},
                "transcription": {"model": "gpt-4o-transcribe", "language": "en", "delay": "low"},
                "turn_detection": turn_detection,
            }
        },
        "include": ["item.input_audio_transcription.logprobs"],
    }


async def send(connection: AsyncRealtimeConnection, sound: bytes, rate: int) -> None:
    odd_step = int(PIECE_S * rate) * 2 - 1
    async for piece in paced_pcm(sound, rate, odd_step):
        await connection.input_audio_buffer.append(audio=base64.b64encode(piece).decode())


async def with_turns(client: AsyncOpenAI, sound: bytes, rate: int) -> Checked:
    """The server commits; what is left at the end the client commits."""
    checked = Checked()
    async with client.realtime.connect(extra_query={"intent": "transcription"}) as connection:
        await until(connection, checked, "session.created")
        turns = {"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 500}
        await connection.session.update(session=settings(rate, turns))
        shown = (await until(connection, checked, "session.updated"))["session"]["audio"]["input"]
        assert shown["turn_detection"].items() >= turns.items() and shown["transcription"]["language"] == "en"
        await connection.send({"type": "response.create", "event_id": "mine"})
        assert (await until(connection, checked, "error"))["error"]["event_id"] == "mine"
        checked.began = time.monotonic()
        sender = asyncio.create_task(send(connection, sound + bytes(2 * rate), rate))
        spoken = asyncio.create_task(until(connection, checked, "never"))
        await sender
        await connection.input_audio_buffer.commit(event_id="last")
        while not is_over(checked):
            assert not spoken.done(), spoken.result()
            await asyncio.sleep(0.05)
        spoken.cancel()
    assert checked.started and checked.stopped and set(checked.transcripts) == set(checked.committed)
    return checked


def is_over(checked: Checked) -> bool:
    """The last commit was answered, and all that is committed is transcribed."""
    by_client = [item for item in checked.committed if item not in checked.stopped]
    return bool(by_client or checked.errors[1:]) and set(checked.transcripts) == set(checked.committed)


async def with_commits(client: AsyncOpenAI, sound: bytes, rate: int) -> Checked:
    """Two commits, whatever the pauses."""
    checked, half = Checked(), len(sound) // 4 * 2
    async with client.realtime.connect(model="gpt-4o-transcribe", extra_query={"intent": "transcription"}) as connection:
        await connection.session.update(session=settings(rate, None))
        await until(connection, checked, "session.updated")
        for part in (sound[:half], sound[half:]):
            await send(connection, part, rate)
            await connection.input_audio_buffer.commit()
            await until(connection, checked, HEARD + "completed")
        await connection.input_audio_buffer.clear()
        await until(connection, checked, "input_audio_buffer.cleared")
    assert len(checked.committed) == len(checked.transcripts) == 2 and not checked.started and not checked.errors
    return checked


async def main(base_url: str, path: str) -> None:
    rate, sound = rate_of(path), pcm(path)
    base_url = base_url.rstrip("/")
    client = AsyncOpenAI(api_key="key", base_url=base_url if base_url.endswith("/v1") else base_url + "/v1")
    turns = await with_turns(client, sound, rate)
    commits = await with_commits(client, sound, rate)
    events = len(turns.kinds) + len(commits.kinds)
    report = {"text": turns.text, "first_partial_s": turns.first_partial_s, "events": events, "text_by_commits": commits.text}
    print(json.dumps(report, ensure_ascii=False))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
