"""Log lines with a session id: for people, or as JSON for machines."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

_log = logging.getLogger("stenoline")


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created).strftime("%H:%M:%S")
        fields = "".join(f" {k}={v}" for k, v in getattr(record, "fields", {}).items())
        trace = "\n" + self.formatException(record.exc_info) if record.exc_info else ""
        return f"{time} {record.levelname.lower():7} {record.getMessage()}{fields}{trace}"


def configure(level: str, form: str) -> None:
    """Send our log lines, and what uvicorn has to complain about, to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Text())
    for name, least in (("stenoline", level.upper()), ("uvicorn", "WARNING")):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(least)


def log(level: int, event: str, fields: dict[str, object], exc_info: BaseException | None = None) -> None:
    """One line: what happened, and its fields. Never put a key or a transcript in it."""
    _log.log(level, event, exc_info=exc_info, extra={"fields": fields})


def info(event: str, **fields: object) -> None:
    """Log something ordinary."""
    log(logging.INFO, event, fields)


def warning(event: str, **fields: object) -> None:
    """Log something that should not happen often."""
    log(logging.WARNING, event, fields)


def failure(event: str, error: BaseException, **fields: object) -> None:
    """Log a fault of ours, with its traceback."""
    log(logging.ERROR, event, fields, error)
