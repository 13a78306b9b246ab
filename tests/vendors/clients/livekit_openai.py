"""LiveKit's plugin for OpenAI's Realtime API, its URL changed: `python livekit_openai.py HTTP_URL WAV`."""

from __future__ import annotations

import asyncio
import sys

from livekit.plugins import openai
from livekit_common import run

url, path = sys.argv[1:]
asyncio.run(run(lambda: openai.STT(api_key="none", base_url=f"{url}/v1", use_realtime=True), path))
