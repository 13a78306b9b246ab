"""vosk's protocol: one answer for each piece of audio, at once, and nothing lost."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from server.protocols.base import ServerDefaults, Taken
from server.protocols.vosk import VoskAdapter
from streaming.commands import Configure, Finalize
from streaming.errors import TranscriptionError
from streaming.events import Closed, Flushed
from tests.helpers import s16, talk
from tests.server.conftest import Running
from tests.server.protocols.events import EVENTS

SPEECH = s16(talk(0.3, 1.5, 1.2, 1.2, 1.5))


@pytest.fixture(params=["/", "/vosk"])
def path(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def ask(socket: ClientConnection, message: str | bytes) -> dict[str, Any]:
    socket.send(message)
    answer: dict[str, Any] = json.loads(socket.recv(20))
    return answer


def lock_step(running: Running, path: str, audio: bytes, size: int = 8_000, **config: object) -> list[dict[str, Any]]:
    """As vosk's own test client does it."""
    with connect(running.url(path), compression=None) as socket:
        socket.send(json.dumps({"config": {"sample_rate": 16_000, **config}}))
        answers = [ask(socket, audio[at : at + size]) for at in range(0, len(audio), size)]
        answers.append(ask(socket, '{"eof" : 1}'))
        with pytest.raises(ConnectionClosed):
            socket.recv(10)
    return answers


def text(answers: list[dict[str, Any]]) -> str:
    return " ".join(a["text"] for a in answers if a.get("text"))


def test_a_conversation(running: Running, path: str):
    answers = lock_step(running, path, SPEECH)
    assert all(set(a) == {"partial"} or {"text"} <= set(a) for a in answers)
    results = [word for a in answers for word in a.get("result", [])]
    assert " ".join(word["word"] for word in results) == text(answers) != ""
    assert all(0 < word["conf"] <= 1 and word["start"] <= word["end"] for word in results)


def test_the_pieces_do_not_matter(running: Running):
    texts = {text(lock_step(running, "/vosk", SPEECH, size)) for size in (3_201, 16_000, len(SPEECH))}
    assert len(texts) == 1 and texts != {""}


def test_alternatives(running: Running):
    *_, last = lock_step(running, "/vosk", SPEECH[: 2 * 16_000 * 2], max_alternatives=3)
    assert set(last) == {"alternatives"} and 0 < last["alternatives"][0]["confidence"] <= 1


def test_reset_is_answered_with_what_was_said_and_begins_anew(running: Running):
    with connect(running.url("/vosk"), compression=None) as socket:
        socket.send('{"config": {"sample_rate": 16000}}')
        ask(socket, SPEECH[: 16_000 * 2])
        assert ask(socket, '{"reset" : 1}')["text"]
        assert ask(socket, '{"reset" : 1}') == {"text": ""}
        assert ask(socket, SPEECH[16_000 * 2 :]).keys() & {"partial", "text"}
        assert ask(socket, '{"eof": 1}')["text"]


def test_a_bad_setting_is_told_in_the_next_answer_and_the_session_goes_on(running: Running, path: str):
    with connect(running.url(path), compression=None) as socket:
        for rate in ("1000", "NaN", "1e999"):
            socket.send(f'{{"config": {{"sample_rate": {rate}}}}}')
            answer = ask(socket, SPEECH[:8_000])
            assert "sample_rate" in answer["error"] and "partial" in answer
        socket.send('{"config": {"words": 2}}')
        answer = ask(socket, '{"eof": 1}')
        assert "words" in answer["error"] and "text" in answer


def test_what_is_no_message_is_answered_too(running: Running, path: str):
    with connect(running.url(path), compression=None) as socket:
        ask(socket, SPEECH[:8_000])
        assert "error" in ask(socket, "x") and "error" in ask(socket, '{"hello": 1}')
        assert set(ask(socket, b"")) == {"partial"}


def test_the_settings_of_vosks_own_clients():
    adapter = VoskAdapter("s", ServerDefaults())
    first, second = adapter.parse('{"config": {"phrase_list": ["one two"], "sample_rate": 16000.0, "words": 0}}') + adapter.parse(
        '{"config": {"max_alternatives": 2}}'
    )
    assert isinstance(first, Configure) and isinstance(second, Configure)
    assert first.config == second.config and first.config.audio.sample_rate == 16_000 and first.config.hotwords
    (last,) = map(json.loads, adapter.render(Closed(1000, "", 0, 0, 0)))
    assert last == {"alternatives": [{"confidence": 0.0, "text": ""}]}


@pytest.mark.parametrize(
    "message",
    [
        '{"config": 1}',
        '{"config": {"words": 2}}',
        '{"config": {"max_alternatives": 99}}',
        "{}",
        "x",
        '{"config": {"phrase_list": [""]}}',
    ],
)
def test_what_cannot_be_understood(message: str):
    with pytest.raises(TranscriptionError):
        VoskAdapter("s", ServerDefaults()).parse(message)


@pytest.mark.parametrize(("phrases", "favoured"), [(["one two", "[unk]"], ["one two"]), (["one two " * 20], ["one", "two"])])
def test_phrases_are_favoured(phrases: list[str], favoured: list[str]):
    (configure,) = VoskAdapter("s", ServerDefaults()).parse(json.dumps({"config": {"phrase_list": phrases}}))
    assert isinstance(configure, Configure) and [h.text for h in configure.config.hotwords] == favoured


@given(st.lists(EVENTS | st.just([Taken(True)])).map(lambda parts: [event for part in parts for event in part]))
def test_each_piece_of_audio_each_reset_and_the_end_have_one_answer(events: list[Any]):
    adapter, answers = VoskAdapter("s", ServerDefaults()), 0
    for event in events:
        told = adapter.render(event)
        answers += len(told)
        assert len(told) == isinstance(event, Taken | Flushed | Closed) and all(isinstance(json.loads(t), dict) for t in told)
    assert answers == sum(isinstance(e, Taken | Flushed | Closed) for e in events)


def test_reset_is_a_finalize():
    assert VoskAdapter("s", ServerDefaults()).parse('{"reset": 1}') == [Finalize()]
