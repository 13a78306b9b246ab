"""/v1/listen with the vendor's own SDK as the client; what it gets is validated with the SDK's own classes."""

from __future__ import annotations

import json
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from deepgram import DeepgramClient
from deepgram.environment import DeepgramClientEnvironment
from deepgram.listen.v1 import (
    ListenV1Error,
    ListenV1Metadata,
    ListenV1Results,
    ListenV1SpeechStarted,
    ListenV1UtteranceEnd,
)
from deepgram.listen.v1.types.listen_v1configure_failure import ListenV1ConfigureFailure
from deepgram.listen.v1.types.listen_v1configure_success import ListenV1ConfigureSuccess
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed, InvalidStatus

from model.interfaces import Hotword
from server.protocols.base import ServerDefaults
from server.protocols.deepgram import DeepgramAdapter
from streaming.commands import Append, Bias, Close, Configure, Encoding
from streaming.errors import TranscriptionError
from streaming.text.style import TextStyle
from tests.helpers import cut, s16, talk
from tests.server.conftest import Peer, Running, Serve, wait_for
from tests.server.protocols.events import EVENTS
from tests.sounds import encoded, opus_packets

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "websockets.* is deprecated", DeprecationWarning)  # the SDK knows old ones too
    import deepgram.listen.v1.client  # noqa: F401
    from deepgram.listen.v1.socket_client import V1SocketClient

CLASSES: dict[str, Any] = {
    "Results": ListenV1Results,
    "SpeechStarted": ListenV1SpeechStarted,
    "UtteranceEnd": ListenV1UtteranceEnd,
    "Metadata": ListenV1Metadata,
    "Error": ListenV1Error,
    "ConfigureSuccess": ListenV1ConfigureSuccess,
    "ConfigureFailure": ListenV1ConfigureFailure,
}
RAW = {"encoding": "linear16", "sample_rate": "16000"}
SPEECH = s16(talk(0.3, 1.5, 1.2, 1.2, 2.0))  # two utterances
SPEECH_S = 6.2


class Listener:
    """The SDK's connection, and everything that came over it."""

    def __init__(self, connection: V1SocketClient) -> None:
        self.connection = connection
        self.got: list[Any] = []

    def send(self, audio: bytes) -> None:
        for at in range(0, len(audio), 3_200):
            self.connection.send_media(audio[at : at + 3_200])

    def hear(self) -> Any:
        """The next message, as strictly as the SDK's classes have it."""
        content = json.loads(self.connection._websocket.recv(20))
        self.got.append(CLASSES[content["type"]].model_validate(content, strict=True))
        return self.got[-1]

    def until(self, kind: str, **having: object) -> Any:
        while True:
            message = self.hear()
            if message.type == kind and all(getattr(message, k) == v for k, v in having.items()):
                return message

    def to_the_end(self, code: int = 1000, reason: str = "") -> None:
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                self.hear()
        assert closed.value.rcvd is not None and (closed.value.rcvd.code, closed.value.rcvd.reason) == (code, reason)

    @property
    def finals(self) -> list[ListenV1Results]:
        return [m for m in self.got if m.type == "Results" and m.is_final]

    @property
    def interims(self) -> list[ListenV1Results]:
        return [m for m in self.got if m.type == "Results" and not m.is_final]


@contextmanager
def listening(running: Running, key: str = "none", **settings: str | list[str] | None) -> Iterator[Listener]:
    http, ws = f"http://{running.address}", f"ws://{running.address}"
    client = DeepgramClient(api_key=key, environment=DeepgramClientEnvironment(base=http, production=ws, agent=ws, agent_rest=http))
    given = {name: value for name, value in {**RAW, **settings}.items() if value is not None}
    with client.listen.v1.connect(model="nova-3", **given) as connection:
        yield Listener(connection)


def transcript(result: ListenV1Results) -> str:
    return str(result.channel.alternatives[0].transcript)


def assert_tiled(finals: list[ListenV1Results], duration: float) -> None:
    """Finals cover the audio clock without gaps."""
    assert finals[0].start == 0.0
    for before, after in pairwise(finals):
        assert after.start == pytest.approx(before.start + before.duration, abs=1e-6)
    assert finals[-1].start + finals[-1].duration == pytest.approx(duration, abs=1e-3)


