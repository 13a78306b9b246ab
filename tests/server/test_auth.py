"""Nobody gets in who does not belong: keys, origins, hosts, over a real server and before the upgrade."""

from __future__ import annotations

import http.client
import json
from contextlib import closing
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from server.auth import is_loopback, read_keys
from server.config import BadSetting, Config
from tests.server.conftest import Running, Serve

KEYS = (b"first-key", b"second-key")


def refused(running: Running, path: str = "/v1/stream", **options: object) -> tuple[int, str]:
    with pytest.raises(InvalidStatus) as caught, connect(running.url(path), compression=None, **options):  # type: ignore[arg-type]
        pass
    return caught.value.response.status_code, json.loads(caught.value.response.body)["error"]["code"]


def let_in(running: Running, **options: object) -> str | None:
    with running.session(**options) as peer:
        peer.start()
        return peer.socket.subprotocol


@pytest.mark.parametrize("name", ["Authorization", "authorization"])
@pytest.mark.parametrize("value", ["Bearer first-key", "bearer second-key", "Token first-key", "token  second-key"])
def test_a_key_in_the_header(serve: Serve, name: str, value: str):
    let_in(serve(keys=KEYS), additional_headers={name: value})


def test_a_key_in_its_own_header(serve: Serve):
    let_in(serve(keys=KEYS), additional_headers={"X-API-Key": "second-key"})


@pytest.mark.parametrize("marker", ["token", "bearer"])
def test_a_key_as_a_subprotocol_is_not_echoed(serve: Serve, marker: str):
    assert let_in(serve(keys=KEYS), subprotocols=[marker, "first-key"]) == marker


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"additional_headers": {"Authorization": "Bearer wrong"}},
        {"additional_headers": {"Authorization": "Bearer first-key2"}},
        {"additional_headers": {"Authorization": "Bearer first-ke"}},
        {"additional_headers": {"Authorization": "Bearer"}},
        {"additional_headers": {"Authorization": "Bearer "}},
        {"additional_headers": {"Authorization": "Basic first-key"}},
        {"additional_headers": {"Authorization": "first-key"}},
        {"additional_headers": {"X-API-Key": ""}},
        {"additional_headers": {"Authorization": "Bearer ключ".encode().decode("latin1")}},
        {"subprotocols": ["token", "wrong"]},
        {"subprotocols": ["first-key"]},
        {"subprotocols": ["token"]},
    ],
)
def test_no_key_or_a_wrong_one(serve: Serve, options: dict[str, object]):
    running = serve(keys=KEYS)
    assert refused(running, **options) == (401, "unauthorized")
    assert refused(running, "/v1/listen?encoding=linear16&sample_rate=16000", **options) == (401, "unauthorized")
    assert running.service.admission.live == 0


@pytest.mark.parametrize("offered", [["realtime", "KEY"], ["KEY", "realtime"], ["realtime", "KEY", "openai-beta.realtime-v1"]])
def test_a_key_as_openais_clients_give_it_in_browsers(serve: Serve, offered: list[str]):
    offered = [each.replace("KEY", "openai-insecure-api-key.first-key") for each in offered]
    assert let_in(serve(keys=KEYS), subprotocols=offered) == "realtime"


def test_a_real_key_may_look_like_a_short_one(serve: Serve):
    running = serve(keys=(b"ek_ours",))
    let_in(running, additional_headers={"Authorization": "Bearer ek_ours"})
    assert refused(running, additional_headers={"Authorization": "Bearer ek_other"}) == (401, "unauthorized")
    assert refused(serve(), additional_headers={"Authorization": "Bearer ek_over"}) == (401, "unauthorized")


def test_a_key_in_the_address_is_no_key(serve: Serve):
    assert refused(serve(keys=KEYS), "/v1/stream?token=first-key&api_key=first-key") == (401, "unauthorized")


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://localhost:3000", True),
        ("http://127.0.0.1", True),
        ("http://[::1]:5173", True),
        ("https://captions.example", True),
        ("https://CAPTIONS.example/", True),
        ("https://captions.example.evil.example", False),
        ("https://evil.example", False),
        ("http://captions.example", False),
        ("http://localhost.evil.example", False),
        ("null", False),
        ("http://[bad", False),
        ("", False),
        ("file://", False),
    ],
)
def test_pages_of_other_sites_are_kept_out(serve: Serve, origin: str, allowed: bool):
    running = serve(allow_origin=("https://captions.example",))
    if allowed:
        let_in(running, additional_headers={"Origin": origin})
    else:
        assert refused(running, additional_headers={"Origin": origin}) == (403, "origin_not_allowed")


def get(running: Running, path: str, **headers: str) -> int:
    with closing(http.client.HTTPConnection(running.address, timeout=10)) as connection:
        connection.putrequest("GET", path, skip_host=True)
        for name, value in ({"Host": running.address} | headers).items():
            connection.putheader(name, value)
        connection.endheaders()
        return connection.getresponse().status


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8000", 200),
        ("127.0.0.1", 200),
        ("[::1]:80", 200),
        ("captions.example", 200),
        ("evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("", 403),
        ("[bad", 403),
    ],
)
def test_names_that_only_pretend_to_be_this_machine(serve: Serve, host: str, status: int):
    """A page of another site whose name resolves here (DNS rebinding) still says its own name."""
    assert get(serve(allow_host=("captions.example",)), "/", Host=host) == status


def test_what_needs_a_key(serve: Serve):
    running = serve(keys=KEYS)
    assert [get(running, path) for path in ("/metrics", "/v1/models", "/docs")] == [401, 401, 401]
    assert [get(running, path) for path in ("/", "/v1/info", "/healthz", "/readyz")] == [200, 200, 200, 200]
    assert [get(running, path, Authorization="Bearer first-key") for path in ("/metrics", "/v1/models", "/docs")] == [200, 200, 200]


def test_an_open_address_needs_a_key_or_a_word():
    with pytest.raises(BadSetting, match=r"host is 0\.0\.0\.0, which others can reach: give --api-key-file .* or --insecure"):
        read_keys(Config(host="0.0.0.0"), {})
    assert read_keys(Config(host="0.0.0.0", insecure=True), {}) == ()
    assert read_keys(Config(host="0.0.0.0"), {"STENOLINE_API_KEY": "k"}) == (b"k",)
    assert read_keys(Config(), {}) == ()


def test_keys_in_a_file(tmp_path: Path):
    file = tmp_path / "keys"
    file.write_text("# ours\nfirst \n\n  second\n")
    assert read_keys(Config(api_key_file=str(file)), {"STENOLINE_API_KEY": "third"}) == (b"third", b"first", b"second")


@pytest.mark.parametrize(("content", "message"), [("# none\n\n", "holds no key"), (None, "cannot be read: No such file")])
def test_a_key_file_without_keys_is_refused(tmp_path: Path, content: str | None, message: str):
    file = tmp_path / "keys"
    if content is not None:
        file.write_text(content)
    with pytest.raises(BadSetting, match=message):
        read_keys(Config(api_key_file=str(file)), {})


@pytest.mark.parametrize(
    ("host", "expected"),
    [("localhost", True), ("127.0.0.1", True), ("127.8.9.1", True), ("::1", True), ("[::1]", True)]
    + [("0.0.0.0", False), ("::", False), ("10.0.0.1", False), ("example", False), ("", False), ("127.0.0.1.x", False)],
)
def test_loopback(host: str, expected: bool):
    assert is_loopback(host) is expected
