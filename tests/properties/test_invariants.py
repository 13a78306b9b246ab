"""The eight invariants of ARCHITECTURE.md, on sessions, scheduler and scripted recogniser in virtual time."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.interfaces import SAMPLE_RATE, Hotword, Hypothesis, StepRequest, UtteranceId, Word
from model.scripted import ScriptedRecogniser
from streaming.commands import (
    Append,
    AudioFormat,
    Close,
    Command,
    Configure,
    Encoding,
    EndpointingConfig,
    Finalize,
    Flush,
    KeepAlive,
    SessionConfig,
)
from streaming.events import (
    Closed,
    ErrorEvent,
    Event,
    FinalTranscript,
    Flushed,
    PartialTranscript,
    SpeechEnded,
    SpeechStarted,
    UtteranceGap,
)
from streaming.session import Session, SessionLimits
from tests.helpers import Client, Simulation, cut, paced, random_cuts, s16, silence, talk, transcribe, voice, without_partials

SLOW = settings(max_examples=25, deadline=None)
seeds = st.integers(0, 2**32 - 1)
talks = st.lists(st.integers(2, 40), min_size=1, max_size=6).map(lambda tenths: talk(*(t / 10 for t in tenths)))
GAPS = SessionConfig(endpointing=EndpointingConfig(word_gap_ms=700))


class ContraryRecogniser(ScriptedRecogniser):
    """Says something else each time, and now and then forgets what is stable, or stops at a guard."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._random = random.Random(seed)

    def step(self, batch: list[StepRequest]) -> list[Hypothesis]:
        return [self._contrary(request, hypothesis) for request, hypothesis in zip(batch, super().step(batch), strict=True)]

    def _contrary(self, request: StepRequest, hypothesis: Hypothesis) -> Hypothesis:
        start = max(0, hypothesis.audio_end - SAMPLE_RATE * self._random.randrange(1, 12))
        words, at = [], start
        while at + 2_000 < hypothesis.audio_end and self._random.random() < 0.95:
            end = min(hypothesis.audio_end, at + self._random.randrange(1_000, 9_000))
            words.append(Word(" " + self._random.choice(("a", "a", "b")), at, end, 0.5))
            at = end + self._random.randrange(0, 4_000)
        kept = request.stable if self._random.random() < 0.7 else ()
        said = kept[-1].end if kept else 0
        return Hypothesis(
            hypothesis.utterance,
            hypothesis.revision,
            kept + tuple(w for w in words if w.start >= said),
            hypothesis.audio_end,
            hypothesis.is_final,
            hypothesis.whole_window,
            is_cut=self._random.random() < 0.1,
        )


# 1


@SLOW
@given(talks, seeds, st.sampled_from([1, 7, 640, 3_333, 50_000]))
def test_events_do_not_depend_on_how_the_bytes_were_cut(audio, seed, mean):
    data = s16(audio)
    whole = transcribe([(0.0, Append(data))], GAPS)
    pieces = random_cuts(data[:20_000], seed, mean) + random_cuts(data[20_000:], seed, max(mean, 300))
    assert without_partials(transcribe(paced(pieces, 32_000), GAPS, seed=seed)) == without_partials(whole)


@SLOW
@given(seeds, st.sampled_from([(8_000, Encoding.MULAW, 1), (44_100, Encoding.S16LE, 2), (48_000, Encoding.F32LE, 1)]))
def test_nor_in_any_format(seed, wire):
    rate, encoding, channels = wire
    config = SessionConfig(audio=AudioFormat(encoding, rate, channels))
    data = encoded(talk(0.5, 1.0, 0.8, rate=rate), encoding, channels)
    whole = transcribe([(0.0, Append(data))], config)
    assert any(isinstance(event, FinalTranscript) and event.words for event in whole)
    pieces = random_cuts(data, seed, 5_000)
    assert without_partials(transcribe([(0.0, Append(p)) for p in pieces], config, seed=seed)) == without_partials(whole)


