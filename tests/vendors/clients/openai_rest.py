"""OpenAI's SDK, a recording in each format: `python openai_rest.py HTTP_URL WAV`. JSON must pass the SDK's classes, strictly."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import openai
from openai import OpenAI
from openai.types import Model
from openai.types.audio import (
    Transcription,
    TranscriptionTextDeltaEvent,
    TranscriptionTextDoneEvent,
    TranscriptionVerbose,
)
from wav import Watch

url, path = sys.argv[1:]
watch, client = Watch(), OpenAI(api_key="none", base_url=f"{url}/v1", max_retries=0)
audio = Path(path)


def raw(**options: Any) -> Any:
    return json.loads(client.audio.transcriptions.with_raw_response.create(file=audio, language="en", **options).text)


plain = Transcription.model_validate(raw(model="whisper-1"), strict=True)
assert client.audio.transcriptions.create(file=audio, model="whisper-1", language="en").text == plain.text
sure = Transcription.model_validate(raw(model="gpt-4o-transcribe", response_format="json", include=["logprobs"]), strict=True)
assert sure.logprobs and "".join(each.token or "" for each in sure.logprobs).split() == plain.text.split()

verbose: Any = raw(model="whisper-1", response_format="verbose_json", timestamp_granularities=["word", "segment"])
verbose = TranscriptionVerbose.model_validate(verbose, strict=True)
assert verbose.language == "english" and " ".join(w.word for w in verbose.words) == plain.text == verbose.text
assert verbose.segments and verbose.duration > 1

for form, beginning in (("srt", "1\n00:00:0"), ("vtt", "WEBVTT\n\n"), ("text", plain.text)):
    text: Any = client.audio.transcriptions.create(file=audio, model="whisper-1", language="en", response_format=form)
    assert isinstance(text, str) and text.startswith(beginning), text[:100]

events: list[Any] = []
for event in client.audio.transcriptions.create(file=audio, model="gpt-4o-transcribe", language="en", stream=True):
    watch.shown()
    expected = TranscriptionTextDoneEvent if event.type == "transcript.text.done" else TranscriptionTextDeltaEvent
    assert isinstance(event, expected), f"{event.type} came as {type(event).__name__}"
    events.append(event)
*deltas, done = events
assert "".join(delta.delta for delta in deltas) == done.text == plain.text

models = client.models.list().data
assert models and all(isinstance(model, Model) for model in models) and client.models.retrieve(models[0].id).id == models[0].id
try:
    client.audio.transcriptions.create(file=("a.wav", b"no sound"), model="whisper-1")
    raise AssertionError("no sound was taken for sound")
except openai.BadRequestError as error:
    assert error.param == "file" and error.type == "invalid_request_error"
watch.report(plain.text)
