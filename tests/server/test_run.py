from __future__ import annotations

import signal
import socket

import pytest

from model.scripted import ScriptedRecogniser
from server.app import Service
from server.config import BadSetting, Config
from server.run import DrainingServer, listen, uvicorn_config
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
