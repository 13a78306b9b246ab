"""From settings to a recogniser that is warm, with progress for whoever waits."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from model.interfaces import Recogniser
from model.registry import load_recogniser, resolve
from server.config import Config


def prepare(model: str, console: Console) -> Path:
    """The model's directory; a bar shows the first preparation of the embedded one."""
    columns = (TextColumn("preparing {task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(model, total=None, visible=False)
        return resolve(model, progress=lambda done, total: progress.update(task, completed=done, total=total, visible=True))


def load(config: Config, console: Console) -> Recogniser:
    """Prepare, load, warm up."""
    directory = prepare(config.model, console)
    with console.status(f"loading {config.model}"):
        precision = {f"{part}_precision": config.precision for part in ("encoder", "final", "decoder")}
        recogniser = load_recogniser(directory, device=config.device, threads=config.threads, **precision)
        recogniser.warm_up()
    return recogniser
