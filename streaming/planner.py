"""When to ask the recogniser for what: the audio of one utterance → step requests, at most one in flight."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from model.interfaces import DecodeContext, Hypothesis, Roll, SampleIndex, Samples, StepRequest, UtteranceId, Word
from streaming.context import Context
from streaming.pace import Pace
from streaming.segmenter import Began, Went
from streaming.timeline import samples

_FULL_SCALE = 32_768


@dataclass(frozen=True, slots=True)
class PlannerConfig:
    """Durations in ms of audio."""

    partial_interval_ms: int = 400
    first_partial_ms: int = 500  # of audio, pre-roll included
    speculate_after_ms: int = 200  # of silence: the utterance is probably over
    speculates: bool = True  # and its final is asked for before that is sure, so that nobody has to wait for it
    high_mark_ms: int = 16_000  # the window is rolled beyond this
    most_ms: int = 26_000  # in the window; more audio waits
    kept_ms: int = 2_000  # at least this much stays when the window rolls
    fallback_ms: int = 8_000  # stays when there is no word boundary to cut at
    least_restart_ms: int = 200  # a restart so near to the start of the window would tell nothing new

    def at(self, pace: Pace) -> PlannerConfig:
        """With partials as often as the pace has them."""
        interval_ms, first_ms = (round(pace.interval * ms) for ms in (self.partial_interval_ms, self.first_partial_ms))
        return replace(self, partial_interval_ms=interval_ms, first_partial_ms=first_ms)


class Planner:
    """One utterance's audio on its way to the recogniser."""

    def __init__(
        self, utterance: UtteranceId, began: Began, config: PlannerConfig, context: DecodeContext, *, partials: bool
    ) -> None:
        self.utterance = utterance
        self.start = began.start
        self._config, self._context, self._partials = config, context, partials
        self._window_start = began.start
        self._sent: SampleIndex = began.start
        self._pending: list[Samples] = [began.samples]
        self._pending_size = len(began.samples)
        self._interval_ms = config.partial_interval_ms
        self._revision = 0
        self._in_flight = False
        self._asked_whole_to: SampleIndex = -1  # where the last whole-window request ended
        self._roll: Roll | None = None
        self.voiced_end = began.voiced_end
        self.silence_ms = 0
        self.covered: SampleIndex = began.start  # audio that a hypothesis has answered for
        self.is_ended = False
        self.is_asked_final = False
        self.has_left_stream = False  # the recogniser must let go of the one that it holds
        self.is_doubted = False  # the next request is to be of the whole window
        self._kept: list[NDArray[np.int16]] = []  # what was sent of the present window
        self._kept_from: SampleIndex = began.start
        self._until: SampleIndex | None = None  # no more is asked for than up to here

    def bias(self, context: DecodeContext) -> None:
        """With the next request."""
        self._context = context

    def precede(self, context: Context) -> None:
        """Before the first request: the window starts with this audio, which is known already."""
        self._window_start = self._sent = self._kept_from = context.start
        self._pending.insert(0, context.samples)
        self._pending_size += len(context.samples)

    @property
    def end(self) -> SampleIndex:
        """Audio received."""
        return self._sent + self._pending_size

    @property
    def uncovered(self) -> int:
        """Samples of speech that no hypothesis covers."""
        return max(0, self._speech_end - self.covered)

    @property
    def backlog(self) -> int:
        """Samples of speech that wait for the recogniser, not only for enough of them to make a request."""
        c = self._config
        gathered_ms = max(c.first_partial_ms, self._interval_ms) if self._partials else c.high_mark_ms
        return self.uncovered if self._in_flight or self.uncovered > samples(gathered_ms) else 0

    @property
    def is_open(self) -> bool:
        """The recogniser holds a stream for it."""
        return self._revision > 0

    def hear(self, went: Went) -> None:
        """One more frame."""
        self._pending.append(went.samples)
        self._pending_size += len(went.samples)
        self.voiced_end, self.silence_ms = went.voiced_end, went.silence_ms

    def answered(self, hypothesis: Hypothesis) -> bool:
        """Take note of an answer; False if it is a late one."""
        if not self._in_flight or hypothesis.revision != self._revision - 1:
            return False
        self._in_flight = False
        self.covered = hypothesis.audio_end
        return True

    def is_covered(self, whole: bool) -> bool:
        """The last answer was of a whole window that holds all the speech, so no further pass would tell more."""
        return whole and not self._in_flight and self._speech_end <= self.covered

    def next_request(
        self, now: float, stable: tuple[Word, ...], interval_ms: int = 0, settled: tuple[Word, ...] = ()
    ) -> StepRequest | None:
        """What to ask now, if anything; partials at least `interval_ms` of audio apart, of what follows the settled words."""
        self._interval_ms = max(self._config.partial_interval_ms, interval_ms)
        if self._in_flight or self.is_asked_final:
            return None
        if self.is_ended:
            return self._request(now, stable, self._speech_end, settled, whole=True, final=True)
        if self._config.speculates and self.silence_ms >= self._config.speculate_after_ms:
            return self._speculate(now, stable, settled)
        return self._partial(now, stable, settled or stable)

    def roll(self, words: tuple[Word, ...]) -> tuple[Word, ...]:
        """If the window is past its high mark: choose the cut, drop the audio before it with the next request.

        Gives the words that are committed thereby. Cuts are made between words, best after a sentence, else in the widest
        gap; with no boundary to cut at, the last seconds stay and every word before them is committed.
        """
        if self.covered - self._window_start < samples(self._config.high_mark_ms):
            return ()
        count, keep_from = self._cut(words)
        self._roll = Roll(keep_from, words[:count])
        self._window_start = keep_from
        kept = np.concatenate(self._kept)[keep_from - self._kept_from :]
        self._kept, self._kept_from = [kept], keep_from
        return words[:count]

    def restart(self, at: SampleIndex, until: SampleIndex | None = None) -> None:
        """Hear the audio from `at` on anew, in a new stream, as if nothing came before it; if given, only up to `until`."""
        audio = np.concatenate(self._kept)[at - self._kept_from :].astype(np.float32) / np.float32(_FULL_SCALE)
        self._pending, self._pending_size = [audio, *self._pending], self._pending_size + len(audio)
        self._window_start = self._sent = self._kept_from = self.covered = at
        self._asked_whole_to, self._kept, self._until = -1, [], until
        self.has_left_stream = self.has_left_stream or not self.is_asked_final
        self.is_asked_final = False

    def take_left_stream(self) -> bool:
        """The recogniser must let go of the stream that it holds, before the next request; said once."""
        left, self.has_left_stream = self.has_left_stream, False
        return left

    def can_restart(self, at: SampleIndex, *, is_part: bool) -> bool:
        """The recogniser would hear something else than before."""
        return self._until is None and (is_part or at - self._window_start >= samples(self._config.least_restart_ms))

    @property
    def _speech_end(self) -> SampleIndex:
        """The last voiced frame and what may still ring after it."""
        if self._until is not None:
            return self._until
        return min(self.end, self.voiced_end + samples(self._config.speculate_after_ms))

    def _speculate(self, now: float, stable: tuple[Word, ...], settled: tuple[Word, ...]) -> StepRequest | None:
        """Once for each pause: if the utterance ends here, its final is ready."""
        if self._asked_whole_to >= self._speech_end:
            return None
        return self._request(now, stable, self._speech_end, settled, whole=True)

    def _partial(self, now: float, stable: tuple[Word, ...], settled: tuple[Word, ...]) -> StepRequest | None:
        c = self._config
        is_long = self.end - self._window_start >= samples(c.high_mark_ms)
        first = self._revision == 0
        due = self.end - max(self._sent, self.start) >= samples(c.first_partial_ms if first else self._interval_ms)
        if not due or not (self._partials or is_long):
            return None
        whole = is_long or self.is_doubted
        return self._request(now, stable if whole else settled, self.end, settled, whole=whole)

    def _request(
        self, now: float, stable: tuple[Word, ...], end: SampleIndex, settled: tuple[Word, ...], *, whole: bool, final: bool = False
    ) -> StepRequest | None:
        end = min(end, self._window_start + samples(self._config.most_ms))
        final = final and end >= min(self.end, self._speech_end)
        audio = self._take(max(0, end - self._sent))
        request = StepRequest(
            self.utterance,
            self._revision,
            self._sent - len(audio),
            audio,
            whole,
            final,
            now,
            self._context,
            stable,
            settled[len(stable) :],
            self._roll,
        )
        self._revision, self._in_flight, self._roll = self._revision + 1, True, None
        self.is_asked_final = final
        if whole:
            self._asked_whole_to, self.is_doubted = self._sent, False
        return request

    def _take(self, count: int) -> Samples:
        audio = np.concatenate([*self._pending, np.zeros(0, np.float32)])
        self._pending = [audio[count:]]
        self._pending_size -= count
        self._sent += count
        self._kept.append((audio[:count] * _FULL_SCALE).round().clip(-_FULL_SCALE, _FULL_SCALE - 1).astype(np.int16))
        return audio[:count]

    def _cut(self, words: tuple[Word, ...]) -> tuple[int, SampleIndex]:
        latest = self.covered - samples(self._config.kept_ms)
        earliest = self._window_start + (self.covered - self._window_start) // 3
        places = [i for i in range(1, len(words)) if earliest <= words[i - 1].end and words[i].start <= latest]
        if not places:
            return self._cut_anywhere(words, earliest)
        best = max(
            places,
            key=lambda i: (
                words[i - 1].text.endswith((".", "?", "!", "。", "？", "！")),
                words[i].start - words[i - 1].end,
                i,
            ),
        )
        return best, (words[best - 1].end + words[best].start) // 2

    def _cut_anywhere(self, words: tuple[Word, ...], earliest: SampleIndex) -> tuple[int, SampleIndex]:
        """The last seconds stay; a word that would be cut stays whole, unless it is so long that nothing would be dropped."""
        keep_from = max(earliest, self.covered - samples(self._config.fallback_ms))
        cut = next((word.start for word in words if word.start < keep_from < word.end), keep_from)
        keep_from = cut if cut >= earliest else keep_from
        return sum(1 for word in words if word.start < keep_from), keep_from
