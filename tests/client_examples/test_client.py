"""client.py against real servers, over a network that fails: no word is lost, none is told twice.

The words are written into the lowest bits of the sound, so that what is heard does not depend on where a session begins.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from bench.live import Server
from bench.score import errors, tokens
from client_examples.client import (
    Closed,
    Configured,
    Event,
    Final,
    Flushed,
    Partial,
    Ready,
    Reconnected,
    Reconnecting,
    Refused,
    Rejected,
    SpeechStarted,
    Transcriber,
    TranscriberError,
    Unreachable,
    Warned,
)
from model.interfaces import SAMPLE_RATE, Samples, Word
from tests.client_examples.proxy import CUT, FREEZE, Proxy, proxy
from tests.helpers import silence, voice
from tests.server.conftest import Running, Serve, wait_for

LABELS = 32
SECOND = 2 * SAMPLE_RATE  # bytes
SPOKEN_S, PAUSE_S = 0.3, 0.9
SHORT = {"endpointing": {"max_utterance_ms": 5_000}, "keep_s": 1.0}  # 15 s are kept


def sentence(first: int, words: int) -> list[np.ndarray]:
    """A pause and so many words, numbered from `first` on."""
    spoken = [(s16(voice(SPOKEN_S, pitch_hz=110 + 9 * n)) & -LABELS) | n % LABELS for n in range(first, first + words)]
    return [s16(silence(PAUSE_S, seed=first)), *spoken]


def s16(sound: Samples) -> np.ndarray:
    return np.round(sound * 32767).astype("<i2")


def speech(*lengths: int) -> bytes:
    """Sentences of so many words, and a pause."""
    firsts = [sum(lengths[:i]) for i in range(len(lengths))]
    parts = [part for first, words in zip(firsts, lengths, strict=True) for part in sentence(first, words)]
    return np.concatenate([*parts, s16(silence(PAUSE_S))]).tobytes()


def spoken(*lengths: int, at_s: float = 0.0) -> list[tuple[str, float]]:
    """The words of `speech`, and when each begins."""
    found: list[tuple[str, float]] = []
    for words in lengths:
        at_s += PAUSE_S
        found += [(f" word{(len(found) + i) % LABELS}", at_s + i * SPOKEN_S) for i in range(words)]
        at_s += words * SPOKEN_S
    return found


def heard_words(stream: Any, is_whole: bool) -> Iterator[Word]:
    """Runs of at least 0.1 s with one number; in silence there are none."""
    labels = np.round(stream.audio * 32768).astype(int) % LABELS
    edges = np.flatnonzero(np.diff(labels, prepend=-1, append=-1))
    for start, end in zip(edges[:-1], edges[1:], strict=True):
        if end - start >= SAMPLE_RATE // 10:
            yield Word(f" word{labels[start]}", stream.start + int(start), stream.start + int(end), 0.9, (int(labels[start]),))


@pytest.fixture(autouse=True)
def _words_are_in_the_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.scripted._words", heard_words)


async def talk(session: Transcriber, sound: bytes, *, pace: float = 0.005) -> None:
    """Sound in odd pieces, faster than it was spoken, and the end."""
    for at in range(0, len(sound), 3_201):
        await session.send(sound[at : at + 3_201])
        await asyncio.sleep(pace)
    await session.stop()


async def transcribe(url: str, sound: bytes, *, pace: float = 0.005, **settings: Any) -> list[Event]:
    async with Transcriber(url, **settings) as session:
        talking = asyncio.create_task(talk(session, sound, pace=pace))
        events = [event async for event in session]
        await talking
    return events


@asynccontextmanager
async def broken(running: Running, *faults: tuple[str, int]) -> AsyncIterator[Proxy]:
    async with proxy(running.address, *faults) as between:
        yield between
        assert between.faults == [], "the faults did not all happen"


def of(kind: type[Any], events: list[Event]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def check(events: list[Event], *lengths: int, at_s: float = 0.0) -> None:
    """All words once, in order, at their times; utterances numbered as in one session; totals that fit."""
    finals: list[Final] = of(Final, events)
    words = [word for final in finals for word in final.words]
    expected = spoken(*lengths, at_s=at_s)
    assert [word.text for word in words] == [text for text, _ in expected]
    assert [word.start for word in words] == pytest.approx([start for _, start in expected], abs=0.002)
    assert [final.utterance for final in finals] == list(range(len(finals)))
    assert all(a.end <= b.start for a, b in zip(finals, finals[1:], strict=False))
    started = [event.utterance for event in of(SpeechStarted, events)]
    assert started == list(range(len(finals))), "each utterance begins once"
    assert "".join(word.text for word in words).split() == " ".join(final.text for final in finals).split()
    closed = events[-1]
    assert isinstance(closed, Closed)
    assert (closed.code, closed.utterances, closed.words) == (1000, len(finals), len(words))
    length_s = at_s + sum(PAUSE_S + words * SPOKEN_S for words in lengths) + PAUSE_S
    assert closed.audio == pytest.approx(length_s, abs=0.05)


def test_one_session(serve: Serve):
    events = asyncio.run(transcribe(serve().url(), speech(5, 4, 6), language="en"))
    check(events, 5, 4, 6)
    ready = events[0]
    assert isinstance(ready, Ready) and ready.config["language"] == "en"
    assert of(Partial, events) and not of(Reconnecting, events)
    for partial in of(Partial, events):
        assert partial.text == "".join(word.text for word in partial.stable + partial.unstable).strip()


CUTS_S = [
    [0.2],  # before anybody has spoken
    [1.0],  # at the first word
    [2.13],  # within a word
    [2.9],  # in a pause, the final on its way or told
    [4.0],
    [2.0, 1.0, 1.5, 0.1],  # again and again, also before anything is final
    [7.2],  # within the last words
]


@pytest.mark.parametrize("cuts_s", CUTS_S, ids=str)
@pytest.mark.parametrize("pace", [0.0, 0.01], ids=["at once", "paced"])
def test_a_connection_that_is_cut(serve: Serve, cuts_s: list[float], pace: float):
    async def run() -> list[Event]:
        async with broken(serve(), *[(CUT, 400 + round(cut * SECOND)) for cut in cuts_s]) as between:
            return await transcribe(between.url, speech(5, 4, 6), pace=pace)

    events = asyncio.run(run())
    check(events, 5, 4, 6)
    assert len(of(Reconnected, events)) == len(cuts_s)
    assert [event.at for event in of(Reconnected, events)] == sorted(event.at for event in of(Reconnected, events))


def test_a_network_that_takes_nothing_more(serve: Serve):
    async def run() -> list[Event]:
        async with broken(serve(), (FREEZE, 2 * SECOND)) as between:
            return await transcribe(between.url, speech(5, 4), ping_s=0.3)

    events = asyncio.run(run())
    check(events, 5, 4)
    assert len(of(Reconnected, events)) == 1


def test_a_full_server_is_asked_again_when_it_says(serve: Serve):
    running = serve(max_sessions=1)

    async def run() -> list[Event]:
        async with broken(running, (CUT, 2 * SECOND)) as between, Transcriber(between.url) as session:
            talking, events = asyncio.create_task(talk(session, speech(5, 4))), list[Event]()
            async for event in session:
                events.append(event)
                if isinstance(event, Reconnecting) and event.attempt == 1:
                    await asyncio.to_thread(wait_for, lambda: not running.service.admission.live)
                    async with Transcriber(running.url()):  # somebody else takes the place
                        assert isinstance(refused := await anext(session), Reconnecting)
                        events.append(refused)
            await talking
        return events

    events = asyncio.run(run())
    check(events, 5, 4)
    refused = of(Reconnecting, events)[1]
    assert "503" in refused.reason and refused.wait_s >= 1, refused


def test_a_server_that_is_replaced_in_mid_sentence(serve: Serve):
    first, second = serve(), serve()

    async def run() -> list[Event]:
        async with proxy(first.address) as between, Transcriber(between.url) as session:
            sound, events = speech(5, 8), list[Event]()
            await session.send(sound[: 5 * SECOND])
            async for event in session:
                events.append(event)
                if isinstance(event, Partial) and event.utterance == 1 and event.end > 4.4 and not of(Warned, events):
                    between.address = second.address
                    first.server.handle_exit(signal.SIGTERM, None)
                if isinstance(event, Reconnected):
                    await session.send(sound[5 * SECOND :])
                    await session.stop()
        return events

    events = asyncio.run(run())
    check(events, 5, 8)
    assert [warned.code for warned in of(Warned, events)] == ["shutting_down"]


def test_given_up_after_so_many_tries(serve: Serve):
    async def run() -> tuple[list[Event], Unreachable]:
        events = list[Event]()
        async with proxy(serve().address) as between, Transcriber(between.url, tries=3) as session:
            await session.send(speech(5, 4))
            with pytest.raises(Unreachable) as raised:
                async for event in session:
                    events.append(event)
                    if isinstance(event, Final):
                        between.is_open = False
                        between.cut()
            for again in (session.send(b"\0\0"), anext(session), session.stop()):
                with pytest.raises(Unreachable):
                    await again
        return events, raised.value

    events, error = asyncio.run(run())
    assert [event.attempt for event in of(Reconnecting, events)] == [1, 2, 3]
    assert "given up after 3 tries" in str(error)
    assert len(of(Final, events)) >= 1


def test_send_waits_while_nothing_gets_through(serve: Serve):
    """15 s are kept; the 16th waits until the network is back."""

    async def run() -> list[Event]:
        async with proxy(serve().address) as between, Transcriber(between.url, tries=50, **SHORT) as session:
            between.is_open = False
            between.cut()
            sound = speech(*[8] * 7)
            assert len(sound) > 20 * SECOND
            talking, events = asyncio.create_task(talk(session, sound, pace=0)), list[Event]()
            while len(of(Reconnecting, events)) < 3:
                events.append(await anext(session))
            assert not talking.done() and 13 < session.unsent_s < 16
            between.is_open = True
            events += [event async for event in session]
            await talking
        return events

    check(asyncio.run(run()), *[8] * 7)


def test_a_long_silence_is_let_go(serve: Serve):
    """Four times what is kept; and what is said after it is heard again when the connection is cut."""

    async def run() -> list[Event]:
        async with broken(serve(), (CUT, 62 * SECOND)) as between:
            return await transcribe(between.url, s16(silence(60)).tobytes() + speech(5, 4), pace=0.001, **SHORT)

    events = asyncio.run(run())
    check(events, 5, 4, at_s=60)
    (again,) = of(Reconnected, events)
    assert again.at > 45
    assert not of(Flushed, events), "what the client asks for itself is its own business"


def test_markers_come_once_and_in_order_over_a_cut(serve: Serve):
    async def run() -> list[Event]:
        sound = speech(5, 4, 6)
        async with broken(serve(), (CUT, 4 * SECOND)) as between, Transcriber(between.url) as session:
            for n, at in enumerate(range(0, len(sound), SECOND)):
                await session.send(sound[at : at + SECOND])
                if n in (2, 3, 5):  # 3.0 and 4.0 s: a pause and a pause or a word's end; 6.0: within words
                    await session.flush(f"after {n}")
            await session.finalize()
            await session.stop()
            return [event async for event in session]

    events = asyncio.run(run())
    assert [event.marker for event in of(Flushed, events)] == ["after 2", "after 3", "after 5", None]
    assert [event.at for event in of(Flushed, events)] == pytest.approx([3.0, 4.0, 6.0, len(speech(5, 4, 6)) / SECOND], abs=0.021)


def test_hotwords_outlive_the_connection(serve: Serve):
    async def run() -> list[Event]:
        async with proxy(serve().address) as between, Transcriber(between.url, hotwords=["RoPE"]) as session:
            events = list[Event]()
            await session.configure(["LoRA", {"text": "NCCL", "sounds_like": ["nickel"]}])
            await session.configure([{"text": "GPU", "weight": 17}])
            async for event in session:
                events.append(event)
                if isinstance(event, Rejected):
                    between.cut()
                if isinstance(event, Reconnected):
                    await session.stop()
        return events

    ready, configured, rejected, *_, reconnected, closed = asyncio.run(run())
    assert isinstance(ready, Ready) and ready.config["hotwords"] == 1
    assert isinstance(configured, Configured) and configured.hotwords == 2
    assert isinstance(rejected, Rejected) and "17" in rejected.message
    assert isinstance(reconnected, Reconnected) and reconnected.config["hotwords"] == 2
    assert isinstance(closed, Closed)


def test_a_client_that_says_nothing_is_not_taken_for_gone(serve: Serve, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("client_examples.client.KEEPALIVE_S", 0.2)

    async def run() -> list[Event]:
        async with Transcriber(serve(idle_s=1.0).url()) as session:
            await asyncio.sleep(1.5)
            await talk(session, speech(5), pace=0)
            return [event async for event in session]

    events = asyncio.run(run())
    check(events, 5)
    assert not of(Reconnecting, events)


async def enter(url: str, **settings: Any) -> None:
    async with Transcriber(url, **settings):
        pass


def test_a_wrong_key_is_refused_at_once(serve: Serve):
    url = serve(keys=(b"right",)).url()
    asyncio.run(enter(url, key="right"))
    with pytest.raises(Refused, match="HTTP 401.*valid API key"):
        asyncio.run(enter(url, key="wrong"))


def test_a_key_that_is_not_valid_any_more_ends_the_tries(serve: Serve):
    open_to_all, wants_key = serve(), serve(keys=(b"right",))

    async def run() -> None:
        async with proxy(open_to_all.address, (CUT, SECOND)) as between, Transcriber(between.url) as session:
            between.address = wants_key.address
            await session.send(speech(5))
            async for _ in session:
                pass

    with pytest.raises(Refused, match="HTTP 401"):
        asyncio.run(run())


def test_a_setting_that_the_server_does_not_know(serve: Serve):
    with pytest.raises(Refused, match="silence_ms is 7, expected"):
        asyncio.run(enter(serve().url(), endpointing={"silence_ms": 7}))


@pytest.mark.parametrize("path", ["/", "/v1/listen", "/v1/realtime"])
def test_another_protocol_is_refused(serve: Serve, path: str):
    with pytest.raises(Refused, match="expected /v1/stream"):
        asyncio.run(enter(serve().url().removesuffix("/v1/stream") + path))


def test_a_url_of_another_kind_is_refused():
    with pytest.raises(Refused, match="expected ws://"):
        asyncio.run(enter("http://127.0.0.1:9/v1/stream"))


def test_a_text_alone_is_one_hotword(serve: Serve):
    async def run() -> list[Event]:
        async with Transcriber(serve().url(), hotwords="RoPE") as session:
            await session.configure("LoRA", "gpu")
            await session.stop()
            return [event async for event in session]

    ready, configured, _ = asyncio.run(run())
    assert isinstance(ready, Ready) and ready.config["hotwords"] == 1
    assert isinstance(configured, Configured) and configured.hotword_lists == ("gpu",)


def test_a_format_is_not_to_be_chosen():
    with pytest.raises(TypeError, match="'f32le', expected none"):
        Transcriber(format="f32le")


def test_nobody_listens():
    with pytest.raises(Unreachable, match="127.0.0.1:9"):
        asyncio.run(enter("ws://127.0.0.1:9/v1/stream"))


def test_nothing_can_be_sent_after_the_end(serve: Serve):
    async def run() -> None:
        async with Transcriber(serve().url()) as session:
            await session.stop()
            with pytest.raises(TranscriberError, match="stop"):
                await session.send(bytes(100))

    asyncio.run(run())


def test_leaving_early_leaves_nothing_behind(serve: Serve):
    async def run() -> set[str]:
        async with Transcriber(serve().url()) as session:
            await session.send(speech(5))
        await asyncio.sleep(0)
        return {repr(task) for task in asyncio.all_tasks() if task is not asyncio.current_task()}

    assert asyncio.run(run()) == set()


def test_leaving_early_ends_the_other_tasks(serve: Serve):
    """One reads, one sends and waits, as nothing gets through."""

    async def run() -> list[Any]:
        async with proxy(serve().address) as between, Transcriber(between.url, **SHORT) as session:
            between.is_open = False
            between.cut()

            async def read() -> list[Event]:
                return [event async for event in session]

            talking = asyncio.create_task(talk(session, bytes(20 * SECOND), pace=0))
            while not isinstance(event := await anext(session), Reconnecting) or event.attempt < 3:
                pass
            assert not talking.done() and session.unsent_s > 13
            reading = asyncio.create_task(read())
            await asyncio.sleep(0)
        return await asyncio.wait_for(asyncio.gather(talking, reading, return_exceptions=True), 10)

    sent, rest = asyncio.run(run())
    assert isinstance(sent, TranscriberError) and "over" in str(sent)
    assert rest == []


def test_the_embedded_model_over_a_network_that_fails(live: Server, talk_opening: tuple[Path, str]):
    sound, rate = soundfile.read(talk_opening[0], dtype="int16")
    assert rate == SAMPLE_RATE
    address = live.url.removeprefix("ws://").removesuffix("/v1/stream")

    async def run() -> list[Event]:
        async with proxy(address, (CUT, 2 * SECOND), (CUT, 4 * SECOND), (CUT, 3 * SECOND)) as between:
            return await transcribe(between.url, sound.tobytes(), pace=0.05, language="en")

    events = asyncio.run(run())
    heard = " ".join(final.text for final in of(Final, events))
    words = tokens(talk_opening[1])
    assert errors(words, tokens(heard)) <= 0.15 * len(words), heard
    assert len(of(Reconnected, events)) >= 2
