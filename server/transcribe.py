"""Files, not live: the same sessions, fed as fast as they are decoded, partials off."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress

from model.interfaces import Hotword, ModelFailure, Recogniser, Samples
from server.config import Config
from server.formats import FORMS, Finals
from server.hotwords import HotwordLists
from server.loading import load, spoken, text_style
from server.media import BadMedia, blocks, duration_s
from server.protocols.fields import only
from streaming.commands import Append, AudioFormat, Configure, Encoding, EndpointingConfig, SessionConfig
from streaming.events import ErrorEvent, FinalTranscript
from streaming.planner import PlannerConfig
from streaming.scheduler import Scheduler
from streaming.session import Session, SessionLimits
from streaming.timeline import samples, seconds

_PIECE = samples(100)  # of a microphone


def transcribe_files(config: Config, files: Sequence[Path], form: str, output: Path | None, console: Console) -> int:
    """Transcribe each file; one that cannot be read is named and does not spoil the others. Gives the exit code."""
    if output:
        output.mkdir(parents=True, exist_ok=True)
    recogniser = load(config, console)[0]
    failed = 0
    for path in files:
        try:
            text = FORMS[form](_with_progress(recogniser, config, path, console), path)
        except BadMedia as error:
            console.print(f"[bold red]error[/] {error}", highlight=False, soft_wrap=True)
            failed += 1
            continue
        if output:
            (output / f"{path.stem}.{form}").write_text(text, encoding="utf-8")
        else:
            print(text, end="", flush=True)
    return 1 if failed else 0


def _with_progress(recogniser: Recogniser, config: Config, path: Path, console: Console) -> Finals:
    total = duration_s(path)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(path.name, total=total)
        return transcribe(recogniser, config, path, lambda done: progress.update(task, completed=done))


def transcribe(
    recogniser: Recogniser,
    config: Config,
    path: Path,
    heard: Callable[[float], None] = lambda _: None,
    *,
    partials: bool = False,
    hotwords: Sequence[Hotword] = (),
) -> Finals:
    """The finals of a file; `heard` is told the seconds done. With partials as if from a microphone, without as fast as can be."""
    shared = HotwordLists(Path(config.hotwords) if config.hotwords else None, config.hotword_lists)
    limits = SessionLimits(planner=PlannerConfig(speculates=partials))
    session, finals, position = Session(path.name, limits, shared=shared), Finals(), 0
    endpointing = EndpointingConfig(config.silence_ms, config.no_speech_ms, config.max_utterance_ms)
    codes = spoken(config, recogniser)
    wanted = SessionConfig(
        AudioFormat(Encoding.F32LE),
        only(codes),
        tuple(hotwords),
        partials=partials,
        endpointing=endpointing,
        languages=codes,
        text=text_style(config),
    )
    session.receive(Configure(wanted), now=0.0)
    for block in blocks(path):
        for piece in _pieces(block) if partials else (block,):
            session.receive(Append(_bytes(piece)), now=0.0)
            finals += _settle(session, recogniser)
        position += len(block)
        heard(seconds(position))
    session.receive_eof(now=0.0)
    return finals + _settle(session, recogniser)


def _pieces(block: Samples) -> Iterable[Samples]:
    """As they come from a microphone."""
    return np.split(block, range(_PIECE, len(block), _PIECE))


def _bytes(samples: Samples) -> bytes:
    return samples.astype("<f4").tobytes()


def _settle(session: Session, recogniser: Recogniser) -> Finals:
    """Answer all that the session asks."""
    scheduler = Scheduler()
    while True:
        for utterance in session.streams_to_close():
            scheduler.forget(utterance)
            recogniser.close(utterance)
        for request in session.requests_to_submit(now=0.0):
            scheduler.submit(replace(request, is_patient=True), now=0.0)
        batch = scheduler.schedule(now=0.0)
        if not batch.requests:
            return _finals(session)
        for answer in recogniser.step(batch.requests):
            if isinstance(answer, ModelFailure):
                raise answer
            session.receive_hypothesis(answer, now=0.0)
        scheduler.complete(batch, now=0.0)


def _finals(session: Session) -> Finals:
    events = session.events_to_send()
    for event in events:
        if isinstance(event, ErrorEvent):
            raise event.error
    return [event for event in events if isinstance(event, FinalTranscript) and event.words]
