"""Deepgram's SDK, a recording: `python deepgram_rest.py HTTP_URL WAV`."""

from __future__ import annotations

import sys
from pathlib import Path

from deepgram import DeepgramClient
from deepgram.environment import DeepgramClientEnvironment
from wav import Watch

url, path = sys.argv[1:]
watch, ws = Watch(), url.replace("http", "ws", 1)
client = DeepgramClient(api_key="none", environment=DeepgramClientEnvironment(base=url, production=ws, agent=ws, agent_rest=url))
found = client.listen.v1.media.transcribe_file(request=Path(path).read_bytes(), model="nova-3", language="en", utterances=True)
type(found).model_validate(found.model_dump())
(channel,) = found.results.channels
(best,) = channel.alternatives
assert found.metadata.duration > 1 and len(found.metadata.sha256) == 64
assert [w.start for w in best.words] == sorted(w.start for w in best.words)
assert " ".join(u.transcript for u in found.results.utterances) == best.transcript
assert client.auth.v1.tokens.grant().access_token
watch.shown()
watch.report(best.transcript)