def test_a_server_that_stops_ends_the_speech(running: Running) -> None:
    with running.session("/v1/listen?encoding=linear16&sample_rate=16000&interim_results=true") as peer:
        peer.socket.send(s16(talk(0.3, 1.5)))
        peer.until("Results")
        running.server.handle_exit(signal.SIGTERM, None)
        peer.until("Metadata")
    last = peer.of("Results")[-1]
    assert last["is_final"] and last["speech_final"] and last["channel"]["alternatives"][0]["transcript"]


def test_a_conversation(running: Running) -> None:
    with listening(running, interim_results="true", vad_events="true", utterance_end_ms="1000") as peer:
        peer.send(SPEECH)
        peer.connection.send_close_stream()
        peer.to_the_end()
    said = [r for r in peer.finals if transcript(r)]
    assert len(said) == 2 and all(r.speech_final for r in said)
    assert peer.interims and transcript(peer.interims[0])
    assert_tiled(peer.finals, SPEECH_S)
    for result in said:
        alternative = result.channel.alternatives[0]
        assert " ".join(str(word.punctuated_word) for word in alternative.words) == alternative.transcript
        assert 0 < alternative.confidence <= 1 and all(0 < word.confidence <= 1 for word in alternative.words)
        times = [t for word in alternative.words for t in (word.start, word.end)]
        assert times == sorted(times) and result.start <= times[0] and times[-1] <= result.start + result.duration
    kinds = [m.type for m in peer.got]
    assert kinds.count("SpeechStarted") == 2 and kinds.count("UtteranceEnd") == 2
    assert kinds.count("Metadata") == 1 and kinds[-1] == "Metadata"
    assert peer.got[-1].duration == pytest.approx(SPEECH_S, abs=1e-3)
    assert peer.connection._websocket.close_code == 1000


def test_utterance_end_comes_after_its_last_word(running: Running) -> None:
    with listening(running, interim_results="true", utterance_end_ms="1000") as peer:
        peer.send(SPEECH)
        end = peer.until("UtteranceEnd")
    last = [r for r in peer.finals if transcript(r)][-1].channel.alternatives[0].words[-1]
    assert end.last_word_end == last.end


def test_nothing_that_was_not_asked_for(running: Running) -> None:
    with listening(running) as peer:
        peer.send(SPEECH)
        peer.connection.send_close_stream()
        peer.to_the_end()
    assert peer.interims == [] and {m.type for m in peer.got} == {"Results", "Metadata"}


def test_finalize_is_answered_once_also_when_nothing_was_said(running: Running) -> None:
    with listening(running, interim_results="true") as peer:
        peer.connection.send_finalize()
        assert transcript(peer.until("Results", from_finalize=True)) == ""
        peer.send(s16(talk(0.3, 1.5)))
        peer.connection.send_finalize()
        result = peer.until("Results", from_finalize=True)
        assert transcript(result) and result.is_final and result.speech_final
        peer.connection.send_finalize()
        assert transcript(peer.until("Results", from_finalize=True)) == ""
        peer.connection.send_close_stream()
        peer.to_the_end()
    assert sum(bool(r.from_finalize) for r in peer.finals) == 3
    assert_tiled(peer.finals, 1.8)


def test_keep_alive_is_no_audio(running: Running) -> None:
    with listening(running) as peer:
        peer.connection.send_keep_alive()
        peer.send(SPEECH)
        peer.connection.send_keep_alive()
        peer.connection.send_close_stream()
        peer.to_the_end()
    assert peer.got[-1].duration == pytest.approx(SPEECH_S, abs=1e-3) and all(m.type != "Error" for m in peer.got)


def test_an_unknown_message_is_an_error_and_the_session_goes_on(running: Running) -> None:
    with listening(running) as peer:
        peer.connection._send({"type": "Sing"})
        error = peer.until("Error")
        assert "'Sing'" in error.description and "CloseStream" in error.description
        peer.send(SPEECH)
        peer.connection.send_close_stream()
        peer.to_the_end()
    assert any(transcript(r) for r in peer.finals)


