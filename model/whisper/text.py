"""What Whisper writes: prompts, languages, silence, words with their times and confidence. The same wherever it is computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import inf
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from model.alignment import token_starts
from model.biasing.judgement import cost
from model.biasing.phrases import Memory, Phrases, places_of
from model.biasing.readings import Hint, Readings, Text
from model.decoding import Chooser, Row, finish, verify
from model.features import LEAD_FRAMES
from model.interfaces import SAMPLE_RATE, DecodeContext, Hotword, Hypothesis, StepRequest, Word
from model.lengths import FRAME_SAMPLES, whole_frames
from model.sampling import GreedyChoice, calibrated, word_probability
from model.whisper.configuration import WhisperConfig
from model.whisper.tokenizer import WhisperTokenizer
from model.words import UNSPACED, leading

_TERMS = "en"  # the language that technical terms come from


@dataclass(frozen=True, slots=True)
class TextOptions:
    """The defaults are those measured in docs/decisions/."""

    prompt_tokens: int = 64
    tokens_per_second: float = 8.0
    confidence: tuple[float, float] = (0.85, 0.95)  # slope and offset of the calibration, fitted to the embedded model
    character_confidence: tuple[float, float] = (0.7, 1.0)  # the same where a word is a character
    phrase_confidence: tuple[float, float] = (0.5, 3.0)  # of phrases put where the model would have written something else
    silent_probability: float = 0.7  # of the no-speech token: more than this, or
    silent_short: tuple[float, float] = (0.62, 0.3)  # than this, before and after other readings, where
    silent_rate: float = 1.5  # at most so many tokens a second were written; and
    silent_doubt: float = 1.2  # this much of it together with half the doubt (mean -log p) of the text, means silence
    has_quick_partials: bool = False  # their word times from where each token looked most, without warping


class Written(Protocol):
    """What is known of a stream's text."""

    start: int  # SampleIndex of the window's first sample
    prompt: list[int]
    language: str | None
    is_language_given: bool
    draft: list[int]
    phrases: Memory
    is_audible: bool

    @property
    def samples(self) -> int:
        """In the window."""


WrittenT = TypeVar("WrittenT", bound=Written)
StreamT = TypeVar("StreamT", bound=Written, contravariant=True)


class Ears(Protocol[StreamT]):
    """Hear something of a window once more, at another place."""

    def cleared(self, stream: StreamT) -> Any:
        """All of it with its noise taken out, or None if there is none."""

    def part(self, stream: StreamT, start: int, stop: int) -> Any:
        """These frames alone, after LEAD_FRAMES of silence."""

    def voiced(self, stream: StreamT) -> NDArray[np.bool_]:
        """The frames in which somebody speaks."""


