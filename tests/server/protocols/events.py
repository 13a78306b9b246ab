"""Any events a session might tell, for the wire formats to put in words."""

from __future__ import annotations

from hypothesis import strategies as st

from model.interfaces import Hotword, Word
from streaming.commands import AudioFormat, EndpointingConfig, SessionConfig
from streaming.errors import LimitExceeded, Overloaded, ProtocolViolation, RecogniserFailed
from streaming.events import (
    Biased,
    Closed,
    Configured,
    ErrorEvent,
    FinalTranscript,
    Flushed,
    PartialTranscript,
    SpeechEnded,
    SpeechStarted,
    UtteranceGap,
    Warned,
)

_AT = st.integers(0, 10**10)
_TEXT = st.text(max_size=30)
_WORD = st.builds(Word, _TEXT, _AT, _AT, st.floats(0, 1), st.just(()))
_WORDS = st.lists(_WORD, max_size=8).map(tuple)
_REASON = st.sampled_from(["endpoint", "too_long", "no_speech", "finalize", "close", "error"])
_LANGUAGE = st.none() | st.sampled_from(["en", "zh"])
_CONFIG = st.builds(
    SessionConfig,
    st.just(AudioFormat()),
    _LANGUAGE,
    st.lists(st.builds(Hotword, _TEXT), max_size=3).map(tuple),
    st.booleans(),
    st.just(EndpointingConfig()),
)
_ERROR = st.builds(
    lambda kind, message: kind(message), st.sampled_from([LimitExceeded, Overloaded, ProtocolViolation, RecogniserFailed]), _TEXT
)

EVENTS = st.lists(
    st.one_of(
        st.builds(Configured, _CONFIG),
        st.builds(Biased, _CONFIG),
        st.builds(SpeechStarted, _AT, _AT),
        st.builds(PartialTranscript, _AT, _AT, _WORDS, _WORDS, _AT, _AT, _LANGUAGE),
        st.builds(FinalTranscript, _AT, _WORDS, _AT, _AT, _LANGUAGE, st.floats(0, 1), _REASON),
        st.builds(SpeechEnded, _AT, _AT),
        st.builds(UtteranceGap, _AT),
        st.builds(Flushed, st.none() | _TEXT, _AT),
        st.builds(Warned, _TEXT, _TEXT),
        st.builds(ErrorEvent, _ERROR, st.booleans()),
        st.builds(Closed, st.sampled_from([1000, 1008, 1012]), _TEXT, _AT, _AT, _AT),
    ),
    max_size=6,
)