def test_a_silent_client_gets_the_code_that_sdks_look_for(serve: Serve) -> None:
    with listening(serve(idle_s=1.0)) as peer:
        peer.to_the_end(1011, "NET-0001")
        assert (peer.connection._websocket.close_code, peer.connection._websocket.close_reason) == (1011, "NET-0001")


@pytest.mark.parametrize(
    ("settings", "field", "value"),
    [
        ({"diarize": "true"}, "diarize", "true"),
        ({"encoding": "g729"}, "encoding", "g729"),
        ({"sample_rate": "7999"}, "sample_rate", "7999"),
        ({"sample_rate": "fast"}, "sample_rate", "fast"),
        ({"channels": "9"}, "channels", "9"),
        ({"interim_results": "perhaps"}, "interim_results", "perhaps"),
        ({"endpointing": "20000"}, "endpointing", "20000"),
        ({"endpointing": "-1"}, "endpointing", "-1"),
        ({"utterance_end_ms": "20"}, "utterance_end_ms", "20"),
        ({"encoding": "webm", "multichannel": "true"}, "channels", "null"),
    ],
)
def test_a_setting_that_cannot_be_served_is_refused_before_the_upgrade(
    running: Running, settings: dict[str, str], field: str, value: str
) -> None:
    with pytest.raises(InvalidStatus) as refused, listening(running, **settings):
        pass
    response = refused.value.response
    assert response.status_code == 400
    assert field in response.headers["dg-error"] and value in response.headers["dg-error"] and response.headers["dg-request-id"]
    assert json.loads(response.body)["error"]["field"] == field


@pytest.mark.parametrize("form", ["webm", "opus", "ogg", "mp3", "flac", "wav", "aac"])
def test_a_container_is_told_by_its_content(running: Running, form: str) -> None:
    """In pieces cut anywhere, as a browser's recorder sends it; the same speech gives the same words."""
    data, texts = encoded(talk(0.3, 1.5, 1.2, 1.2, 2.0, rate=48_000), form, 48_000), []
    for sizes in ([4_096] * 1_000, [7, 1, 0 + 333] * 1_000):
        with listening(running, encoding=None, sample_rate=None) as peer:
            for piece in cut(data, sizes):
                if piece:
                    peer.connection.send_media(piece)
            peer.connection.send_close_stream()
            peer.to_the_end()
        finals = [m for m in peer.got if m.type == "Results" and m.is_final]
        texts.append(["".join(f.channel.alternatives[0].transcript) for f in finals if f.channel.alternatives[0].words])
        assert peer.got[-1].type == "Metadata" and peer.got[-1].duration == pytest.approx(6.2, abs=0.2)
    assert texts[0] == texts[1] and len(texts[0]) == 2


def test_finalize_tells_all_that_was_sent_before_it(running: Running) -> None:
    with listening(running, encoding="webm", sample_rate=None) as peer:
        peer.connection.send_media(encoded(talk(0.3, 1.5, rate=48_000), "webm", 48_000))
        peer.connection.send_finalize()
        assert peer.until("Results", from_finalize=True).channel.alternatives[0].words
        peer.connection.send_close_stream()
        peer.to_the_end()


def test_opus_packets(running: Running) -> None:
    with listening(running, encoding="opus", sample_rate="48000") as peer:
        for packet in opus_packets(talk(0.3, 1.5, 1.2, rate=48_000)):
            peer.connection.send_media(packet)
        peer.connection.send_close_stream()
        peer.to_the_end()
    assert any(m.type == "Results" and m.channel.alternatives[0].words for m in peer.got)


@pytest.mark.parametrize("encoding", [None, "opus"])
def test_what_is_no_sound_ends_the_stream_and_says_so(running: Running, encoding: str | None) -> None:
    with listening(running, encoding=encoding, sample_rate=None) as peer:
        peer.connection.send_media(b"no sound at all " * 2_000)
        peer.connection.send_close_stream()
        peer.to_the_end(code=1008, reason="DATA-0000")
    assert any(m.type == "Error" for m in peer.got)


