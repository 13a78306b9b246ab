"""The TCP port, with sockets."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from server.config import BadSetting, Config
from server.protocols.wyoming import Frame, Frames
from server.run import listen, listen_wyoming
from tests.helpers import s16, talk
from tests.server.conftest import Running, Serve, wait_for
from tests.server.protocols.test_wyoming import AUDIO, frame

SPEECH = s16(talk(0.3, 1.5, 1.2, 1.2, 0.5))


def free_port() -> int:
    with listen("127.0.0.1", 0) as listener:
        return int(listener.getsockname()[1])


class Peer:
    """A client."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection, self._frames, self._got = connection, Frames(), list[Frame]()

    def until(self, kind: str) -> list[Frame]:
        found: list[Frame] = []
        while True:
            while self._got:
                found.append(self._got.pop(0))
                if found[-1].kind == kind:
                    return found
            data = self.connection.recv(65_536)
            assert data, f"the end came before {kind}: {found}"
            self._got += self._frames.feed(data)


@contextmanager
def connected(running: Running) -> Iterator[Peer]:
    with socket.create_connection(("127.0.0.1", running.service.config.wyoming_port), timeout=20) as connection:
        yield Peer(connection)


@pytest.fixture
def running(serve: Serve) -> Running:
    made = serve(wyoming_port=free_port())
    assert wait_for(lambda: made.service.wyoming is not None)
    return made


def test_two_transcriptions_on_one_connection(running: Running):
    with connected(running) as peer:
        peer.connection.sendall(frame("describe"))
        assert peer.until("info")
        texts = []
        for _ in range(2):
            peer.connection.sendall(frame("transcribe", language="en") + frame("audio-start", **AUDIO))
            for at in range(0, len(SPEECH), 2_048):
                peer.connection.sendall(frame("audio-chunk", SPEECH[at : at + 2_048], **AUDIO))
            peer.connection.sendall(frame("audio-stop"))
            got = peer.until("transcript-stop")
            assert got[0].kind == "transcript-start" and got[-2].kind == "transcript"
            chunks = "".join(f.data["text"] for f in got if f.kind == "transcript-chunk")
            texts.append(got[-2].data)
            assert chunks == got[-2].data["text"] != "" and got[-2].data["language"] == "en"
    assert wait_for(lambda: running.service.admission.live == 0)
    assert len(texts) == 2


@pytest.mark.parametrize("junk", [b"GET / HTTP/1.1\r\n\r\n", b"\0" * 100_000, b'{"type": "x", "payload_length": 99999999999}\n'])
def test_junk_is_answered_and_let_go(running: Running, junk: bytes):
    with connected(running) as peer:
        peer.connection.sendall(junk)
        assert peer.until("error")
        assert peer.connection.recv(1) == b""
    with connected(running) as peer:
        peer.connection.sendall(frame("describe"))
        assert peer.until("info")


def test_no_place(serve: Serve):
    running = serve(wyoming_port=free_port(), max_sessions=1)
    assert wait_for(lambda: running.service.wyoming is not None)
    with connected(running) as first:
        first.connection.sendall(frame("describe"))
        first.until("info")
        with connected(running) as second:
            (error,) = second.until("error")
            assert error.data["code"] == "overloaded" and second.connection.recv(1) == b""


def test_the_bound_of_messages_cuts_no_frame(serve: Serve):
    running = serve(wyoming_port=free_port(), max_message_bytes=1_024)
    assert wait_for(lambda: running.service.wyoming is not None)
    with connected(running) as peer:
        for at in range(0, len(SPEECH), 20_000):
            peer.connection.sendall(frame("audio-chunk", SPEECH[at : at + 20_000], **AUDIO))
        peer.connection.sendall(frame("ping", text="\ud800") + frame("audio-stop"))
        got = peer.until("transcript-stop")
    assert "error" not in {f.kind for f in got} and got[-2].data["text"]
    assert [f.data["text"] for f in got if f.kind == "pong"] == ["?"]


def test_a_client_that_asks_and_never_reads_is_let_go(serve: Serve):
    running = serve(wyoming_port=free_port(), send_timeout_s=0.5)
    assert wait_for(lambda: running.service.wyoming is not None)
    with connected(running) as peer, pytest.raises(OSError):
        peer.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        while True:
            peer.connection.sendall(frame("describe") * 100)
    assert wait_for(lambda: running.service.admission.live == 0)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1"])
def test_it_is_not_open_to_everybody(host: str):
    with pytest.raises(BadSetting, match="--insecure"):
        listen_wyoming(Config(wyoming_port=5, wyoming_host=host))
    assert listen_wyoming(Config()) is None


def test_a_port_that_is_taken():
    with listen("127.0.0.1", 0) as listener, pytest.raises(BadSetting, match="wyoming_port .* --wyoming-host, --wyoming-port"):
        listen_wyoming(Config(wyoming_port=listener.getsockname()[1]))
