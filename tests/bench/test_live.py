from __future__ import annotations

import asyncio

import psutil
import pytest

from bench.latency import figures
from bench.live import Server, serving, stream_all
from bench.manifest import Clip
from tests.sounds import clip


def spoken(language: str, name: str) -> Clip:
    path, text = clip(language, name)
    return Clip(name, path, text, language, "synthetic", 1.5)


def test_a_server_that_does_not_start_says_why():
    with pytest.raises(RuntimeError, match="no-such-model"), serving("--model", "no-such-model"):
        pass


def test_the_process_ends_with_the_block():
    with serving() as server:
        assert server.cpu_s() > 0 and server.rss_mb() > 1
    assert not psutil.pid_exists(server.process.pid)


def test_streams_deal_the_clips_among_them(live: Server):
    clips = [spoken("en", "hello_world"), spoken("es", "hola_mundo"), spoken("fr", "bonjour_monde")]
    runs = asyncio.run(stream_all(live.url, clips, 2, give_language=True))
    assert sorted(run.clip.name for run in runs) == sorted(c.name for c in clips)
    assert [run.error for run in runs] == ["", "", ""]
    assert all(run.heard.text and run.heard.sent_s > 0 for run in runs)
    found = figures(runs)
    assert found["failed"] == 0 and found["word_error"] <= 0.5
    assert found["final_p95_s"] >= found["final_p50_s"] >= 0


def test_a_stream_that_fails_is_counted_not_raised():
    (run,) = asyncio.run(stream_all("ws://127.0.0.1:9/v1/stream", [spoken("en", "hello_world")], 1, give_language=True))
    assert "ConnectionRefusedError" in run.error
    assert figures([run])["failed"] == 1
