"""pipecat's service for OpenAI's Realtime API, its URL changed: `python pipecat_openai.py WS_URL WAV`."""

from __future__ import annotations

import asyncio
import sys

from pipecat.services.openai.stt import OpenAIRealtimeSTTService
from pipecat_common import run

url, path = sys.argv[1:]
asyncio.run(run(OpenAIRealtimeSTTService(api_key="none", base_url=f"{url}/v1/realtime"), path))
