"""Caption rooms over real sockets: who gets in, what everybody gets, what happens at each bound."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from model.interfaces import Word
from server.auth import Refused
from server.captions import RoomLimits
from server.rooms import Rooms, checked
from streaming.errors import Overloaded, ProtocolViolation
from streaming.events import FinalTranscript
from tests.helpers import s16, talk
from tests.server.conftest import SPEECH, Peer, Running, Serve, wait_for
from tests.server.protocols.test_conformance import Indiscreet, assert_discreet
from tests.server.rest.conftest import Held
from tests.sounds import encoded

KEY = {"additional_headers": {"Authorization": "Bearer a-key-of-my-own-1"}}
OTHER = {"additional_headers": {"Authorization": "Bearer a-key-of-another"}}
ROOM = "/v1/captions/stage"
SPEAKER = f"{ROOM}?role=speaker"


def refused(running: Running, path: str, **options: Any) -> tuple[int, str]:
    with pytest.raises(InvalidStatus) as caught, connect(running.url(path), compression=None, **options):
        pass
    if caught.value.response.status_code == 503:
        assert int(caught.value.response.headers["retry-after"]) > 0
    return caught.value.response.status_code, json.loads(caught.value.response.body)["error"]["code"]


def say(peer: Peer, speech: bytes = SPEECH) -> None:
    peer.start()
    peer.socket.send(speech)
    peer.send("flush", marker="said")
    peer.until("flushed")


def stop(peer: Peer) -> None:
    peer.send("stop")
    peer.until("closed")


def until_end(peer: Peer) -> int | None:
    """All that comes, and the close code."""
    with pytest.raises(ConnectionClosed):
        while True:
            peer.hear()
    return peer.socket.close_code


def said(messages: list[dict[str, Any]], *left_out: str) -> list[dict[str, Any]]:
    return [{name: m[name] for name in m if name not in ("seq", "session", "at", *left_out)} for m in messages if m.get("words")]


def test_viewers_get_what_the_speaker_is_told(running: Running):
    with running.session(ROOM) as viewer, running.session(SPEAKER, **KEY) as speaker:
        assert viewer.until("room")["live"] is False
        say(speaker)
        assert viewer.until("speaker")["live"] is True
        viewer.until("final")
        stop(speaker)
        assert viewer.until("speaker")["live"] is False
    assert said(viewer.of("final")) == said(speaker.of("final"))
    session = speaker.of("ready")[0]["session"]
    assert {m["session"] for m in viewer.of("partial") + viewer.of("final")} == {session}
    assert viewer.of("final")[0]["at"] > 1_700_000_000


def test_who_comes_late_gets_the_past(running: Running):
    with running.session(SPEAKER, **KEY) as speaker:
        say(speaker)
        with running.session(ROOM) as viewer:
            about = viewer.until("room")
            assert about["live"] and said(about["history"]) == said(speaker.of("final"))
        stop(speaker)
    assert wait_for(lambda: running.service.admission.live == 0)
    with running.session(ROOM) as viewer:
        about = viewer.until("room")
        assert not about["live"] and said(about["history"]) == said(speaker.of("final"))


def test_twenty_viewers_get_the_same_and_numbers_are_told(running: Running):
    with ExitStack() as stack:
        viewers = [stack.enter_context(running.session(ROOM)) for _ in range(20)]
        with running.session(SPEAKER, **KEY) as speaker:
            say(speaker)
            while speaker.until("viewers")["viewers"] != 20:
                pass
            stop(speaker)
        for viewer in viewers:
            while viewer.hear() != {"type": "speaker", "live": False}:
                pass
        metrics = running.service.metrics.text()
    assert len({json.dumps(viewer.of("final")) for viewer in viewers}) == 1 and said(viewers[0].of("final"))
    assert all({"type": "viewers", "viewers": 20} in viewer.got for viewer in viewers)
    assert b"stenoline_viewers 20.0" in metrics and b"stenoline_rooms 1.0" in metrics
    assert wait_for(lambda: running.service.rooms.viewers == 0)


def test_a_viewer_that_reads_nothing_delays_nobody_and_is_closed(serve: Serve):
    running = serve(send_timeout_s=0.3)
    lines, speech, narrow = 80, s16(talk(0.3, 12.0, 0.8)), socket.socket()
    running._listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    narrow.connect(running._listener.getsockname())
    with running.session(SPEAKER, **KEY) as speaker, running.session(ROOM) as quick:
        with running.session(ROOM, sock=narrow, max_queue=1) as slow:
            speaker.start()
            for number in range(lines):
                speaker.socket.send(speech)
                speaker.send("flush", marker=str(number))
                assert speaker.until("flushed")["marker"] == str(number)
                quick.until("final")
            stop(speaker)
            assert wait_for(lambda: running.service.rooms.viewers == 1)
            assert until_end(slow) == 1013
    assert said(quick.of("final")) == said(speaker.of("final")) and len(quick.of("final")) == lines
    assert b'stenoline_errors_total{code="slow_viewer"} 1.0' in running.service.metrics.text()


def test_another_connection_with_the_key_takes_over_when_the_first_has_finished(serve: Serve):
    running = serve(max_sessions=1)
    with running.session(ROOM) as viewer, running.session(SPEAKER, **KEY) as first:
        first.start()
        first.socket.send(s16(talk(0.3, 1.5)))
        first.until("speech_started")
        with running.session(SPEAKER, **KEY) as second:
            error = first.until("error")
            assert (error["code"], error["fatal"]) == ("taken_over", True)
            assert until_end(first) == 1008 and first.of("final")[0]["text"]
            say(second)
            stop(second)
        while len(viewer.of("final")) < 2:
            viewer.hear()
    lives = [m["live"] for m in viewer.of("speaker")]
    assert lives[:3] == [True, False, True]
    assert [m["text"] for m in viewer.of("final")] == [peer.of("final")[0]["text"] for peer in (first, second)]


def test_the_last_words_of_a_speaker_who_vanishes_reach_the_room(running: Running):
    with running.session(ROOM) as viewer:
        with running.session(SPEAKER, **KEY) as speaker:
            speaker.start()
            speaker.socket.send(s16(talk(0.3, 1.5)))
            speaker.until("speech_started")
            speaker.socket.socket.close()
        assert viewer.until("final")["text"]
        assert viewer.until("speaker")["live"] is False
    assert wait_for(lambda: running.service.admission.live == 0)


def test_also_words_that_were_not_decoded_yet(running: Running):
    recorded = encoded(talk(0.3, 1.5, 0.5, 3.0, rate=48_000), "webm", 48_000)
    with running.session(ROOM) as viewer:
        for leave in (stop, lambda speaker: speaker.socket.socket.close()):
            with running.session(SPEAKER, close_timeout=0.1, **KEY) as speaker:
                speaker.start(format="container")
                speaker.socket.send(recorded)
                leave(speaker)
            while viewer.hear() != {"type": "speaker", "live": False}:
                pass
    finals = said(viewer.of("final"), "processing")
    half = len(finals) // 2
    assert half and finals[:half] == finals[half:]


def test_viewers_do_not_see_what_the_speaker_does_not(serve: Serve):
    running = serve(Indiscreet(), redact=("number",), profanity=False)
    with running.session(ROOM) as viewer, running.session(SPEAKER, **KEY) as speaker:
        speaker.start(text={"redact": ["card"]})
        for at in range(0, len(SPEECH), 16_000):
            speaker.socket.send(SPEECH[at : at + 16_000])
            speaker.send("keepalive")
        stop(speaker)
        while viewer.hear() != {"type": "speaker", "live": False}:
            pass
    assert_discreet(json.dumps(viewer.got))
    assert said(viewer.of("final")) == said(speaker.of("final"))


def test_the_first_key_makes_the_room_its_own(running: Running):
    with running.session(SPEAKER, **KEY) as speaker:
        speaker.start()
        assert refused(running, SPEAKER, **OTHER) == (403, "not_your_room")
        say(speaker)
        stop(speaker)
    assert refused(running, SPEAKER, **OTHER) == (403, "not_your_room")
    with running.session("/v1/captions/elsewhere?role=speaker", subprotocols=["bearer", "a-key-of-another"]) as speaker:
        assert speaker.socket.subprotocol == "bearer"


@pytest.mark.parametrize("key", [None, "", "fifteen-letters", "x" * 257])
def test_publishing_wants_a_key_of_some_length(running: Running, key: str | None):
    headers = {} if key is None else {"X-API-Key": key}
    assert refused(running, SPEAKER, additional_headers=headers) == (401, "unauthorized")
    assert len(running.service.rooms) == 0


SECRET = "bT7wq0vXk3mZ9aPf"  # 16 characters


def test_on_a_server_with_keys(serve: Serve):
    running = serve(keys=(b"first", b"second"))
    first, second = ({"additional_headers": {"X-API-Key": key}} for key in ("first", "second"))
    assert refused(running, SPEAKER, **KEY) == (401, "unauthorized")
    assert refused(running, ROOM) == (401, "unauthorized")
    for room in (ROOM, f"/v1/captions/{SECRET}"):
        with running.session(f"{room}?role=speaker", **first) as speaker:
            speaker.start()
            assert refused(running, f"{room}?role=speaker", **second) == (403, "not_your_room")
            with running.session(room, **second) as viewer:
                assert viewer.until("room")["live"]
    with running.session(f"/v1/captions/{SECRET}") as viewer:
        viewer.until("room")
    assert refused(running, f"/v1/captions/{SECRET[:-1]}") == (401, "unauthorized")


@pytest.mark.parametrize("role", ["viewer", "speaker"])
def test_hosts_and_origins_are_checked(running: Running, role: str):
    headers = KEY["additional_headers"] | {"Origin": "https://evil.example"}
    assert refused(running, f"{ROOM}?role={role}", additional_headers=headers) == (403, "origin_not_allowed")


@pytest.mark.parametrize("name", ["a.b", "a%20b", "x" * 65, "%C3%A9", "a%0Ab", "..."])
def test_names_that_cannot_be_used(running: Running, name: str):
    assert refused(running, f"/v1/captions/{name}") == (400, "invalid_value")
    with pytest.raises(ProtocolViolation, match="room is .*, expected 1 to 64 of A-Z"):
        checked(name)


def test_a_role_that_there_is_not(running: Running):
    assert refused(running, f"{ROOM}?role=singer") == (400, "invalid_value")


def test_a_server_may_have_no_rooms(serve: Serve):
    assert refused(serve(max_rooms=0), ROOM) == (404, "not_found")


def test_names_of_rooms_are_not_logged(running: Running, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    with running.session(f"/v1/captions/{SECRET}?role=speaker", **KEY) as speaker:
        say(speaker)
        refused(running, f"/v1/captions/{SECRET}?role=speaker", **OTHER)
        refused(running, f"/v1/captions/{SECRET}%0A")
    lines = [f"{r.getMessage()} {r.__dict__['fields']}" for r in caplog.records if r.name == "stenoline"]
    assert {line.split(" {")[0] for line in lines} >= {"session opened", "refused"} and SECRET not in str(lines)


def test_viewers_have_bounds(serve: Serve):
    running = serve(max_viewers=3, max_room_viewers=2)
    with running.session(ROOM), running.session(ROOM), running.session("/v1/captions/other"):
        assert refused(running, ROOM) == (503, "overloaded")
        assert refused(running, "/v1/captions/third") == (503, "overloaded")
    assert wait_for(lambda: running.service.rooms.viewers == 0)
    with running.session(ROOM) as viewer:
        viewer.until("room")


def test_rooms_have_a_bound_which_those_who_wait_do_not_reach(serve: Serve):
    running = serve(max_rooms=1)
    with running.session("/v1/captions/waiting"), running.session(SPEAKER, **KEY) as speaker:
        say(speaker)
        assert refused(running, "/v1/captions/second?role=speaker", **KEY) == (503, "overloaded")


def test_a_speaker_who_is_not_let_in_leaves_no_room_behind(serve: Serve):
    running = serve(max_sessions=1)
    with running.session() as peer, running.session(ROOM):
        peer.start()
        assert refused(running, SPEAKER, **KEY) == (503, "overloaded")
        stop(peer)
        assert wait_for(lambda: running.service.admission.live == 0)
        with running.session(SPEAKER, **OTHER) as speaker:
            say(speaker)


def test_the_server_says_when_it_goes(serve: Serve):
    running = serve()
    with running.session(ROOM) as viewer, running.session(SPEAKER, **KEY) as speaker:
        speaker.start()
        speaker.socket.send(s16(talk(0.3, 1.5)))
        speaker.until("speech_started")
        loop = running.server._loop
        assert loop is not None
        draining = asyncio.run_coroutine_threadsafe(running.service.drain(), loop)
        assert until_end(speaker) == 1012 and until_end(viewer) == 1012
        assert said(viewer.of("final")) == said(speaker.of("final"))
    draining.result(10)
    assert refused(running, ROOM) == (503, "shutting_down")


def test_who_comes_to_speak_while_the_server_goes_need_not_wait(serve: Serve):
    running = serve(recogniser := Held())
    with running.session(SPEAKER, **KEY) as speaker:
        speaker.start()
        speaker.socket.send(s16(talk(0.3, 1.5)))
        speaker.until("speech_started")
        loop = running.server._loop
        assert loop is not None
        draining = asyncio.run_coroutine_threadsafe(running.service.drain(), loop)
        speaker.until("warning")
        assert refused(running, SPEAKER, **KEY) == (503, "shutting_down")
        recogniser.let.set()
        assert until_end(speaker) == 1012
    draining.result(10)


class Hours:
    """A clock that is set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Nobody:
    def tell(self, message: str) -> None:
        pass

    def end(self, error: Exception) -> None:
        pass


