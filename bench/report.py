"""Tables for people, JSON for comparison."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def parser(description: str) -> argparse.ArgumentParser:
    """The options that all benches share."""
    options = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--manifest", type=Path, help="clips as JSON lines (default: the bundled talk)")
    options.add_argument("--language", default="", help="only clips of this language (default: all)")
    options.add_argument("--max-seconds", type=float, default=1e9, help="leave out longer clips, in s (default: none)")
    options.add_argument("--limit", type=int, default=10**9, help="first so many clips (default: all)")
    return options


def report(name: str, figures: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """Print the figures and write them with machine, commit and settings to bench/results/."""
    from rich.console import Console
    from rich.table import Table

    table = Table("figure", "value", title=name)
    for figure, value in figures.items():
        table.add_row(figure, "–" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value))
    Console().print(table)
    RESULTS.mkdir(exist_ok=True)
    content = {"bench": name, "at": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine(), "commit": commit()}
    content |= {"settings": {k: str(v) for k, v in settings.items()}, "figures": dict(figures)}
    (RESULTS / f"{name}.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def machine() -> dict[str, Any]:
    """What this runs on."""
    model = platform.processor()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model)
    return {"cpu": model, "cores": os.cpu_count(), "system": platform.system(), "python": platform.python_version()}


def commit() -> str:
    """Of the checkout."""
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=Path(__file__).parent)
    return done.stdout.strip() or "unknown"