def test_channels_are_kept_apart(running: Running) -> None:
    left, right = talk(0.3, 1.5, 3.0), talk(2.4, 1.2, 1.2)
    both = np.stack([left[: len(right)], right], 1)
    with listening(running, multichannel="true", channels="2", vad_events="true") as peer:
        peer.send(s16(both))
        peer.connection.send_close_stream()
        peer.to_the_end()
    finals = [m for m in peer.got if m.type == "Results" and m.is_final]
    for channel in (0, 1):
        own = [f for f in finals if f.channel_index == [channel, 2]]
        assert sum(bool(f.channel.alternatives[0].words) for f in own) == 1
        assert all(a.start + a.duration == pytest.approx(b.start, abs=1e-3) for a, b in pairwise(own))
    assert {tuple(m.channel) for m in peer.got if m.type == "SpeechStarted"} == {(0, 2), (1, 2)}
    assert [m.channels for m in peer.got if m.type == "Metadata"] == [2]
    assert wait_for(lambda: running.service.admission.live == 0)


@pytest.mark.parametrize("scheme", ["Token", "Bearer"])
def test_keys(serve: Serve, scheme: str) -> None:
    running = serve(keys=(b"right",))
    with running.session(f"/v1/listen?{'&'.join(f'{k}={v}' for k, v in RAW.items())}", additional_headers=auth(scheme, "right")):
        pass
    with listening(running, key="right") as peer:
        peer.connection.send_close_stream()
        peer.to_the_end()
    with pytest.raises(InvalidStatus) as refused, listening(running, key="wrong"):
        pass
    assert refused.value.response.status_code == 401


def auth(scheme: str, key: str) -> dict[str, str]:
    return {"Authorization": f"{scheme} {key}"}


def test_the_sdk_words_and_ours_agree(running: Running) -> None:
    with listening(running) as peer:
        peer.send(SPEECH)
        peer.connection.send_close_stream()
        peer.to_the_end()
    with running.session() as native:
        native.start()
        native.socket.send(SPEECH)
        native.send("stop")
        native.until("closed")
    assert [transcript(r) for r in peer.finals if transcript(r)] == heard(native)


def heard(peer: Peer) -> list[str]:
    return [final["text"] for final in peer.of("final")]


def made(**query: str) -> DeepgramAdapter:
    return DeepgramAdapter("id", ServerDefaults(), list({**RAW, **query}.items()))


@pytest.mark.parametrize(
    ("name", "encoding"),
    [("linear16", Encoding.S16LE), ("linear32", Encoding.F32LE), ("mulaw", Encoding.MULAW), ("alaw", Encoding.ALAW)],
)
def test_encodings(name: str, encoding: Encoding) -> None:
    (configure,) = made(encoding=name, channels="2").opening()
    assert isinstance(configure, Configure)
    assert (configure.config.audio.encoding, configure.config.audio.channels) == (encoding, 2)


def test_settings_become_a_configuration() -> None:
    (configure,) = made(language="en-GB", endpointing="30", utterance_end_ms="1500", interim_results="true").opening()
    assert isinstance(configure, Configure)
    config = configure.config
    assert (config.language, config.partials, config.endpointing.silence_ms, config.endpointing.word_gap_ms) == (
        "en",
        True,
        100,
        1500,
    )


def test_what_is_to_be_favoured() -> None:
    query = [*RAW.items(), ("keyterm", "ISO:9001"), ("keywords", "nickel:2"), ("keywords", "NCCL"), ("keywords", "a:b")]
    (configure,) = DeepgramAdapter("id", ServerDefaults(), query).opening()
    assert isinstance(configure, Configure)
    assert configure.config.hotwords == (Hotword("ISO:9001"), Hotword("nickel", 2.0), Hotword("NCCL"), Hotword("a:b"))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ([("language", "multi")], ()),
        ([("language", "multi"), ("language_hint", "en-US"), ("language_hint", "de")], ("en", "de")),
        ([("language_hint", "de")], ("de",)),
        ([("language", "en"), ("language_hint", "de")], ("en",)),
        ([], ("zh",)),
    ],
)
def test_languages(query: list[tuple[str, str]], found: tuple[str, ...]) -> None:
    (configure,) = DeepgramAdapter("id", ServerDefaults("zh"), [*RAW.items(), *query]).opening()
    assert isinstance(configure, Configure) and configure.config.languages == found


