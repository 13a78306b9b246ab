"""A live client for the terminal: streams a file at the pace of speech, shows partials turning into finals."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import websockets
from rich.console import Console
from rich.live import Live
from rich.text import Text

from server.media import BadMedia, blocks

_CHUNK_S = 0.1
_RATE = 16_000


@dataclass(slots=True)
class Heard:
    """What came back, and when: (seconds since the first sample was sent, message)."""

    messages: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    sent_s: float = 0.0  # when the last sample was sent
    audio_s: float = 0.0

    @property
    def text(self) -> str:
        """All finals."""
        return " ".join(m["text"] for _, m in self.messages if m["type"] == "final" and m["text"])


def stream_file(path: Path, url: str, key: str, language: str, speed: float) -> int:
    """Stream a file; gives the exit code."""
    console = Console()
    try:
        heard = asyncio.run(converse(path, url, key=key, language=language, speed=speed, console=console))
    except BadMedia as error:
        return _failed(console, str(error))
    except websockets.InvalidStatus as error:
        return _failed(console, f"{url}: HTTP {error.response.status_code}: {_reason(error.response.body)}")
    except (NotStarted, OSError, websockets.WebSocketException) as error:
        return _failed(console, f"{url}: {error}")
    return 0 if heard.messages and heard.messages[-1][1].get("code") == 1000 else 1


class NotStarted(Exception):
    """No session came about; says why."""


def _failed(console: Console, why: str) -> int:
    console.print(Text.assemble(("error", "bold red"), f" {why}"), highlight=False, soft_wrap=True)
    return 1


def _reason(body: bytes | bytearray | None) -> str:
    """Of a refusal, in the server's words if it is one of ours."""
    try:
        return str(json.loads(body or b"")["error"]["message"])
    except (ValueError, LookupError, TypeError):
        return "is this a Stenoline server?"


async def _begin(socket: websockets.ClientConnection, start: dict[str, Any]) -> dict[str, Any]:
    """Gives `ready`. Raises NotStarted."""
    await socket.send(json.dumps(start))
    answer = json.loads(await socket.recv())
    if not isinstance(answer, dict) or answer.get("type") != "ready":
        said = answer.get("message") if isinstance(answer, dict) else None
        raise NotStarted(said or "the native protocol is not spoken here; it is at /v1/stream")
    return answer


async def converse(path: Path, url: str, *, key: str = "", language: str = "", speed: float = 1.0, console: Console) -> Heard:
    """One session, shown on the console while it goes on."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    audio = np.concatenate(list(blocks(path)))
    heard = Heard(audio_s=len(audio) / _RATE)
    async with websockets.connect(url, additional_headers=headers, compression=None) as socket:
        start = {"type": "start", "format": "s16le", "sample_rate": _RATE, "language": language or None}
        ready = await _begin(socket, start)
        started = time.monotonic()
        heard.messages.append((0.0, ready))
        sender = asyncio.create_task(_send(socket, audio, speed, started, heard))
        with Live(console=console, auto_refresh=False, transient=True) as live:
            async for message in socket:
                content = json.loads(message)
                heard.messages.append((time.monotonic() - started, content))
                _show(live, content)
        await sender
    return heard


async def _send(
    socket: websockets.ClientConnection, audio: np.ndarray[Any, Any], speed: float, started: float, heard: Heard
) -> None:
    pcm = (np.clip(audio, -1, 1) * 32767).astype("<i2")
    step = int(_CHUNK_S * _RATE)
    for i in range(0, len(pcm), step):
        await socket.send(pcm[i : i + step].tobytes())
        due = started + min(i + step, len(pcm)) / _RATE / speed
        await asyncio.sleep(max(0.0, due - time.monotonic()))
    heard.sent_s = time.monotonic() - started
    await socket.send(json.dumps({"type": "stop"}))


def _show(live: Live, message: dict[str, Any]) -> None:
    """Finals scroll away; of the present utterance stable words plain, unstable ones dim."""
    match message["type"]:
        case "final":
            live.update("", refresh=True)
            if message["text"]:
                live.console.print(Text.assemble((f"{message['start']:7.2f}  ", "cyan"), (message["text"], "bold")))
        case "partial":
            stable, unstable = ("".join(w["text"] for w in message[kind]) for kind in ("stable", "unstable"))
            live.update(Text.assemble((f"{message['start']:7.2f} ", "cyan"), stable, (unstable, "dim")), refresh=True)
        case "error" | "warning":
            live.console.print(Text(f"{message['type']}: {message['message']}", "red"))
