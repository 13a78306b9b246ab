"""A pipeline with one speech service, fed with a file: what the service pushes downstream is the transcript."""

from __future__ import annotations

import asyncio
import sys

from loguru import logger
from pipecat.frames.frames import (
    EndFrame,
    ErrorFrame,
    Frame,
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    TranscriptionFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.runner import PipelineRunner
from pipecat.pipeline.task import PipelineParams, PipelineTask
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from wav import SPEED, Watch, paced, rate_of

QUIET_S = 4.0
logger.remove()
logger.add(sys.stderr, level="WARNING")


class Listener(FrameProcessor):
    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self.watch, self.texts = watch, list[str]()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, InterimTranscriptionFrame | TranscriptionFrame):
            self.watch.shown()
        if isinstance(frame, TranscriptionFrame):
            self.texts.append(frame.text.strip())
        assert not isinstance(frame, ErrorFrame), frame
        await self.push_frame(frame, direction)


async def run(service: FrameProcessor, path: str) -> None:
    """As a transport with a detector of its own would feed it; the last words get a while to come."""
    watch = Watch()
    listener = Listener(watch)
    task = PipelineTask(
        Pipeline([service, listener]), params=PipelineParams(audio_in_sample_rate=rate_of(path)), idle_timeout_secs=None
    )

    async def feed() -> None:
        await task.queue_frame(VADUserStartedSpeakingFrame())
        async for piece in paced(path, SPEED):
            await task.queue_frame(InputAudioRawFrame(audio=piece, sample_rate=rate_of(path), num_channels=1))
        await task.queue_frame(VADUserStoppedSpeakingFrame())
        before = -1
        while before != len(listener.texts):
            before = len(listener.texts)
            await asyncio.sleep(QUIET_S)
        await task.queue_frame(EndFrame())

    feeding = asyncio.create_task(feed())
    await PipelineRunner(handle_sigint=False).run(task)
    await feeding
    assert listener.texts, "nothing was heard"
    watch.report(" ".join(listener.texts))
