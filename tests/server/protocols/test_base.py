"""What all adapters have."""

from __future__ import annotations

import pytest

from server.protocols.base import Adapter, ServerDefaults
from server.protocols.deepgram import DeepgramAdapter
from server.protocols.first_message import FirstMessageAdapter
from server.protocols.native import NativeAdapter
from server.protocols.openai_realtime import RealtimeAdapter
from server.protocols.vosk import VoskAdapter
from server.protocols.whisper_live import QUIET_S, WhisperLiveAdapter
from server.protocols.wyoming import WyomingAdapter

DEFAULTS = ServerDefaults()
ADAPTERS: list[Adapter] = [
    NativeAdapter("s", DEFAULTS),
    DeepgramAdapter("s", DEFAULTS, []),
    RealtimeAdapter("s", DEFAULTS, []),
    VoskAdapter("s", DEFAULTS),
    WhisperLiveAdapter("s", DEFAULTS),
    FirstMessageAdapter("s", DEFAULTS),
    WyomingAdapter("s", DEFAULTS),
]


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)
def test_silence_of_the_client_means_nothing_at_first(adapter: Adapter):
    assert adapter.quiet_s is None and adapter.size_factor >= 1


def test_it_means_the_end_of_what_is_said_to_a_client_that_is_silent_then():
    for adapter in (WhisperLiveAdapter("s", DEFAULTS), FirstMessageAdapter("s", DEFAULTS)):
        adapter.parse('{"uid": "a"}')
        assert adapter.quiet_s == QUIET_S