async def speak(rooms: Rooms, name: str = "stage", owner: bytes = b"mine") -> None:
    async with rooms.turn(name, owner) as room:
        with room.spoken_in("s1", Nobody()):
            room.publish([FinalTranscript(0, (Word(" word", 0, 16_000, 0.9),), 0, 16_000)])


def test_rooms_are_forgotten_when_they_are_long_empty():
    clock = Hours()
    rooms = Rooms(RoomLimits(), clock)
    asyncio.run(speak(rooms))
    clock.now = 599.0
    rooms.tick()
    with pytest.raises(Refused, match="belongs to another key"):
        asyncio.run(speak(rooms, owner=b"theirs"))
    with rooms.seat("stage"):
        clock.now = 10_000.0
        rooms.tick()
        assert len(rooms) == 1
    clock.now += 600.0
    rooms.tick()
    assert len(rooms) == 0
    asyncio.run(speak(rooms, owner=b"theirs"))


def test_a_room_in_which_nothing_was_said_is_gone_with_the_last_who_leaves():
    rooms = Rooms(RoomLimits(max_rooms=1))
    with rooms.seat("a"), rooms.seat("b"), rooms.seat("a"):
        assert len(rooms) == 2
        asyncio.run(speak(rooms, "c"))
    assert len(rooms) == 1
    with pytest.raises(Overloaded, match="all 1 rooms are taken"):
        asyncio.run(speak(rooms, "a"))