def test_what_a_configure_leaves_out_stays() -> None:
    adapter = made(keyterm="NCCL", filler_words="false")
    assert adapter.parse('{"type": "Configure", "keyterms": null}') == [Bias((Hotword("NCCL"),))]
    before, after = adapter.parse('{"type": "Configure", "features": {"numerals": true, "punctuate": true}}')
    assert isinstance(before, Configure) and before.config.text == TextStyle(itn=True, fillers=False)
    assert before.config.hotwords == (Hotword("NCCL"),) and after == Bias((Hotword("NCCL"),))
    assert adapter.parse('{"type": "Configure", "keyterms": []}') == [Bias(())]
    with pytest.raises(TranscriptionError, match="numerals is 1, expected true or false"):
        adapter.parse('{"type": "Configure", "features": {"numerals": 1}}')


def test_a_thousand_terms_in_the_address(running: Running) -> None:
    terms = [f"检索 增强 {n}" for n in range(1_000)]
    with listening(running, keyterm=terms) as peer:
        peer.send(SPEECH)
        peer.connection._send({"type": "Configure", "features": {}})
        assert peer.until("ConfigureSuccess").keyterms == terms


def test_settings_change_within_a_session(running: Running) -> None:
    with listening(running, keyterm="NCCL") as peer:
        peer.send(SPEECH[: len(SPEECH) // 2])
        peer.connection._send({"type": "Configure", "features": {"numerals": True}})
        assert peer.until("ConfigureSuccess").keyterms == ["NCCL"]
        peer.send(SPEECH[len(SPEECH) // 2 :])
        peer.connection.send_close_stream()
        peer.to_the_end()
    assert sum(bool(transcript(final)) for final in peer.finals) == 2 and all(m.type != "Error" for m in peer.got)
    assert_tiled(peer.finals, SPEECH_S)


def test_text_forms() -> None:
    query = [*RAW.items(), ("redact", "pci"), ("redact", "email_address"), ("smart_format", "true"), ("language", "en,zh")]
    (configure,) = DeepgramAdapter("id", ServerDefaults(text=TextStyle(fillers=False)), query).opening()
    assert isinstance(configure, Configure)
    assert configure.config.text == TextStyle("", True, True, False, True, ("card", "number", "email"))
    assert configure.config.languages == ("en", "zh")
    (configure,) = made(filler_words="false", profanity_filter="true", redact="false").opening()
    assert isinstance(configure, Configure) and configure.config.text == TextStyle(fillers=False, profanity=False)
    (configure,) = DeepgramAdapter("id", ServerDefaults(text=TextStyle(itn=True)), [*RAW.items(), ("numerals", "false")]).opening()
    assert isinstance(configure, Configure) and not configure.config.text.itn
    with pytest.raises(TranscriptionError, match='redact is "names", expected some of true, pii, pci'):
        made(redact="names")


def test_an_empty_binary_message_closes() -> None:
    assert made().parse(b"") == [Close()] and made().parse(b"ab") == [Append(b"ab")]


@given(st.text() | st.binary())
def test_any_message_gives_commands_or_a_documented_error(message: str | bytes) -> None:
    try:
        assert made().parse(message)
    except TranscriptionError as error:
        assert error.field and "expected" in error.message


NAMES = [
    "encoding",
    "sample_rate",
    "channels",
    "language",
    "endpointing",
    "utterance_end_ms",
    "interim_results",
    "keyterm",
    "diarize",
]


@given(st.lists(st.tuples(st.sampled_from(NAMES) | st.text(max_size=8), st.text(max_size=12)), max_size=8))
def test_any_query_gives_a_configuration_or_a_documented_error(query: list[tuple[str, str]]) -> None:
    try:
        (configure,) = DeepgramAdapter("id", ServerDefaults(languages=("en",)), [*RAW.items(), *query]).opening()
        assert isinstance(configure, Configure)
    except TranscriptionError as error:
        assert error.field and "expected" in error.message


@given(EVENTS)
def test_any_events_become_messages_that_the_sdk_takes(events: list[Any]) -> None:
    adapter = made(interim_results="true", vad_events="true")
    for event in events:
        for message in adapter.render(event):
            assert len(message.encode()) < 1_048_576
            content = json.loads(message)
            CLASSES[content["type"]].model_validate(content, strict=True)
