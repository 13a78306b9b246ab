"""/v1/stream as text: messages in, messages out; the sockets are in test_app and test_connection."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.interfaces import Hotword
from server.protocols.base import ServerDefaults
from server.protocols.native import NativeAdapter
from streaming.commands import Append, Close, Configure, Encoding, EndpointingConfig, Finalize, Flush, KeepAlive
from streaming.errors import ProtocolViolation, TranscriptionError
from streaming.events import Closed, Event, UtteranceGap
from streaming.text.style import TextStyle
from tests.helpers import talk
from tests.server.conftest import Running
from tests.server.protocols.events import EVENTS
from tests.sounds import encoded

DOCUMENT = (Path(__file__).parents[3] / "docs" / "protocols" / "native.md").read_text()
KINDS = {"ready", "configured", "speech_started", "partial", "final", "speech_ended", "flushed", "warning", "error", "closed"}


def adapter(**defaults: Any) -> NativeAdapter:
    return NativeAdapter("abc", ServerDefaults(**defaults))


def parsed(**content: Any) -> Any:
    (command,) = adapter(languages=("en", "zh"), models=("whisper-base",)).parse(json.dumps(content))
    return command


def test_commands():
    assert adapter().opening() == []
    assert adapter().parse(b"ab") == [Append(b"ab")]
    assert parsed(type="finalize") == Finalize() and parsed(type="stop") == Close() and parsed(type="keepalive") == KeepAlive()
    assert parsed(type="flush", marker="m") == Flush("m") and parsed(type="flush") == Flush("")


def test_a_start_that_says_everything():
    command = parsed(
        type="start",
        model="whisper-base",
        format="mulaw",
        sample_rate=8000,
        channels=2,
        language="zh-CN",
        hotwords=["LoRA"],
        partials=False,
        endpointing={"silence_ms": 300, "no_speech_ms": 900, "max_utterance_ms": 20_000},
    )
    assert isinstance(command, Configure)
    config = command.config
    assert (config.audio.encoding, config.audio.sample_rate, config.audio.channels) == (Encoding.MULAW, 8000, 2)
    assert (config.language, config.hotwords, config.partials) == ("zh", (Hotword("LoRA"),), False)
    assert config.endpointing == EndpointingConfig(300, 900, 20_000)


def test_a_start_that_says_nothing_gets_the_servers_defaults():
    (command,) = adapter(language="en", endpointing=EndpointingConfig(silence_ms=700)).parse('{"type": "start"}')
    assert isinstance(command, Configure)
    assert command.config.language == "en" and command.config.endpointing.silence_ms == 700 and command.config.partials
    (command,) = adapter(language="en").parse('{"type": "start", "language": "auto"}')
    assert isinstance(command, Configure) and command.config.language is None


def test_languages_and_text_forms():
    text = {"script": "simplified", "itn": True, "fillers": False, "redact": ["email"]}
    made = adapter(languages=("en", "zh"), text=TextStyle(redact=("card",)))
    (command,) = made.parse(json.dumps({"type": "start", "language": ["zh-TW", "en"], "text": text}))
    assert isinstance(command, Configure)
    assert (command.config.language, command.config.languages) == (None, ("zh", "en"))
    assert command.config.text == TextStyle("simplified", True, True, False, True, ("card", "email"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("upper", 'text is "upper", expected an object'),
        ({"case": 1}, "text.case is 1, expected no such setting; known: script, spacing"),
        ({"script": "x"}, 'text.script is "x", expected one of simplified, traditional'),
        ({"itn": 1}, "itn is 1, expected true or false"),
        ({"redact": "email"}, 'redact is "email", expected a list of texts'),
    ],
)
def test_text_forms_that_there_are_not(text: object, message: str):
    with pytest.raises(ProtocolViolation, match=re.escape(message)):
        adapter().parse(json.dumps({"type": "start", "text": text}))


@given(st.text() | st.binary())
def test_any_message_gives_commands_or_a_documented_error(message: str | bytes):
    try:
        assert adapter().parse(message)
    except TranscriptionError as error:
        assert error.field and "expected" in error.message and f"`{error.code}`" in DOCUMENT


FIELDS = ["format", "sample_rate", "channels", "language", "hotwords", "partials", "endpointing", "model"]
VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.lists(st.text(max_size=4), max_size=2)


@given(st.dictionaries(st.sampled_from(FIELDS), VALUES | st.dictionaries(st.text(max_size=12), VALUES, max_size=2)))
def test_any_start_gives_a_configuration_or_a_named_field(content: dict[str, Any]):
    try:
        (command,) = adapter(languages=("en",)).parse(json.dumps({"type": "start", **content}))
        assert isinstance(command, Configure)
    except TranscriptionError as error:
        assert error.field and error.field.split(".")[0] in content and "expected" in error.message


@given(EVENTS)
def test_events_become_numbered_messages_of_documented_kinds(events: list[Event]):
    one = adapter()
    rendered = [json.loads(message) for event in events for message in one.render(event)]
    assert [m["seq"] for m in rendered] == list(range(1, len(rendered) + 1))
    assert {m["type"] for m in rendered} <= KINDS
    assert len(rendered) == sum(not isinstance(event, UtteranceGap) for event in events)
    for message in rendered:
        if message["type"] in ("partial", "final"):
            words = message["stable"] + message["unstable"] if message["type"] == "partial" else message["words"]
            assert message["text"] == "".join(word["text"] for word in words).strip()
            assert all(word.keys() == {"text", "start", "end", "confidence"} for word in words)


@given(EVENTS)
def test_every_field_is_documented(events: list[Event]):
    one = adapter()
    for message in (json.loads(m) for event in events for m in one.render(event)):
        for field in message:
            assert re.search(rf'[`"]{field}[`"]', DOCUMENT), f"{message['type']}.{field}"


@pytest.mark.parametrize("kind", sorted(KINDS | {"start", "configure", "flush", "finalize", "stop", "keepalive"}))
def test_every_kind_is_documented(kind: str):
    assert f"`{kind}`" in DOCUMENT or f'"type": "{kind}"' in DOCUMENT


def test_it_closes_as_the_session_says():
    assert adapter().closing(Closed(1012, "restarting", 0, 0, 0)) == (1012, "restarting")


def test_compressed_sound(running: Running):
    with running.session() as peer:
        assert peer.start(format="container")["config"]["format"] == "container"
        data = encoded(talk(0.3, 1.5, 1.2, rate=48_000), "webm", 48_000)
        for at in range(0, len(data), 1_000):
            peer.socket.send(data[at : at + 1_000])
        peer.send("start", format="s16le")
        assert "cannot change" in peer.until("error")["message"]
        peer.send("stop")
        closed = peer.until("closed")
    assert closed["audio"] == pytest.approx(3.0, abs=0.05) and closed["words"] > 0
