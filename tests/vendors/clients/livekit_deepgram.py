"""LiveKit's plugin for Deepgram, its URL changed: `python livekit_deepgram.py HTTP_URL WAV`."""

from __future__ import annotations

import asyncio
import sys

from livekit.plugins import deepgram
from livekit_common import run

url, path = sys.argv[1:]
asyncio.run(run(lambda: deepgram.STT(api_key="none", base_url=f"{url}/v1/listen"), path))
