"""One utterance from its first frame to its final: what to ask, what to tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from model.interfaces import DecodeContext, Hypothesis, SampleIndex, StepRequest, UtteranceId, Word
from streaming.audio.framer import FRAME_SAMPLES
from streaming.context import Context
from streaming.coverage import Coverage, Gap
from streaming.events import Event, FinalTranscript, PartialTranscript, SpeechEnded, SpeechStarted
from streaming.pace import Pace
from streaming.planner import Planner, PlannerConfig
from streaming.segmenter import Began, Went
from streaming.spelling import Speller
from streaming.stabiliser import Stabiliser, Transcript
from streaming.writing import Writer

_LEAST_GAP_MS = 1_000  # of voice without words, while the utterance goes on
_LEAST_AT_END_MS = 600  # of it after the last word, when the utterance has ended
_LEAST_ALONE_MS = 200  # of it then, if there is no word at all but those of the context
_LEAST_KEPT = 0.5  # confidence of words behind which the window begins anew
_LEAST_FILLED = 0.8  # of words where there had been none at first, or behind a context: with less they may be in another language
_LEAST_LANGUAGE_CONFIDENCE = 0.5  # noise heard alone is given words, but in no language in particular


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
        writer: Writer | None = None,
        pace: Pace = Pace(),
    ) -> None:
        self.id = utterance
        self.position = began.start + len(began.samples) - FRAME_SAMPLES  # of the audio clock before it was noticed
        self.heard = heard  # the audio before it
        self.is_begun = False
        self.planner = Planner(utterance, began, config.at(pace), context, partials=partials)
        self.events: list[Event] = [SpeechStarted(utterance.number, began.start)]
        self.final: FinalTranscript | None = None
        self.said: tuple[Word, ...] = ()  # with the final: its words as the recogniser has them, for its ears only
        self._coverage = Coverage(began)
        self._pace = pace.with_hotwords() if context.hotwords else pace
        self._stabiliser = Stabiliser(pace=self._pace)
        self._after: tuple[Word, ...] = ()  # words behind those that are being heard
        self._processing_s = 0.0
        self._spoken: list[tuple[str | None, float, int]] = []  # languages, their confidence, numbers of words
        self._writer = writer or Writer()
        self._partials = partials
        self._language: str | None = context.language
        self._is_language_given = bool(context.language)
        self._language_confidence = 1.0 if context.language else 0.0
        self._silent_from: SampleIndex | None = None  # there was speech without words from here on
        self._end: SampleIndex = began.start
        self._reason = ""
        self._has_told = False
        self._is_ready = False  # the latest answer can serve as the final one

    def begin(self, context: Context) -> None:
        """The utterances before it are done: what they said is its context."""
        self.is_begun = True
        self.planner.precede(context)
        self._stabiliser = Stabiliser(context.words, self._pace)

    def bias(self, context: DecodeContext, speller: Speller) -> None:
        """Other hotwords, for what is not stable yet."""
        self.planner.bias(context)
        self._writer.spell(speller)

    def hear(self, went: Went) -> None:
        """One more frame."""
        self.planner.hear(went)
        self._coverage.hear(went)
        self._is_ready = self._is_ready and self.planner.is_covered(True)

    def finish(self, at: SampleIndex, reason: str) -> None:
        """No more audio. If a pass over all the speech is there already, the final is out at once."""
        self.planner.is_ended = True
        self._end, self._reason = at, reason
        self._is_ready = self._is_ready or self.planner.end == self.planner.start
        self._finish_if_ready()

    def next_request(self, now: float, interval_ms: int = 0) -> StepRequest | None:
        """What to ask the recogniser now, if anything."""
        known = self._stabiliser
        return None if self.final else self.planner.next_request(now, known.window, interval_ms, known.settled)

    def answer(self, hypothesis: Hypothesis) -> None:
        """A hypothesis came; late ones change nothing but what it has cost."""
        self._processing_s += hypothesis.compute_s
        if self.final or not self.planner.answered(hypothesis):
            return
        if self._language_has_changed(hypothesis):
            self._restart(self._stabiliser.in_window)
            return
        self._language, self._language_confidence = hypothesis.language, hypothesis.language_confidence
        is_noise = bool(self._spoken) and self._language_confidence < _LEAST_LANGUAGE_CONFIDENCE
        transcript = self._stabiliser.update(replace(hypothesis, words=()) if is_noise else hypothesis)
        self._is_ready = hypothesis.is_final or self.planner.is_covered(hypothesis.whole_window)
        if not hypothesis.is_final:
            transcript = self._move_on(hypothesis) or transcript
        self._tell(self._writer.write(transcript), hypothesis)
        if self.planner.is_ended:
            self._finish_if_ready()

    def _move_on(self, hypothesis: Hypothesis) -> Transcript | None:
        """The window may begin later from now on: behind words after which the model is deaf, or because it is long."""
        words = self._stabiliser.in_window
        gap = None if self._is_language_given else self._gap(words, hypothesis.audio_end)
        if gap and gap.index == len(words) and not hypothesis.whole_window:
            self.planner.is_doubted, self._silent_from = True, gap.start
        elif gap and gap.index == len(words) and _mean(words) >= _LEAST_KEPT:
            return self._restart(words)
        elif hypothesis.whole_window and (known := self._before_foreign(words)) is not None:
            return self._restart(known)
        elif known := self._foreign_context(words):
            return self._restart(known)
        elif hypothesis.whole_window and (committed := self.planner.roll(words)):
            return self._stabiliser.roll(committed)
        return None

    def _before_foreign(self, words: tuple[Word, ...]) -> tuple[Word, ...] | None:
        """Words before speech that had none at first and has doubtful ones now: it may be in another language than they are."""
        start, self._silent_from = self._silent_from, None
        known = tuple(word for word in words if start is not None and word.start < start)
        return known if start is not None and self._may_be_foreign(words, known) else None

    def _foreign_context(self, words: tuple[Word, ...]) -> tuple[Word, ...]:
        """Words before the utterance that settled the window's language, if that and the utterance's own words are doubtful now."""
        known = tuple(word for word in words if word.end <= self.planner.start)
        is_open = self._language_confidence < _LEAST_FILLED and len(self._stabiliser.window) <= len(known)
        return known if known and is_open and self._may_be_foreign(words, known) else ()

    def _may_be_foreign(self, words: tuple[Word, ...], known: tuple[Word, ...]) -> bool:
        """The words behind these first ones are doubtful, and may be heard anew in any language."""
        is_doubtful = not self._is_language_given and _mean(words[len(known) :]) < _LEAST_FILLED
        return is_doubtful and self.planner.can_restart(self._told_end(known), is_part=False)

    def _language_has_changed(self, hypothesis: Hypothesis) -> bool:
        """In the middle: what was heard in the one language is missing from what is heard in the other."""
        words = self._stabiliser.in_window
        was_sure = self._language_confidence >= _LEAST_LANGUAGE_CONFIDENCE
        if hypothesis.language == self._language or not (words and was_sure) or self._stabiliser.window:
            return False
        gap = self._gap(hypothesis.words, hypothesis.audio_end)
        can_restart = self.planner.can_restart(self._told_end(words), is_part=False)
        return can_restart and gap is not None and gap.start < words[-1].end

    def _gap(self, words: tuple[Word, ...], end: SampleIndex, least_after_ms: int = _LEAST_GAP_MS) -> Gap | None:
        """Speech without words that can be heard anew."""
        gap = self._coverage.gap(words, self._told_end(()), end, _LEAST_GAP_MS, least_after_ms)
        if gap is None:
            return None
        at, is_part = self._told_end(words[: gap.index]), gap.index < len(words)
        return gap if self.planner.can_restart(at, is_part=is_part) else None

    def _told_end(self, words: tuple[Word, ...]) -> SampleIndex:
        """Where the last one of these ends, or what came before them."""
        before = self._stabiliser.rolled_end
        return max(self.planner.start, before, words[-1].end if words else 0)

    def _restart(self, words: tuple[Word, ...], until: SampleIndex | None = None) -> Transcript:
        """These words of the window are kept; what comes after them is heard anew."""
        at = self._told_end(words)
        self._note_language(words + self._after)
        transcript = self._stabiliser.keep(words)
        self.planner.restart(at, until)
        self._is_ready = False
        return transcript

    def _note_language(self, words: tuple[Word, ...]) -> None:
        count = sum(word.end > self.planner.start for word in words)
        self._spoken.append((self._language, self._language_confidence, count))

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
        if self._is_ready and not self._must_hear_again():
            self._finish()

    def _must_hear_again(self) -> bool:
        """What has no words, once, before it is too late."""
        words = self._stabiliser.in_window
        has_own = bool(words) and words[-1].end > self.planner.start
        gap = self._gap(words, self.planner.voiced_end, _LEAST_AT_END_MS if has_own else _LEAST_ALONE_MS)
        if gap is None or gap.index < len(self._stabiliser.window):
            return False
        self._after = words[gap.index :]
        self._restart(words[: gap.index], gap.end if self._after else None)
        return True

    def _finish(self) -> None:
        said = self._stabiliser.latest.words
        after = tuple(replace(word, start=max(word.start, self._told_end(said))) for word in self._after)
        heard = _joined(said, after)
        self.said = _within(heard, self.planner.start, self._end)
        words = _within(self._writer.write_all(heard), self.planner.start, self._end)
        if self.events and isinstance(self.events[-1], PartialTranscript):
            self.events.pop()
        self._note_language(self._stabiliser.in_window)
        language, confidence, _ = max(self._spoken, key=lambda spoken: spoken[2])
        languages = tuple(dict.fromkeys(spoken[0] for spoken in self._spoken if spoken[0] and (spoken[2] or not words)))
        self.final = FinalTranscript(
            self.id.number,
            words,
            self.planner.start,
            self._end,
            language,
            confidence,
            self._reason,
            languages,
            processing_s=self._processing_s,
        )
        self.events += [self.final, SpeechEnded(self.id.number, min(self.planner.voiced_end, self._end))]


def _mean(words: Sequence[Word]) -> float:
    """Of their confidence; 1 if there are none."""
    return sum(word.confidence for word in words) / len(words) if words else 1.0


def _joined(before: tuple[Word, ...], after: tuple[Word, ...]) -> tuple[Word, ...]:
    """Heard apart: a Latin word that stood behind Chinese brings no space of its own."""
    if before and after and after[0].text[:1].isalnum() and (before[-1].text[-1:] + after[0].text[:1]).isascii():
        after = (replace(after[0], text=" " + after[0].text), *after[1:])
    return before + after


def _within(words: tuple[Word, ...], start: SampleIndex, end: SampleIndex) -> tuple[Word, ...]:
    """Times clipped to the utterance, as the recogniser hears a little silence after the end, and in order over rolled windows."""
    found = list[Word]()
    for word in words:
        begins = min(max(word.start, start), end)
        start = min(max(word.end, begins), end)
        fits = (begins, start) == (word.start, word.end)
        found.append(word if fits else Word(word.text, begins, start, word.confidence, word.tokens))
    return tuple(found)
