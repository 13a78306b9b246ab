from __future__ import annotations

import signal
import socket
from collections.abc import Iterator

import pytest

from model.scripted import ScriptedRecogniser
from server.app import Service
from server.config import BadSetting, Config
from server.run import DrainingServer, WebSocketProtocol, listen, uvicorn_config
from tests.helpers import s16, talk
from tests.server.conftest import Running, wait_for


def test_port_0_is_a_free_one():
    with listen("127.0.0.1", 0) as one, listen("127.0.0.1", 0) as two:
        assert one.getsockname()[1] != two.getsockname()[1]


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_ipv6():
    with listen("::1", 0) as listener:
        assert listener.family == socket.AF_INET6


def test_an_address_of_another_machine_is_named():
    with pytest.raises(BadSetting, match=r"cannot listen on host 192\.0\.2\.1, port 0: .*--host, --port"):
        listen("192.0.2.1", 0)


def test_a_signal_drains(running: Running):
    with running.session() as peer:
        peer.start()
        peer.socket.send(s16(talk(0.3, 1.5)))
        peer.until("speech_started")
        running.server.handle_exit(signal.SIGTERM, None)
        assert peer.until("closed")["code"] == 1012 and peer.of("final")[0]["text"]
    assert wait_for(lambda: running.server.should_exit) and not running.server.force_exit


def test_a_signal_before_it_serves_exits_at_once():
    service = Service(Config(), [ScriptedRecogniser()])
    server = DrainingServer(uvicorn_config(service), service)
    server.handle_exit(signal.SIGINT, None)
    assert server.should_exit and server.force_exit


FOLLOW = """GET /v1/captions/stage HTTP/1.1\r
Host: localhost\r
Connection: Upgrade\r
Upgrade: websocket\r
Sec-WebSocket-Version: 13\r
Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r
\r
"""


def frame(first: int, content: bytes = b"") -> bytes:
    """First byte: 0x80 for the last part of a message, and the kind; masked with noughts."""
    return bytes([first, 0x80 | len(content), 0, 0, 0, 0]) + content


@pytest.fixture
def follower(running: Running) -> Iterator[socket.socket]:
    """A viewer that nothing keeps from being rude."""
    with socket.create_connection(running.address.split(":")) as sock:
        sock.settimeout(10)
        sock.sendall(FOLLOW.encode())
        assert sock.recv(4_096).startswith(b"HTTP/1.1 101")
        yield sock


def protocol_of(running: Running) -> WebSocketProtocol:
    (found,) = [each for each in running.server.server_state.connections if isinstance(each, WebSocketProtocol)]
    return found


def test_pings_of_a_peer_that_does_not_read_pile_up_nowhere(running: Running, follower: socket.socket):
    for _ in range(100):
        follower.sendall(frame(0x89, b"x" * 125) * 1_000)
    assert protocol_of(running).transport.get_write_buffer_size() < 1 << 20


def test_parts_of_a_message_without_content_are_not_kept(running: Running, follower: socket.socket):
    follower.sendall(frame(0x01, b"he") + frame(0x00) * 1_000 + frame(0x00, b"llo"))
    follower.sendall(frame(0x89, b"are you there"))
    while b"are you there" not in follower.recv(4_096):
        pass
    assert protocol_of(running).frames == [b"he", b"llo"]
    follower.sendall(frame(0x80))
    while b"read_only" not in follower.recv(4_096):
        pass
