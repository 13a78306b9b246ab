"""From settings to a recogniser that is warm, with progress for whoever waits."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from model.interfaces import Recogniser
from model.registry import load_recogniser, resolve
from server.config import BadSetting, Config
from server.protocols.fields import languages
from streaming.errors import ProtocolViolation
from streaming.text.style import TextStyle


def prepare(model: str, console: Console) -> Path:
    """The model's directory; a bar shows the first preparation of the embedded one."""
    columns = (TextColumn("preparing {task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(model, total=None, visible=False)
        return resolve(model, progress=lambda done, total: progress.update(task, completed=done, total=total, visible=True))


def spoken(config: Config, recogniser: Recogniser) -> tuple[str, ...]:
    """Languages of sessions that name none. Raises BadSetting."""
    try:
        return languages(config.language, recogniser.languages)
    except ProtocolViolation as error:
        raise BadSetting(str(error)) from None


def text_style(config: Config) -> TextStyle:
    """Of sessions that ask for none."""
    return TextStyle(config.script, config.spacing, config.itn, config.fillers, config.profanity, config.redact)


def load(config: Config, console: Console) -> list[Recogniser]:
    """Prepare, load, warm up: one recogniser for each device."""
    directory, loaded = prepare(config.model, console), []
    for device in [name.strip() for name in config.device.split(",") if name.strip()] or ["cpu"]:
        with console.status(f"loading {config.model} on {device}"):
            recogniser = load_recogniser(
                directory, device=device, precision=config.precision, policy=config.encoder_policy, threads=config.threads
            )
        with console.status(f"warming up {config.model} on {device}") as status:
            notices = recogniser.warm_up(lambda what, status=status: status.update(what))  # type: ignore[misc]
        for notice in notices:
            console.print(f"[yellow]notice[/] {notice}", highlight=False, soft_wrap=True)
        loaded.append(recogniser)
    return loaded
