"""The sans-IO core: commands and hypotheses in, events and requests out. It reads no clock; `now` is any monotonic one.

Theory of operation. Audio becomes frames, frames become utterances (segmenter.py); each utterance asks the recogniser
and turns its answers into a transcript (utterance.py). Everything the peer is told about audio goes through one queue,
in the order of the audio: utterances, and the marks between them. Only the head of the queue speaks; what lies behind
it waits. So finals are in order, and a mark comes after everything that was caused by the audio before it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from model.interfaces import Hotword, Hypothesis, SampleIndex, StepRequest, UtteranceId
from streaming.audio.framer import AudioFrame, Framer
from streaming.audio.pcm import PcmDecoder
from streaming.audio.resample import Resampler
from streaming.biasing import SharedLists, no_lists
from streaming.commands import Append, Bias, Close, Command, Configure, Finalize, Flush, KeepAlive, SessionConfig
from streaming.context import RecentPast
from streaming.endpointing import check_bounds
from streaming.errors import LimitExceeded, Overloaded, ProtocolViolation, ShuttingDown, TranscriptionError
from streaming.events import Biased, Closed, Configured, ErrorEvent, Event, Flushed, UtteranceGap, Warned
from streaming.lifecycle import Operation, State, after
from streaming.planner import PlannerConfig
from streaming.segmenter import Began, Ended, Segmenter, Went
from streaming.timeline import samples, seconds
from streaming.utterance import Utterance
from streaming.vad import SpeechDetector, WebRtcDetector
from streaming.vocabulary import Vocabulary

_MOST_MARKS = 1_000  # flushes waiting for their answer
_BY_PEER = 1000  # close code


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """What the server grants a session; durations in seconds."""

    max_backlog_s: float = 60.0  # audio received and not yet decoded
    idle_s: float = 60.0  # without any command
    max_session_s: float = 4 * 3600.0
    warn_before_s: float = 60.0
    context_ms: int = 8_000  # of earlier audio that an utterance's window starts with
    context_gap_ms: int = 2_000  # a longer pause before it ends the context
    planner: PlannerConfig = field(default_factory=PlannerConfig)


@dataclass(frozen=True, slots=True)
class _Mark:
    """An event that must wait for all that was caused by earlier audio."""

    event: Event
    position: SampleIndex  # of the audio clock when it was asked for


class Session:
    """One client stream, from its configuration to Closed."""

    def __init__(
        self, session_id: str, limits: SessionLimits, detector: SpeechDetector | None = None, shared: SharedLists = no_lists
    ) -> None:
        """`shared` gives the server's lists of hotwords, as they are now."""
        self.id, self.names = session_id, (session_id,)
        self._vocabulary = Vocabulary(shared)
        self._limits = limits
        self._detector = detector
        self._state = State.WAITING
        self._config = SessionConfig()
        self._queue: deque[Utterance | _Mark] = deque()
        self._out: list[Event] = []
        self._abandoned: list[UtteranceId] = []
        self._current: Utterance | None = None
        self._total: SampleIndex | None = None  # samples received, once there will be no more
        self._has_audio = False
        self._utterances = self._words = 0
        self._framer = Framer()
        self._past = RecentPast(limits.context_ms, limits.context_gap_ms)
        self._last_word_end: SampleIndex | None = None
        self._started_at: float | None = None
        self._heard_from_at: float | None = None
        self._has_warned = False
        self._close_code, self._close_reason = _BY_PEER, "closed"

    # what comes in

    def receive(self, command: Command, *, now: float) -> None:
        """Take a command, unless it is over or was ended from here. A fault becomes an ErrorEvent and changes nothing else."""
        if self.is_closed or (self._state is State.CLOSING and self._close_code != _BY_PEER):
            return  # the peer may not know yet
        self._started_at = now if self._started_at is None else self._started_at
        self._heard_from_at = now
        try:
            self._receive(command)
        except TranscriptionError as error:
            self._out.append(ErrorEvent(error))
        self._settle()

    def receive_hypothesis(self, hypothesis: Hypothesis, *, now: float) -> None:
        """Take an answer of the recogniser; one for an utterance that is gone changes nothing."""
        for utterance in self._open_utterances():
            if utterance.id == hypothesis.utterance:
                utterance.answer(hypothesis)
        self._settle()

    def fail(self, utterance_id: UtteranceId, error: TranscriptionError, *, now: float) -> None:
        """The recogniser failed on an utterance: it ends with its stable words; the session goes on."""
        for utterance in self._open_utterances():
            if utterance.id == utterance_id:
                self._out.append(ErrorEvent(error))
                self._apply(self._segmenter.end("error") if utterance is self._current else [])
                utterance.fail(min(utterance.planner.end, self._received))
        self._settle()

    def receive_eof(self, *, now: float) -> None:
        """The peer is gone or has said all; idempotent."""
        if self._state in (State.WAITING, State.STREAMING):
            self.receive(Close(), now=now)

    def shut_down(self, *, now: float) -> None:
        """The server is going: warn, finish what was heard, close with 1012."""
        if self._state in (State.CLOSING, State.CLOSED):
            return
        self._out.append(Warned("shutting_down", "the server is shutting down; this session is being finished"))
        self._end(ShuttingDown.close_code, "server shutting down", "shutting_down")
        self._settle()

    def abort(self, error: TranscriptionError, *, now: float) -> None:
        """End with an error; what was heard is still finished."""
        if self._state in (State.WAITING, State.STREAMING):
            self._out.append(ErrorEvent(error, is_fatal=True))
            self._end(error.close_code, error.message)
            self._settle()

    def tick(self, *, now: float) -> None:
        """See to the time-outs."""
        if self._state not in (State.WAITING, State.STREAMING) or self._started_at is None or self._heard_from_at is None:
            return
        limits = self._limits
        if now - self._heard_from_at >= limits.idle_s:
            self.abort(LimitExceeded(f"nothing received for {limits.idle_s:g} s", code="idle_timeout"), now=now)
        elif now - self._started_at >= limits.max_session_s:
            self.abort(LimitExceeded(f"the session reached its {limits.max_session_s:g} s", code="session_expired"), now=now)
        elif not self._has_warned and now - self._started_at >= limits.max_session_s - limits.warn_before_s:
            self._has_warned = True
            self._out.append(Warned("session_expires", f"the session ends in {limits.warn_before_s:g} s"))

    # what goes out

    def events_to_send(self) -> list[Event]:
        """Events since the last call, in order."""
        events, self._out = self._out, []
        return events

    def requests_to_submit(self, *, now: float = 0.0, interval_ms: int = 0) -> list[StepRequest]:
        """Requests that are due. One utterance at a time, the earliest, has at most one unanswered.

        `interval_ms` of audio lie between partials at least: what the device can keep up with.
        """
        utterance = next(iter(self._open_utterances()), None)
        if utterance is None:
            return []
        if not utterance.is_begun:
            utterance.begin(self._past.with_words(utterance.heard))
        request = utterance.next_request(now, interval_ms)
        return [] if request is None else [request]

    def streams_to_close(self) -> list[UtteranceId]:
        """Of utterances that got their final without a final request or are heard anew; before what else is submitted."""
        abandoned, self._abandoned = self._abandoned, []
        return abandoned + [utterance.id for utterance in self._open_utterances() if utterance.planner.take_left_stream()]

    def next_deadline(self) -> float | None:
        """When tick() has something to do, unless a command comes first."""
        if self._started_at is None or self._heard_from_at is None or self._state in (State.CLOSING, State.CLOSED):
            return None
        limits = self._limits
        end = self._started_at + limits.max_session_s
        return min(self._heard_from_at + limits.idle_s, end if self._has_warned else end - limits.warn_before_s)

    @property
    def backlog(self) -> float:
        """Seconds of speech received that wait for the recogniser."""
        return seconds(sum(utterance.backlog for utterance in self._open_utterances()))

    @property
    def is_closed(self) -> bool:
        """Closed has been told; nothing more will come."""
        return self._state is State.CLOSED

    # commands

    def _receive(self, command: Command) -> None:
        match command:
            case KeepAlive():
                pass
            case Configure(config):
                self._configure(config)
            case Bias(hotwords, names):
                self._bias(hotwords, names)
            case Append(payload):
                self._append(payload)
            case Finalize():
                self._finalize(None)
            case Flush(marker):
                self._finalize(marker)
            case Close():
                after(self._state, Operation.END)
                if self._state is not State.CLOSING:
                    self._end(_BY_PEER, "closed")

    def _configure(self, config: SessionConfig) -> None:
        following = after(self._state, Operation.CONFIGURE)
        check_bounds(config.endpointing)
        config = replace(config, hotwords=self._vocabulary.checked(config.hotwords, config.hotword_lists, config.text))
        if self._has_audio and config.audio != self._config.audio:
            raise ProtocolViolation("the audio format cannot change once audio has come", field="audio")
        if not self._has_audio:
            self._start(config)
        self._segmenter.configure(config.endpointing)
        self._state, self._config = following, config
        self._favour()
        self._out.append(Configured(config))

    def _bias(self, hotwords: tuple[Hotword, ...], names: tuple[str, ...]) -> None:
        after(self._state, Operation.BIAS)
        self._config = replace(self._config, hotwords=self._vocabulary.checked(hotwords, names), hotword_lists=names)
        self._favour()
        self._out.append(Biased(self._config))

    def _favour(self) -> None:
        self._vocabulary.take(self._config)
        for utterance in self._open_utterances():
            utterance.bias(*self._vocabulary.in_force())

    def _start(self, config: SessionConfig) -> None:
        self._decoder = PcmDecoder(config.audio)
        self._resampler = Resampler(config.audio.sample_rate)
        self._segmenter = Segmenter(config.endpointing, self._detector or WebRtcDetector())

    def _append(self, payload: bytes) -> None:
        after(self._state, Operation.AUDIO)
        self._has_audio = True
        if self.backlog > self._limits.max_backlog_s:
            waiting, most = self.backlog, self._limits.max_backlog_s
            raise Overloaded(f"{waiting:.1f} s of audio wait to be decoded, expected at most {most:g} s; this message was refused")
        self._hear(self._framer.process(self._resampler.process(self._decoder.process(payload))))

    def _finalize(self, marker: str | None) -> None:
        after(self._state, Operation.FINALIZE)
        if len(self._queue) > _MOST_MARKS:
            raise LimitExceeded(f"{len(self._queue)} flushes wait for their answer, expected at most {_MOST_MARKS}")
        self._apply(self._segmenter.end("finalize"))
        self._queue.append(_Mark(Flushed(marker, self._framer.position), self._segmenter.position))

    def _end(self, code: int, reason: str, why: str = "close") -> None:
        """`why`: what ends the utterance that is being said."""
        if self._state is State.STREAMING:
            self._finish_audio(why)
        self._state = after(self._state, Operation.END)
        self._close_code, self._close_reason = code, reason

    def _finish_audio(self, why: str) -> None:
        if left := self._decoder.flush():
            self._out.append(Warned("unfinished_sample", f"{left} bytes at the end were not a whole sample and were dropped"))
        self._hear(self._framer.process(self._resampler.flush()))
        self._total = self._framer.position
        self._hear(self._framer.flush())
        self._apply(self._segmenter.end(why))

    # audio

    def _hear(self, frames: Iterable[AudioFrame]) -> None:
        for frame in frames:
            self._past.hear(frame)
            self._apply(self._segmenter.process(frame))
            if not self._queue:
                self._mark_gap(frame.end)

    def _apply(self, segments: list[Began | Went | Ended]) -> None:
        for segment in segments:
            match segment:
                case Began() if self._total is None or segment.start < self._total:
                    self._begin(segment)
                case Went() if self._current:
                    self._current.hear(segment)
                case Ended(at, reason) if self._current:
                    self._current.finish(min(at, self._received), reason)
                    self._current = None

    def _begin(self, began: Began) -> None:
        context, writer = self._vocabulary.opening()
        heard = self._past.audio_before(began.start)
        name = UtteranceId(self.id, self._utterances)
        self._utterances += 1
        c, planner = self._config, self._limits.planner
        self._current = Utterance(name, began, heard, planner, context, partials=c.partials, writer=writer, pace=c.pace)
        self._queue.append(self._current)

    def _mark_gap(self, position: SampleIndex) -> None:
        """Say that no word followed, if the audio clock had come so far at `position`.

        Asked at each frame of silence, or later of what came next: so the answer does not depend on when finals come.
        """
        gap_ms = self._config.endpointing.word_gap_ms
        if gap_ms is None or self._last_word_end is None:
            return
        if position - self._last_word_end >= samples(gap_ms):
            self._out.append(UtteranceGap(self._last_word_end))
            self._last_word_end = None

    # the queue

    def _open_utterances(self) -> list[Utterance]:
        return [item for item in self._queue if isinstance(item, Utterance) and not item.final]

    def _settle(self) -> None:
        """Let the head of the queue speak, and what follows it once it is done."""
        while self._queue:
            head = self._queue[0]
            self._mark_gap(head.position)
            if isinstance(head, _Mark):
                self._out.append(head.event)
            else:
                self._out += head.events
                head.events.clear()
                if not head.final:
                    return
                self._note(head)
            self._queue.popleft()
        if self._has_audio:
            self._mark_gap(self._segmenter.position)
        if self._state is State.CLOSING:
            self._state = after(self._state, Operation.FINISHED)
            self._out.append(Closed(self._close_code, self._close_reason, self._received, self._utterances, self._words))

    @property
    def _received(self) -> SampleIndex:
        return self._framer.position if self._total is None else self._total

    def _note(self, utterance: Utterance) -> None:
        assert utterance.final is not None
        if utterance.planner.is_open and not utterance.planner.is_asked_final:
            self._abandoned.append(utterance.id)
        self._past.note(utterance.said)
        if words := utterance.final.words:
            self._words += len(words)
            self._last_word_end = words[-1].end