def encoded(x: np.ndarray, encoding: Encoding, channels: int) -> bytes:
    if encoding is Encoding.MULAW:  # magnitude by G.711's formula is tested elsewhere; here any loud code will do
        return (np.where(x < 0, 0x00, 0x80) + np.uint8(127 - np.minimum(127, np.abs(x) * 600))).astype(np.uint8).tobytes()
    x = np.repeat(x, channels)
    return s16(x) if encoding is Encoding.S16LE else x.astype("<f4").tobytes()


# 2


@SLOW
@given(talks, seeds, st.booleans())
def test_the_stable_prefix_only_grows(audio, seed, is_contrary):
    recogniser = ContraryRecogniser(seed) if is_contrary else ScriptedRecogniser()
    events = transcribe(paced(cut(s16(audio), [3_200] * 80), 32_000), recogniser=recogniser, seed=seed)
    assert_stable_grows(events)


def assert_stable_grows(events: list[Event]) -> None:
    stable: dict[int, tuple[Word, ...]] = {}
    for event in events:
        if isinstance(event, PartialTranscript | FinalTranscript):
            words = event.words if isinstance(event, FinalTranscript) else event.stable
            before = stable.get(event.utterance, ())
            assert words[: len(before)] == before
            stable[event.utterance] = words


@pytest.mark.parametrize("seed", range(4))
def test_nor_does_it_shrink_when_the_window_rolls(seed):
    data = s16(voice(50.0))
    recogniser = ContraryRecogniser(seed) if seed else ScriptedRecogniser()
    client = Client(Session("s", SessionLimits()), [(0.0, Configure(SessionConfig())), *paced(cut(data, [9_600] * 170), 32_000)])
    simulation = Simulation([client], recogniser, seed=seed)
    simulation.run()
    assert sum(request.roll is not None for request in simulation.requests) >= 2
    assert_stable_grows(client.events)
    if not seed:
        said = [w for e in client.events if isinstance(e, FinalTranscript) for w in e.words]
        assert [w.start for w in said] == [4_800 * i for i in range(len(said))], "no word is lost at a roll"


# 3 and 4


@SLOW
@given(talks, seeds, st.sampled_from([0.0, 0.0, 0.2]), st.integers(0, 5))
def test_each_announced_utterance_gets_one_final_and_nothing_after_it(audio, seed, fails, finalizes):
    script = paced(cut(s16(audio), [1_234] * 300), 32_000)
    rng = random.Random(seed)
    for _ in range(finalizes):
        at = rng.randrange(len(script))
        script.insert(at, (script[at][0], Finalize()))
    events = transcribe(script, seed=seed, fails=fails, step_s=(0.01, 3.0))
    assert_one_final_each(events)
    assert_ranges_tile(events)


def assert_one_final_each(events: list[Event]) -> None:
    open_utterance, count = None, 0
    for event in events:
        match event:
            case SpeechStarted(number):
                assert open_utterance is None and number == count
                open_utterance, count = number, count + 1
            case PartialTranscript(number):
                assert number == open_utterance
            case FinalTranscript(number):
                assert number == open_utterance
                open_utterance = ("ending", number)
            case SpeechEnded(number):
                assert open_utterance == ("ending", number)
                open_utterance = None
    assert open_utterance is None
    assert isinstance(events[-1], Closed) and events[-1].utterances == count


def assert_ranges_tile(events: list[Event]) -> None:
    """Ranges in order without overlap: what is between them is silence, so each sample is in exactly one place."""
    at, total = 0, events[-1].audio
    for event in events:
        match event:
            case SpeechStarted(_, start):
                assert at <= start <= total
                begun = start
            case FinalTranscript(_, words, start, end):
                assert start == begun <= end <= total
                at = end
                places = [start, *(p for w in words for p in (w.start, w.end)), end]
                assert places == sorted(places)
            case PartialTranscript(_, _, stable, unstable, start, end):
                places = [start, *(p for w in stable + unstable for p in (w.start, w.end)), end]
                assert start == begun and places == sorted(places)