class WhisperText:
    """For one model."""

    def __init__(self, config: WhisperConfig, tokenizer: WhisperTokenizer, options: TextOptions) -> None:
        self._config, self._tokenizer, self.options = config, tokenizer, options
        self._phrases = Phrases(tokenizer.encode, tokenizer.decode)
        self._readings = Readings(self._phrases)
        self.languages = tuple(tokenizer.language_ids) if config.is_multilingual else ("en",)

    def best(self, device: torch.device | None = None) -> GreedyChoice:
        """The choice among tokens that may be text."""
        c = self._config
        forbidden = {*c.suppress_tokens, *range(self._tokenizer.eot + 1, c.vocab_size)}
        return GreedyChoice(c.vocab_size, forbidden, c.begin_suppress_tokens, device)

    def opening(self, context: DecodeContext) -> tuple[str | None, list[int]]:
        """Language, if known, and prompt of a new stream."""
        language = context.language or (None if self._config.is_multilingual else "en")
        text = context.prompt.strip()
        return language, self._tokenizer.encode(" " + text)[-self.options.prompt_tokens :] if text else []

    def commit(self, stream: Written, words: Sequence[Word]) -> None:
        """Words whose audio is dropped become prompt."""
        said = [t for word in words for t in word.tokens]
        stream.prompt = (stream.prompt + said)[-self.options.prompt_tokens :]
        stream.draft = stream.draft[len(said) :] if stream.draft[: len(said)] == said else []

    def prepare(self, hotwords: tuple[Hotword, ...]) -> None:
        """As Recogniser.prepare."""
        self._readings.prepare(hotwords)

    # decoding

    def decode(
        self,
        choose: Chooser,
        batch: Sequence[StepRequest],
        streams: Sequence[WrittenT],
        places: Sequence[Any],
        ears: Ears[WrittenT] | None = None,
    ) -> list[Row]:
        """The text of each stream; its keys and values are at its place."""
        rows = [self._row(*each) for each in zip(batch, streams, places, strict=True)]
        verify(choose, rows)
        changed = [i for i, (r, s) in enumerate(zip(rows, streams, strict=True)) if self._language_changed(batch[i], s, r)]
        if changed:
            for i in changed:
                streams[i].draft = []
                rows[i] = self._row(batch[i], streams[i], places[i])
            verify(choose, [rows[i] for i in changed])
        finish(choose, rows)
        silences = [self._silence(*each) for each in zip(batch, streams, rows, strict=True)]
        self._hush(rows, streams, silences, 0)
        self._revise(choose, rows, batch, streams, ears)
        self._hush(rows, streams, silences, 1)
        return rows

    def _revise(
        self,
        choose: Chooser,
        rows: list[Row],
        batch: Sequence[StepRequest],
        streams: Sequence[WrittenT],
        ears: Ears[WrittenT] | None,
    ) -> None:
        """Once more, where hotwords may have been misheard."""
        asked = [i for i, request in enumerate(batch) if request.context.hotwords]
        texts = {i: self._text(batch[i], streams[i], rows[i], ears) for i in asked}
        for index, row in self._readings.revise(choose, texts).items():
            rows[index] = row

    def _text(self, request: StepRequest, stream: WrittenT, row: Row, ears: Ears[WrittenT] | None) -> Text:
        language = stream.language or "en"
        text = Text(
            row,
            request.context.hotwords,
            stream.phrases,
            lambda tokens: self._tokenizer.split_words(tokens, language),
            lambda first, hint: self._again(stream.prompt, language, first, hint),
            is_whole=_is_whole(request),
            is_mixed=language in UNSPACED,
            settled=leading(request.settled, row.tokens),
        )
        if ears is None:
            return text
        return replace(
            text,
            clear=lambda: _elsewhere(row, ears.cleared(stream)),
            voiced=cache(lambda: ears.voiced(stream)),
            part=lambda start, stop: self._part(text, ears.part(stream, start, stop), stop - start),
        )

    def _part(self, text: Text, place: Any, frames: int) -> Text:
        """So many frames of a text's window, to be read without context in the language that terms come from."""
        limit = self._most_tokens(frames * FRAME_SAMPLES)
        row = Row(place, self._tokenizer.start(_TERMS), [], [], limit, text.row.ends, LEAD_FRAMES + frames, start_index=0)
        return Text(
            row,
            text.lists,
            Memory(),
            lambda tokens: self._tokenizer.split_words(tokens, _TERMS),
            lambda first, hint: None if hint.is_foreign else self._again([], _TERMS, first, hint),
            is_whole=True,
            is_mixed=True,
        )

    def _again(self, context: Sequence[int], language: str, first: Row, hint: Hint) -> Row:
        """The same audio as in the first row, read otherwise; `context`: tokens of what was said before."""
        t = self._tokenizer
        listed = t.encode(" " + hint.prompt)[: self.options.prompt_tokens] if hint.prompt else []
        before = [t.sot_prev, *listed, *context] if listed or context else []
        prompt = [*before, *t.start(_TERMS if hint.is_foreign else language)]
        limit = min(first.limit, self._room(before))
        draft = [] if hint.is_foreign else first.tokens[: max(0, limit - len(first.forced) - 1)]
        return replace(first.afresh(hint.favour), prompt=prompt, start_index=len(before), draft=draft, limit=limit)

    def _room(self, before: Sequence[int]) -> int:
        return self._config.max_target_positions - len(before) - 6

    def _most_tokens(self, samples: int) -> int:
        return int(self.options.tokens_per_second * samples / SAMPLE_RATE) + 6

    def _row(self, request: StepRequest, stream: Written, place: Any) -> Row:
        t = self._tokenizer
        ends = frozenset((t.eot,))
        before = [t.sot_prev, *stream.prompt] if stream.prompt else []
        forced = [token for word in request.stable for token in word.tokens]
        draft = stream.draft[len(forced) :] if stream.draft[: len(forced)] == forced else []
        limit = min(self._room(before), self._most_tokens(stream.samples))
        return Row(
            place=place,
            kept=places_of(stream.phrases.said, draft) | set(range(leading(request.settled, draft))),
            near_margin=self._near_margin(request),
            prompt=[*before, *t.start(stream.language or "en")],
            start_index=len(before),
            forced=forced,
            draft=draft[: max(0, limit - len(forced) - 1)],
            limit=limit,
            ends=ends,
            heard=whole_frames(stream.samples),
        )

    def _near_margin(self, request: StepRequest) -> float:
        options = self._phrases.options
        return 0.0 if not request.context.hotwords else options.near if _is_whole(request) else options.near_early

    def _language_changed(self, request: StepRequest, stream: Written, row: Row) -> bool:
        """The language is verified like a draft, until words of the utterance are stable."""
        is_settled = bool(request.stable) and stream.language is not None
        if stream.is_language_given or is_settled or row.start_logits is None:
            return False
        codes, ids = zip(*self._possible(request).items(), strict=True)
        best = codes[int(row.start_logits[list(ids)].argmax())]
        changed: bool = best != (stream.language or "en")
        stream.language = best
        return changed

    # answer

    def hypothesis(self, request: StepRequest, stream: Written, row: Row) -> Hypothesis:
        """What is answered to a request; the stream's draft is its text."""
        words = () if row.is_silent else self._words(request, stream, row)
        stream.draft = [token for word in words for token in word.tokens]
        return Hypothesis(
            request.utterance,
            request.revision,
            words,
            stream.start + stream.samples,
            request.is_final,
            _is_whole(request),
            stream.language,
            self._language_confidence(request, stream, row),
            is_cut=row.is_cut,
            is_doubted=self._readings.is_doubted(request.context.hotwords, row, words),
        )

    def _silence(self, request: StepRequest, stream: Written, row: Row) -> float:
        """The probability that nobody speaks; without words no doubt about it."""
        if request.stable or row.start_logits is None:
            return 0.0
        if not (row.tokens and stream.is_audible):
            return inf
        return float(row.start_logits.softmax(0)[self._tokenizer.no_speech])

    def _hush(self, rows: Sequence[Row], streams: Sequence[Written], silences: Sequence[float], stage: int) -> None:
        """Where nobody speaks by the doubt in the text, and by how short it is for its time."""
        o = self.options
        for row, stream, silence in zip(rows, streams, silences, strict=True):
            is_short = len(row.tokens) * SAMPLE_RATE <= o.silent_rate * stream.samples
            bound = o.silent_short[stage] if is_short else o.silent_probability
            if silence > bound:
                row.is_silent |= silence + cost(replace(row, log_probabilities=_undoubted(row))) / 2 > o.silent_doubt

    def _possible(self, request: StepRequest) -> dict[str, int]:
        """Languages that it may be, and their tokens."""
        every, allowed = self._tokenizer.language_ids, request.context.languages
        return {code: every[code] for code in allowed if code in every} or every

    def _language_confidence(self, request: StepRequest, stream: Written, row: Row) -> float:
        ids = self._possible(request)
        if stream.is_language_given or row.start_logits is None or stream.language not in ids:
            return 1.0
        among = row.start_logits[list(ids.values())].softmax(0)
        return float(among[list(ids).index(stream.language)])

    def _words(self, request: StepRequest, stream: Written, row: Row) -> tuple[Word, ...]:
        """The stable words as they are, then the free tokens as words with their times."""
        times, language = self._times(request, stream, row), stream.language or "en"
        put, words, position = places_of(stream.phrases.said, row.tokens), list(request.stable), 0
        for text, tokens in self._tokenizer.split_words(row.tokens, language):
            chosen = row.log_probabilities[position : position + len(tokens)]
            first = len(row.forced) + position
            calibration = self._calibration(language, position in put)
            position += len(tokens)
            start, end = times[first], times[first + len(tokens)]
            start = max(start, words[-1].end if words else stream.start)
            confidence = calibrated(word_probability(chosen), *calibration)
            words.append(Word(text, start, max(start, end), confidence, tuple(tokens)))
        return tuple(words)

    def _calibration(self, language: str, is_put: bool) -> tuple[float, float]:
        if is_put:
            return self.options.phrase_confidence
        return self.options.character_confidence if language in UNSPACED else self.options.confidence

    def _times(self, request: StepRequest, stream: Written, row: Row) -> list[int]:
        """Where each text token starts, and where the last one ends, in samples of the session."""
        count, heard = len(row.forced) + len(row.tokens), max(1, whole_frames(stream.samples))
        if self.options.has_quick_partials and not _is_whole(request):
            starts = quick_starts(row.attended[:count], heard)
            starts += [heard] * (count + 1 - len(starts))
        else:
            starts = token_starts(row.scores, count, heard)
        return [stream.start + frame * FRAME_SAMPLES for frame in starts]


def _is_whole(request: StepRequest) -> bool:
    return request.whole_window or request.is_final


def _elsewhere(row: Row, place: Any) -> Row | None:
    """The same audio, to be read at another place."""
    return None if place is None else replace(row.afresh(), place=place, cached=0)


def quick_starts(attended: Sequence[int], heard: int) -> list[int]:
    """Where each token starts, if it ends where it looked most and none begins before the one before it ends."""
    starts, last = list[int](), 0
    for frame in attended:
        starts.append(last)
        last = min(heard, max(last, frame + 1))
    return [*starts, last]


def _undoubted(row: Row) -> list[float]:
    """Log-probabilities of its tokens, or of the likelier ones instead of which hotwords are there: no doubt about the speech."""
    likeliest = [others[0][1] if others else -inf for others in row.near] + [-inf] * len(row.log_probabilities)
    return [max(pair) for pair in zip(row.log_probabilities, likeliest, strict=False)]
