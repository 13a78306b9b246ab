"""pipecat's service for Deepgram, its URL changed: `python pipecat_deepgram.py WS_URL WAV`."""

from __future__ import annotations

import asyncio
import sys

from pipecat.services.deepgram.stt import DeepgramSTTService
from pipecat_common import run

url, path = sys.argv[1:]
asyncio.run(run(DeepgramSTTService(api_key="none", base_url=url), path))
