"""One real server with the embedded model for all tests that want one; it starts with the first of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.live import Server, serving
from tests.sounds import opening


@pytest.fixture(scope="session")
def live() -> Iterator[Server]:
    """`python -m server serve`, as its own process."""
    with serving() as server:
        yield server


@pytest.fixture(scope="session")
def talk_opening(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The first three sentences of the bundled talk: a sound file of about 12 s, and its words."""
    return opening(tmp_path_factory.mktemp("talk") / "opening.flac", sentences=3)