@given(st.integers(1, 4_000), st.integers(1, 1_300), st.sampled_from([0.0, 1.0]))
@settings(max_examples=30, deadline=None)
def test_audio_that_ends_within_a_frame_is_covered_and_not_exceeded(extra, step, fails):
    data = s16(np.concatenate([silence(0.2), voice(0.8)]))[: 2 * (16_000 - extra)]
    events = transcribe([(0.0, Append(piece)) for piece in cut(data, [step * 2] * 10)], fails=fails)
    finals = [event for event in events if isinstance(event, FinalTranscript)]
    assert [event.end for event in finals] == [events[-1].audio] == [len(data) // 2]


def test_speech_that_is_too_long_is_cut_without_a_gap():
    config = SessionConfig(endpointing=EndpointingConfig(max_utterance_ms=5_000))
    for audio in (voice(12.0), np.concatenate([voice(4.0), voice(4.0, pitch_hz=200), silence(1.0)])):
        events = transcribe(paced(cut(s16(audio), [3_200] * 200), 32_000), config)
        finals = [event for event in events if isinstance(event, FinalTranscript)]
        assert finals[0].reason == "too_long" and finals[0].end <= 5 * SAMPLE_RATE
        assert all(b.start == a.end for a, b in zip(finals, finals[1:], strict=False))
        assert_ranges_tile(events)
        assert_one_final_each(events)


# 5


@SLOW
@given(talks, seeds, st.lists(st.integers(0, 300), max_size=6))
def test_flushed_comes_after_everything_earlier_audio_caused(audio, seed, places):
    script = paced(cut(s16(audio), [1_000] * 300), 32_000)
    for number, place in enumerate(sorted(places)):
        at = min(place + number, len(script) - 1)
        script.insert(at, (script[at][0], Flush(str(number))))
    events = without_partials(transcribe(script, GAPS, seed=seed, step_s=(0.01, 2.0)))
    flushed = [i for i, event in enumerate(events) if isinstance(event, Flushed)]
    asked = [i for i, (_, command) in enumerate(script) if isinstance(command, Flush)]
    assert [events[i].marker for i in flushed] == [str(n) for n in range(len(places))]
    for after, until in zip(flushed, asked, strict=True):
        alone = without_partials(transcribe(script[: until + 1], GAPS, seed=seed + 1))
        assert events[: after + 1] == alone[: after + 1], "as if nothing had followed"


def test_a_flush_with_nothing_open_is_answered_at_once():
    session = Session("s", SessionLimits())
    session.receive(Configure(SessionConfig()), now=0.0)
    session.receive(Append(s16(silence(0.5))), now=0.5)
    session.events_to_send()
    session.receive(Flush("now"), now=0.5)
    session.receive(Finalize(), now=0.5)
    assert session.events_to_send() == [Flushed("now", 8_000), Flushed(None, 8_000)]


# 6


@SLOW
@given(st.lists(talks, min_size=2, max_size=4), seeds)
def test_the_text_does_not_depend_on_who_else_is_there(audios, seed):
    scripts = [paced(cut(s16(audio), [3_200] * 100), 32_000, start_s=0.3 * i) for i, audio in enumerate(audios)]
    clients = [Client(Session(str(i), SessionLimits()), [(0.0, Configure(GAPS)), *script]) for i, script in enumerate(scripts)]
    simulation = Simulation(clients, seed=seed, step_s=(0.05, 0.5))
    simulation.run()
    for client, script in zip(clients, scripts, strict=True):
        assert without_partials(client.events) == without_partials(transcribe(script, GAPS, seed=seed + 1))
    assert simulation.recogniser.open_streams == ()


# 7


@SLOW
@given(talks, seeds, st.sampled_from([0.5, 3.0, 50.0, 10_000.0]))
def test_finals_do_not_depend_on_the_pace(audio, seed, speed):
    pieces = cut(s16(audio), [1_280] * 400)
    slow = transcribe(paced(pieces, 32_000), GAPS, seed=seed)
    fast = transcribe(paced(pieces, 32_000, speed=speed), GAPS, seed=seed + 1)
    assert without_partials(fast) == without_partials(slow)


def test_word_gaps_are_told_at_any_pace():
    pieces = cut(s16(talk(0.5, 1.0, 1.5, 1.0, 0.5)), [640] * 400)
    slow, fast = (transcribe(paced(pieces, 32_000, speed=speed), GAPS) for speed in (1.0, 50.0))
    assert [e for e in slow if isinstance(e, UtteranceGap)] == [e for e in fast if isinstance(e, UtteranceGap)] != []


# 8

garbage: st.SearchStrategy[Command] = st.one_of(
    st.binary(max_size=4_000).map(Append),
    st.integers(1, 30).map(lambda tenths: Append(s16(voice(tenths / 10)))),
    st.integers(1, 20).map(lambda tenths: Append(s16(silence(tenths / 10)))),
    st.just(Append(np.full(50, np.nan, "<f4").tobytes())),
    st.just(Finalize()),
    st.just(KeepAlive()),
    st.just(Close()),
    st.text(max_size=5).map(Flush),
    st.builds(
        Configure,
        st.builds(
            SessionConfig,
            audio=st.builds(
                AudioFormat,
                st.sampled_from(list(Encoding)),
                st.sampled_from([0, 8_000, 16_000, 48_000, 10**9]),
                st.sampled_from([0, 1, 2]),
            ),
            hotwords=st.sampled_from([(), (Hotword("a"), Hotword(" a ")), (Hotword("x" * 5_000),)]),
            partials=st.booleans(),
            endpointing=st.builds(
                EndpointingConfig, st.sampled_from([-1, 100, 500, 10**9]), max_utterance_ms=st.sampled_from([0, 5_000])
            ),
        ),
    ),
)
DOCUMENTED = {1000, 1003, 1008, 1011, 1012, 1013}


@settings(max_examples=150, deadline=None)
@given(st.lists(garbage, max_size=25), seeds, st.sampled_from(["eof", "shut_down", "idle"]), st.sampled_from([0.0, 0.3]))
def test_whatever_a_client_sends_the_session_closes_and_gives_its_streams_back(commands, seed, end, fails):
    client = Client(Session("s", SessionLimits(max_backlog_s=5.0)), [(0.1 * i, c) for i, c in enumerate(commands)])
    if commands and end == "shut_down":
        client.act(0.0)
        client.session.shut_down(now=0.1)
    elif commands and end == "idle":
        client.act(0.0)
        client.session.tick(now=1e6)
    simulation = Simulation([client], seed=seed, fails=fails)
    simulation.run()
    assert sum(isinstance(event, Closed) for event in client.events) == 1
    assert isinstance(client.events[-1], Closed) and client.events[-1].code in DOCUMENTED
    assert all(event.error.message for event in client.events if isinstance(event, ErrorEvent))
    assert_one_final_each(client.events)
    assert_ranges_tile(client.events)
    assert simulation.recogniser.open_streams == () and simulation.scheduler.depth == 0


def test_one_request_of_an_utterance_at_a_time_and_no_sample_twice():
    client = Client(
        Session("s", SessionLimits()),
        [(0.0, Configure(SessionConfig())), *paced(cut(s16(talk(0.4, 9.0, 0.3, 9.0)), [640] * 900), 32_000)],
    )
    simulation = Simulation([client], step_s=(0.2, 1.5))
    simulation.run()
    by_utterance: dict[UtteranceId, list[StepRequest]] = {}
    for request in simulation.requests:
        by_utterance.setdefault(request.utterance, []).append(request)
    for requests in by_utterance.values():
        assert [r.revision for r in requests] == list(range(len(requests)))
        ends = [r.start + len(r.samples) for r in requests]
        assert [r.start for r in requests[1:]] == ends[:-1]