def test_who_wait_to_speak_are_few():
    async def scenario() -> None:
        rooms = Rooms(RoomLimits(max_claimants=2))
        async with rooms.turn("stage", b"mine"):
            waiting = asyncio.create_task(speak(rooms))
            await asyncio.sleep(0)
            with pytest.raises(Overloaded, match="2 connections speak in this room or wait to"):
                await speak(rooms)
        await waiting
        await speak(rooms)

    asyncio.run(scenario())


def test_a_silent_speaker_leaves_nothing_but_keeps_a_room_that_is_watched(running: Running):
    with running.session(SPEAKER, **KEY) as speaker:
        speaker.start()
        stop(speaker)
    assert wait_for(lambda: len(running.service.rooms) == 0)
    with running.session(ROOM) as viewer:
        with running.session(SPEAKER, **KEY) as speaker:
            speaker.start()
            stop(speaker)
        while viewer.hear() != {"type": "speaker", "live": False}:
            pass
        assert refused(running, SPEAKER, **OTHER) == (403, "not_your_room")


def test_of_several_who_take_over_the_last_one_speaks():
    async def scenario() -> None:
        rooms, told = Rooms(RoomLimits()), list[str]()
        leave = asyncio.Event()

        async def one(name: str) -> None:
            async with rooms.turn("stage", b"mine") as room:
                with room.spoken_in(name, Nobody()):
                    told.append(name)
                    await leave.wait()

        tasks = []
        for name in ("first", "second", "third"):
            tasks.append(asyncio.create_task(one(name)))
            await asyncio.sleep(0)
        leave.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert told == ["first", "third"]
        assert [getattr(result, "code", None) for result in results] == [None, "taken_over", None]

    asyncio.run(scenario())


def test_the_room_stays_with_who_is_being_let_in_when_another_gives_up():
    async def scenario() -> None:
        rooms = Rooms(replace(RoomLimits(), take_over_s=0.0))
        async with rooms.turn("stage", b"mine"):
            with pytest.raises(Overloaded):
                await speak(rooms)
            with pytest.raises(Refused, match="belongs to another key"):
                await speak(rooms, owner=b"theirs")
        assert len(rooms) == 0

    asyncio.run(scenario())


def test_a_speaker_who_does_not_finish_keeps_the_room():
    async def scenario() -> None:
        rooms = Rooms(replace(RoomLimits(), take_over_s=0.0))
        async with rooms.turn("stage", b"mine") as room:
            with room.spoken_in("s1", Nobody()), pytest.raises(Overloaded, match="still being finished"):
                await speak(rooms)

    asyncio.run(scenario())
