"""Settings of Realtime sessions: what changes, what stays, what is refused, how they are shown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from server.protocols.base import ServerDefaults
from server.protocols.openai_realtime_settings import Settings, described, described_flat, initial, session_config
from server.protocols.openai_realtime_update import check_session, described_session, updated
from streaming.commands import AudioFormat, Encoding, EndpointingConfig
from streaming.errors import TranscriptionError
from streaming.pace import PACES
from streaming.text.style import TextStyle

DEFAULTS = ServerDefaults(
    "en", ("en", "de", "zh"), EndpointingConfig(silence_ms=650), models=("whisper-base",), text=TextStyle(redact=("card",))
)


def after(*sessions: dict[str, Any]) -> Settings:
    settings = initial(DEFAULTS)
    for session in sessions:
        settings = updated(settings, session, DEFAULTS)
    return settings


def sound(**settings: Any) -> dict[str, Any]:
    return {"type": "transcription", "audio": {"input": settings}}


def test_a_session_that_asks_for_nothing_has_the_servers_defaults():
    config = session_config(after({}), DEFAULTS)
    assert config.audio == AudioFormat(Encoding.S16LE, 24_000) and config.language == "en"
    assert config.endpointing.silence_ms == 650 and config.text.redact == ("card",) and config.pace == PACES["medium"]
    shown = described(after({}), DEFAULTS)["audio"]["input"]
    assert shown["transcription"]["model"] == "whisper-base" and shown["transcription"]["language"] == "en"
    assert shown["turn_detection"] == {
        "type": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 650,
        "idle_timeout_ms": None,
    }


def test_only_what_is_present_changes():
    settings = after(
        sound(transcription={"language": "de", "prompt": "Hallo.", "keywords": ["NCCL"]}, noise_reduction={"type": "near_field"}),
        sound(transcription={"prompt": "Tag."}, turn_detection={"threshold": 0.7}, noise_reduction={"strength": 0.5}),
        sound(turn_detection={"silence_duration_ms": 400}),
        {"include": []},
    )
    assert (settings.transcription.language, settings.transcription.prompt, settings.transcription.keywords) == (
        "de",
        "Tag.",
        ("NCCL",),
    )
    assert settings.turn is not None and (settings.turn.threshold, settings.turn.silence_duration_ms) == (0.7, 400)
    assert settings.noise_reduction == {"type": "near_field", "strength": 0.5} and settings.include == ()
    config = session_config(settings, DEFAULTS)
    assert (config.endpointing.threshold, config.endpointing.silence_ms, config.hotwords[0].text) == (0.7, 400, "NCCL")


def test_null_clears():
    full = sound(
        transcription={"language": "de", "prompt": "Hallo.", "delay": "low"},
        turn_detection={"type": "server_vad", "idle_timeout_ms": 6_000, "threshold": 0.9},
        noise_reduction={"type": "near_field"},
    )
    settings = after(full, sound(transcription=None, noise_reduction=None, turn_detection={"idle_timeout_ms": None}))
    assert settings.transcription == initial(DEFAULTS).transcription and settings.noise_reduction is None
    assert settings.turn is not None and (settings.turn.idle_timeout_ms, settings.turn.threshold) == (None, 0.9)
    settings = after(full, sound(transcription={"language": None, "delay": None, "prompt": None}, turn_detection=None))
    assert settings.transcription == initial(ServerDefaults()).transcription and settings.turn is None
    assert session_config(settings, DEFAULTS).endpointing == DEFAULTS.endpointing
    assert (
        after(full, {"include": None}, sound(turn_detection=None), sound(turn_detection={"type": "server_vad"})).turn
        == initial(DEFAULTS).turn
    )


def test_languages():
    config = session_config(after(sound(transcription={"languages": ["zh", "de"]})), DEFAULTS)
    assert (config.language, config.languages) == (None, ("zh", "de"))
    assert session_config(after(sound(transcription={"language": "de-AT"})), DEFAULTS).language == "de"


def test_a_language_that_is_named_replaces_those_of_before_and_of_the_server():
    named = sound(transcription={"language": "de"})
    assert session_config(after(sound(transcription={"languages": ["zh", "en"]}), named), DEFAULTS).languages == ("de",)
    defaults = replace(DEFAULTS, language="zh,en")
    config = session_config(updated(initial(defaults), named, defaults), defaults)
    assert (config.language, config.languages) == ("de", ("de",))


def test_kinds_of_turns_have_their_own_settings():
    vad = sound(turn_detection={"type": "server_vad", "silence_duration_ms": 900})
    semantic = sound(turn_detection={"type": "semantic_vad", "eagerness": "low", "create_response": False})
    settings = after(vad, semantic)
    assert described(settings, DEFAULTS)["audio"]["input"]["turn_detection"] == {"type": "semantic_vad", "eagerness": "low"}
    assert session_config(settings, DEFAULTS).endpointing.silence_ms == 2_000
    again = after(vad, semantic, sound(turn_detection={"type": "server_vad", "interrupt_response": True})).turn
    assert again is not None and again.silence_duration_ms == 650


def test_formats():
    def audio(*formats: dict[str, Any]) -> AudioFormat:
        return session_config(after(*(sound(format=each) for each in formats)), DEFAULTS).audio

    assert audio({"type": "audio/pcm", "rate": 16_000}) == AudioFormat(Encoding.S16LE, 16_000)
    assert audio({"rate": 48_000}) == AudioFormat(Encoding.S16LE, 48_000)
    assert audio({"type": "audio/pcmu"}) == AudioFormat(Encoding.MULAW, 8_000)
    assert audio({"type": "audio/pcma"}, {"type": "audio/pcm"}) == AudioFormat(Encoding.S16LE, 24_000)


def test_flat_settings_are_the_same_settings():
    flat = {
        "input_audio_format": "pcm16",
        "input_audio_params": {"sample_rate_hz": 16_000, "num_channels": 1},
        "input_audio_transcription": {"model": "whisper-1", "language": "de", "prompt": "Hallo."},
        "input_audio_noise_reduction": {"type": "far_field"},
        "turn_detection": {"type": "server_vad", "silence_duration_ms": 700},
        "modalities": ["text"],
        "temperature": 0.8,
    }
    nested = sound(
        format={"type": "audio/pcm", "rate": 16_000},
        transcription=flat["input_audio_transcription"],
        noise_reduction={"type": "far_field"},
        turn_detection=flat["turn_detection"],
    )
    assert after(flat) == after(nested)
    shown = described_flat(after(flat))
    assert (
        shown.items()
        >= {name: value for name, value in flat.items() if name not in ("modalities", "temperature", "turn_detection")}.items()
    )
    assert shown["turn_detection"]["silence_duration_ms"] == 700
    assert after({"input_audio_format": "g711_alaw"}, {"input_audio_format": "pcm16"}).audio == AudioFormat(Encoding.S16LE, 24_000)


def test_what_was_shown_may_be_sent_back():
    shown = {"id": "sess_1", **described(after(sound(transcription={"keywords": ["NCCL"]})), DEFAULTS), "expires_at": 5}
    assert described(updated(initial(DEFAULTS), shown, DEFAULTS), DEFAULTS) == {
        k: shown[k] for k in shown if k not in ("id", "expires_at")
    }
    flat = described_flat(after({"input_audio_format": "g711_ulaw"}))
    assert described_flat(after(flat)) == flat


@pytest.mark.parametrize(
    ("session", "field", "expected"),
    [
        ({"type": "realtime"}, "session.type", 'session.type is "realtime", expected one of transcription'),
        ({"type": "transcription", "voice": "alloy"}, "session.voice", "one of type, audio, include"),
        ({"audio": []}, "session.audio", "an object"),
        (sound(formats={}), "session.audio.input.formats", "format, noise_reduction"),
        (sound(format={"type": "audio/opus"}), "session.audio.input.format.type", "audio/pcma"),
        (sound(format=None), "session.audio.input.format", "an object"),
        (sound(format={"type": "audio/pcm", "rate": 44_100}), "session.audio.input.format.rate", "8000, 16000, 24000, 48000"),
        (sound(format={"type": "audio/pcmu", "rate": 16_000}), "session.audio.input.format.rate", "8000 with audio/pcmu"),
        (sound(noise_reduction={"type": "studio"}), "session.audio.input.noise_reduction.type", "near_field, far_field"),
        (sound(noise_reduction={"strength": 2}), "session.audio.input.noise_reduction.strength", "0 to 1"),
        (sound(transcription={"language": "xx"}), "session.audio.input.transcription.language", "de, en, zh"),
        (sound(transcription={"languages": "de"}), "session.audio.input.transcription.languages", "a list of texts"),
        (sound(transcription={"languages": ["xx"]}), "session.audio.input.transcription.language", "de, en, zh"),
        (sound(transcription={"keywords": ""}), "session.audio.input.transcription.keywords", "a list of texts"),
        (sound(transcription={"keywords": ["!"]}), "session.audio.input.transcription.keywords", "at least one letter"),
        (sound(transcription={"prompt": "x" * 4_097}), "session.audio.input.transcription.prompt", "at most 4,096"),
        (sound(transcription={"delay": "never"}), "session.audio.input.transcription.delay", "minimal, low, medium, high, xhigh"),
        (sound(turn_detection={"type": "none"}), "session.audio.input.turn_detection.type", "server_vad, semantic_vad"),
        (sound(turn_detection={"threshold": 1.5}), "session.audio.input.turn_detection.threshold", "0 to 1"),
        (sound(turn_detection={"threshold": float("nan")}), "session.audio.input.turn_detection.threshold", "0 to 1"),
        (
            sound(turn_detection={"silence_duration_ms": 10}),
            "session.audio.input.turn_detection.silence_duration_ms",
            "100 to 10000",
        ),
        (sound(turn_detection={"prefix_padding_ms": 9_000}), "session.audio.input.turn_detection.prefix_padding_ms", "0 to 2000"),
        (sound(turn_detection={"idle_timeout_ms": 90_000}), "session.audio.input.turn_detection.idle_timeout_ms", "500 to 30000"),
        (sound(turn_detection={"type": "semantic_vad", "eagerness": "now"}), "session.audio.input.turn_detection.eagerness", "low"),
        ({"include": ["words"]}, "session.include", "item.input_audio_transcription.logprobs"),
        ({"input_audio_format": "opus"}, "session.input_audio_format", "pcm16, g711_ulaw, g711_alaw"),
        ({"input_audio_transcription": {"language": "xx"}}, "session.input_audio_transcription.language", "de, en, zh"),
        ({"input_audio_params": {"num_channels": 2}}, "session.input_audio_params.num_channels", "expected 1"),
        ({"turn_detection": {"threshold": "high"}}, "session.turn_detection.threshold", "a number from 0 to 1"),
    ],
)
def test_what_cannot_be_served_is_named(session: dict[str, Any], field: str, expected: str):
    with pytest.raises(TranscriptionError) as caught:
        check_session(session, DEFAULTS)
    assert caught.value.field == field and caught.value.message.startswith(field)
    assert "expected" in caught.value.message and expected in caught.value.message


def test_a_session_that_an_ephemeral_key_is_made_with():
    asked = sound(transcription={"model": "gpt-live-transcribe"}, turn_detection=None)
    check_session(asked, DEFAULTS)
    shown = described_session(asked, DEFAULTS, "abc", 1_900_000_000)
    assert set(shown) == {"id", "object", "type", "audio", "include", "expires_at"}
    assert (shown["id"], shown["object"], shown["expires_at"]) == ("sess_abc", "realtime.transcription_session", 1_900_000_000)
    assert shown["audio"]["input"]["turn_detection"] is None
