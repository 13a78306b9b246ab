from __future__ import annotations

import requests

from bench.live import Server
from tests.server.conftest import Running, Serve


def info(running: Running, **headers: str) -> requests.Response:
    return requests.get(f"http://{running.address}/v1/info", headers=headers, timeout=10)


def test_a_server_of_tests_says_what_it_is(serve: Serve):
    answer = info(serve(max_file_mb=2, max_file_s=30.0)).json()
    assert (answer["name"], answer["model"], answer["languages"]) == ("stenoline", "scripted", [])
    assert answer["version"].count(".") == 2
    assert answer["hotwords"]["active"] is False and answer["hotwords"]["most"] == 1_000 and "gpu" in answer["hotwords"]["lists"]
    assert answer["recordings"] == {"most_bytes": 2 << 20, "most_s": 30.0}
    assert (answer["key_required"], answer["captions"]) == (False, True)


def test_no_key_is_needed_but_the_right_host_and_origin(serve: Serve):
    running = serve(keys=(b"right",), max_rooms=0)
    answer = info(running).json()
    assert (answer["key_required"], answer["captions"]) == (True, False)
    assert info(running, origin="https://evil.example").status_code == 403
    assert info(running, host="evil.example").status_code == 403


def test_the_real_model_favours_hotwords(live: Server):
    answer = requests.get(live.url.replace("ws:", "http:").replace("/v1/stream", "/v1/info"), timeout=10).json()
    assert answer["model"] == "whisper-base" and "en" in answer["languages"] and answer["hotwords"]["active"] is True
