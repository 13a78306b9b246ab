"""One utterance from its first frame to its final: what to ask, what to tell."""

from __future__ import annotations

from model.interfaces import DecodeContext, Hypothesis, SampleIndex, StepRequest, UtteranceId, Word
from streaming.audio.framer import FRAME_SAMPLES
from streaming.context import Context
from streaming.events import Event, FinalTranscript, PartialTranscript, SpeechEnded, SpeechStarted
from streaming.planner import Planner, PlannerConfig
from streaming.segmenter import Began, Went
from streaming.spelling import NO_HOTWORDS, Speller
from streaming.stabiliser import Stabiliser, Transcript
from streaming.writing import Writer


class Utterance:
    """Joins planner and stabiliser; `events` waits until the utterances before it are done."""

    def __init__(
        self,
        utterance: UtteranceId,
        began: Began,
        heard: Context,
        config: PlannerConfig,
        context: DecodeContext,
        *,
        partials: bool,
        speller: Speller = NO_HOTWORDS,
    ) -> None:
        self.id = utterance
        self.position = began.start + len(began.samples) - FRAME_SAMPLES  # of the audio clock before it was noticed
        self.heard = heard  # the audio before it
        self.is_begun = False
        self.planner = Planner(utterance, began, config, context, partials=partials)
        self.events: list[Event] = [SpeechStarted(utterance.number, began.start)]
        self.final: FinalTranscript | None = None
        self._stabiliser = Stabiliser()
        self._writer = Writer(speller)
        self._partials = partials
        self._language: str | None = context.language
        self._language_confidence = 1.0 if context.language else 0.0
        self._end: SampleIndex = began.start
        self._reason = ""
        self._has_told = False
        self._is_ready = False  # the latest answer can serve as the final one

    def begin(self, context: Context) -> None:
        """The utterances before it are done: what they said is its context."""
        self.is_begun = True
        self.planner.precede(context)
        self._stabiliser = Stabiliser(context.words)

    def bias(self, context: DecodeContext, speller: Speller) -> None:
        """Other hotwords, for what is not stable yet."""
        self.planner.bias(context)
        self._writer.speller = speller

    def hear(self, went: Went) -> None:
        """One more frame."""
        self.planner.hear(went)
        self._is_ready = self._is_ready and self.planner.is_covered(True)

    def finish(self, at: SampleIndex, reason: str) -> None:
        """No more audio. If a pass over all the speech is there already, the final is out at once."""
        self.planner.is_ended = True
        self._end, self._reason = at, reason
        self._is_ready = self._is_ready or self.planner.end == self.planner.start
        self._finish_if_ready()

    def next_request(self, now: float, interval_ms: int = 0) -> StepRequest | None:
        """What to ask the recogniser now, if anything."""
        return None if self.final else self.planner.next_request(now, self._stabiliser.window, interval_ms)

    def answer(self, hypothesis: Hypothesis) -> None:
        """A hypothesis came; late ones change nothing."""
        if self.final or not self.planner.answered(hypothesis):
            return
        self._language, self._language_confidence = hypothesis.language, hypothesis.language_confidence
        transcript = self._stabiliser.update(hypothesis)
        self._is_ready = hypothesis.is_final or self.planner.is_covered(hypothesis.whole_window)
        if hypothesis.whole_window and not hypothesis.is_final:
            committed = self.planner.roll(self._stabiliser.in_window)
            transcript = self._stabiliser.roll(committed) if committed else transcript
        self._tell(self._writer.write(transcript), hypothesis)
        if self.planner.is_ended:
            self._finish_if_ready()

    def fail(self, at: SampleIndex) -> None:
        """The recogniser cannot go on with it: the stable words are all there will be."""
        if self.final:
            return
        self.planner.is_ended = True
        self._end, self._reason = max(at, self._end), "error"
        self._stabiliser.drop_unstable()
        self._finish()

    @property
    def backlog(self) -> int:
        """Samples of speech that wait for the recogniser."""
        return self.planner.backlog if self.is_begun else self.planner.uncovered

    def _tell(self, transcript: Transcript, hypothesis: Hypothesis) -> None:
        if not self._partials or hypothesis.is_final or not (transcript.words or self._has_told):
            return
        partial = PartialTranscript(
            self.id.number,
            hypothesis.revision,
            _within(transcript.stable, self.planner.start, hypothesis.audio_end),
            _within(transcript.unstable, self.planner.start, hypothesis.audio_end),
            self.planner.start,
            hypothesis.audio_end,
            self._language,
        )
        if self.events and isinstance(self.events[-1], PartialTranscript):
            self.events.pop()  # the newest replaces one that waits
        self.events.append(partial)
        self._has_told = True

    def _finish_if_ready(self) -> None:
        if self._is_ready:
            self._finish()

    def _finish(self) -> None:
        words = _within(self._writer.write_all(self._stabiliser.latest.words), self.planner.start, self._end)
        if self.events and isinstance(self.events[-1], PartialTranscript):
            self.events.pop()
        self.final = FinalTranscript(
            self.id.number,
            words,
            self.planner.start,
            self._end,
            self._language,
            self._language_confidence,
            self._reason,
        )
        self.events += [self.final, SpeechEnded(self.id.number, min(self.planner.voiced_end, self._end))]


def _within(words: tuple[Word, ...], start: SampleIndex, end: SampleIndex) -> tuple[Word, ...]:
    """Times clipped to the utterance: the recogniser hears a little silence after the end."""
    if all(start <= word.start and word.end <= end for word in words):
        return words
    return tuple(Word(w.text, min(max(w.start, start), end), min(max(w.end, start), end), w.confidence, w.tokens) for w in words)
