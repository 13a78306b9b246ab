"""A viewer's socket: it only listens."""

from __future__ import annotations

import json

import pytest
from websockets.exceptions import ConnectionClosed

from tests.server.conftest import Peer, Running, wait_for

ROOM = "/v1/captions/stage"


def until_end(peer: Peer) -> int | None:
    with pytest.raises(ConnectionClosed):
        while True:
            peer.hear()
    return peer.socket.close_code


@pytest.mark.parametrize("message", ['{"type": "start"}', b"\0\0", "nonsense"])
def test_what_it_says_is_answered_and_ignored(running: Running, message: str | bytes):
    with running.session(ROOM) as viewer:
        viewer.socket.send(message)
        error = viewer.until("error")
        assert (error["code"], error["fatal"]) == ("read_only", False) and "role=speaker" in error["message"]
        assert running.service.admission.live == 0


def test_one_who_talks_a_lot_is_closed(running: Running):
    with running.session(ROOM) as viewer:
        for _ in range(19):
            viewer.socket.send("hello")
            viewer.until("error")
        viewer.socket.send("hello")
        assert until_end(viewer) == 1008
    assert wait_for(lambda: running.service.rooms.viewers == 0)


def test_long_messages_are_not_even_read(running: Running):
    with running.session(ROOM) as viewer:
        viewer.socket.send(json.dumps({"type": "x" * 5_000}))
        assert until_end(viewer) == 1009
    assert wait_for(lambda: running.service.rooms.viewers == 0)
