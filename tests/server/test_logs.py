from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from server import logs


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("stenoline", "uvicorn")]
    before = [(logger.handlers, logger.propagate, logger.level) for logger in loggers]
    yield
    for logger, (handlers, propagate, level) in zip(loggers, before, strict=True):
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


def written(capsys: pytest.CaptureFixture[str], level: str, form: str) -> list[str]:
    logs.configure(level, form)
    logs.info("session opened", session="abc", client="::1")
    logs.warning("client too slow", session="abc")
    try:
        raise RuntimeError("no such kernel")
    except RuntimeError as error:
        logs.failure("step failed", error, sessions=["abc"])
    return capsys.readouterr().err.splitlines()


def test_lines_for_people(capsys: pytest.CaptureFixture[str]):
    opened, slow, *failed = written(capsys, "info", "text")
    assert opened.endswith("info    session opened session=abc client=::1") and "warning client too slow" in slow
    assert "error   step failed" in failed[0] and "RuntimeError: no such kernel" in failed[-1]


def test_lines_for_machines(capsys: pytest.CaptureFixture[str]):
    opened, _, failed = map(json.loads, written(capsys, "info", "json"))
    assert (opened["event"], opened["level"], opened["session"]) == ("session opened", "info", "abc")
    assert opened["time"].endswith("+00:00") and "no such kernel" in failed["traceback"] and failed["sessions"] == ["abc"]


def test_what_is_less_severe_is_left_out(capsys: pytest.CaptureFixture[str]):
    assert "step failed" in written(capsys, "error", "text")[0]


def test_uvicorn_says_only_what_it_complains_about(capsys: pytest.CaptureFixture[str]):
    logs.configure("info", "text")
    logging.getLogger("uvicorn.error").info("Started server process")
    logging.getLogger("uvicorn.error").error("something broke")
    assert capsys.readouterr().err.count("\n") == 1
