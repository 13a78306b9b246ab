"""GLM-ASR as a Recogniser: audio tokens in the language model's prompt, frozen ones kept there with their keys and values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from model.alignment import token_frames
from model.batch_decoder import KEY_BUCKET, Place
from model.batch_options import BatchOptions
from model.batch_recogniser import BatchRecogniser, Step
from model.batch_stream import EncoderJob, Stream, fresh
from model.biasing.phrases import Phrases, places_of
from model.biasing.readings import Hint, Readings, Text
from model.decoding import Row, decode
from model.devices import put
from model.glm_asr.answer import unwrapped
from model.glm_asr.configuration import MERGED_FRAMES
from model.glm_asr.decoder import GlmAsrDecoder
from model.glm_asr.model import GlmAsr
from model.interfaces import Hotword, Hypothesis, StepRequest, Word
from model.kv_cache import RowCache
from model.lengths import FRAME_SAMPLES
from model.sampling import GreedyChoice, word_probability
from model.words import is_wide, leading

_UNIT_SAMPLES = MERGED_FRAMES * FRAME_SAMPLES


class GlmAsrRecogniser(BatchRecogniser):
    """Any GLM-ASR checkpoint in the layout of transformers 5, on a CPU or a GPU."""

    languages: tuple[str, ...] = ()
    unit_frames = MERGED_FRAMES

    def __init__(self, directory: Path, options: BatchOptions | None = None) -> None:
        super().__init__(options or BatchOptions())
        self.name = directory.name
        self.model = m = GlmAsr(directory, self.device, self.dtype)
        self._prompt = m.tokenizer.prompt
        self._phrases = Phrases(m.tokenizer.encode, m.tokenizer.decode)
        self._readings = Readings(self._phrases)
        self._units = self.max_window // _UNIT_SAMPLES + 8
        audio, text = m.config.audio, m.config.text
        self._most_tokens = int(self.options.tokens_per_second * self.max_window / 16_000) + 8
        self._make_stores(m.encoder, m.rotary, layers=audio.num_hidden_layers, width=audio.hidden_size, mels=audio.num_mel_bins)
        self._audio = torch.zeros(self.capacity, self._units, text.hidden_size, device=self.device, dtype=self.dtype)
        self._prefixes = self._row_cache(self.capacity, self._prefix) if self.options.policy != "exact" else None
        self._choose = GlmAsrDecoder(
            m.language_model,
            GreedyChoice(text.vocab_size, m.tokenizer.special - set(m.config.eos_token_ids), (), self.device),
            self._row_cache(min(self.options.max_rows, self.capacity), self._positions),
            self._audio,
            m.config.audio_token_id,
            len(self._prompt.header),
            self.graphs,
        )

    def prepare(self, hotwords: tuple[Hotword, ...]) -> None:
        """As Recogniser.prepare."""
        self._readings.prepare(hotwords)

    def _decoder_steps(self) -> Iterable[Step]:
        return self._choose.steps()

    def _row_cache(self, rows: int, positions: int) -> RowCache:
        c = self.model.config.text
        return RowCache(c.num_hidden_layers, rows, positions, c.num_key_value_heads, c.head_dim, self.device, self.dtype)

    @property
    def _prefix(self) -> int:
        return len(self._prompt.header) + self._units

    @property
    def _positions(self) -> int:
        """Of a row: the prompt, the text, and one that nobody reads."""
        needed = self._prefix + len(self._prompt.suffix) + self._most_tokens + 1
        return -(-needed // KEY_BUCKET) * KEY_BUCKET

    def _token_bytes(self) -> int:
        c = self.model.config.text
        return 2 * c.num_hidden_layers * c.num_key_value_heads * c.head_dim * self.dtype.itemsize

    def _memory_bytes(self) -> int:
        kept = self._prefix * self._token_bytes() if self.options.policy != "exact" else 0
        return kept + self._units * self.model.config.text.hidden_size * self.dtype.itemsize

    def _working_bytes(self) -> int:
        """The rows, and the logits, masks and activations of a pass (measured as about as much again)."""
        return 2 * self.options.max_rows * self._positions * self._token_bytes()

    # audio

    def _remember(self, jobs: Sequence[EncoderJob], states: Tensor) -> None:
        """Audio tokens of what is fresh, into the memory."""
        row, slot, frame = fresh(jobs)
        if not len(row):
            return
        place = put(np.stack([slot, frame // MERGED_FRAMES])[:, ::MERGED_FRAMES], self.device)
        self._audio[place[0], place[1]] = self.model.projector(states[put(row, self.device)])

    def _opened(self, stream: Stream, request: StepRequest) -> None:
        stream.language = request.context.language

    def _commit(self, stream: Stream, words: Sequence[Word]) -> None:
        said = [t for word in words for t in word.tokens]
        stream.draft = stream.draft[len(said) :] if stream.draft[: len(said)] == said else []
        stream.said = stream.said[len(words) :] if stream.said[: len(words)] == tuple(words) else ()

    def _forget(self, stream: Stream, frames: int) -> None:
        super()._forget(stream, frames)
        units = frames // MERGED_FRAMES
        self._audio[stream.slot, : self._units - units] = self._audio[stream.slot, units:].clone()
        stream.kept = 0

    # text

    def _decode(self, work: Sequence[tuple[StepRequest, Stream]]) -> list[Row]:
        streams = [stream for _, stream in work]
        rows = [self._row(i, request, stream) for i, (request, stream) in enumerate(work)]
        self._restore(streams)
        decode(self._choose, rows)
        self._keep(streams)
        self._revise(work, rows)
        return rows

    def _revise(self, work: Sequence[tuple[StepRequest, Stream]], rows: list[Row]) -> None:
        """Once more, where hotwords may have been misheard."""
        asked = [i for i, (request, _) in enumerate(work) if request.context.hotwords]
        texts = {i: self._text(*work[i], rows[i]) for i in asked}
        for index, row in self._readings.revise(self._choose, texts).items():
            rows[index] = row

    def _text(self, request: StepRequest, stream: Stream, row: Row) -> Text:
        def again(first: Row, hint: Hint) -> Row | None:
            """It was trained on one prompt, and is told no language."""
            return None if hint.prompt or hint.is_foreign else first.afresh(hint.favour)

        return Text(
            row,
            request.context.hotwords,
            stream.phrases,
            self.model.tokenizer.split_words,
            again,
            is_whole=request.whole_window or request.is_final,
            is_mixed=any(map(is_wide, self.model.tokenizer.decode(row.tokens))),
            settled=leading(request.settled, row.tokens),
        )

    def _row(self, index: int, request: StepRequest, stream: Stream) -> Row:
        units = stream.frames // MERGED_FRAMES
        prompt = [*self._prompt.header, *[self.model.config.audio_token_id] * units, *self._prompt.suffix]
        forced = [token for word in request.stable for token in word.tokens]
        draft = stream.draft[len(forced) :] if stream.draft[: len(forced)] == forced else []
        limit = min(self._most_tokens, int(self.options.tokens_per_second * stream.heard.samples / 16_000) + 6)
        return Row(
            place=Place(index, stream.slot),
            prompt=prompt,
            forced=forced[: self._most_tokens],
            draft=draft[: max(0, limit - len(forced) - 1)],
            limit=limit,
            ends=frozenset(self.model.config.eos_token_ids),
            heard=max(1, min(units, -(-stream.heard.samples // _UNIT_SAMPLES))),
            unit_frames=MERGED_FRAMES,
            cached=stream.kept,
            kept=places_of(stream.phrases.said, draft) | set(range(leading(request.settled, draft))),
            near_margin=self._phrases.options.near if request.context.hotwords else 0.0,
            is_silent=not stream.is_audible,
        )

    def _restore(self, streams: Sequence[Stream]) -> None:
        """Keys and values of header and frozen audio tokens, into the rows of this step."""
        most = max(stream.kept for stream in streams)
        if self._prefixes is not None and most:
            slots = put(np.array([stream.slot for stream in streams]), self.device)
            self._choose.cache.kv[:, :, : len(streams), :most] = self._prefixes.kv[:, :, slots, :most]

    def _keep(self, streams: Sequence[Stream]) -> None:
        """And back, with what has been frozen now."""
        if self._prefixes is None:
            return
        for stream in streams:
            stream.kept = len(self._prompt.header) + stream.frozen // MERGED_FRAMES
        most, slots = max(stream.kept for stream in streams), torch.tensor([s.slot for s in streams], device=self.device)
        self._prefixes.kv[:, :, slots, :most] = self._choose.cache.kv[:, :, : len(streams), :most]

    # answer

    def _hypothesis(self, request: StepRequest, stream: Stream, row: Row) -> Hypothesis:
        words = self._words(request, stream, row) if not row.is_silent or request.stable else ()
        stream.draft = [] if row.is_silent else row.forced + row.tokens
        stream.said = words
        return Hypothesis(
            request.utterance,
            request.revision,
            words,
            stream.start + stream.heard.samples,
            request.is_final,
            request.whole_window or request.is_final,
            stream.language,
            1.0 if stream.language else 0.0,
            is_cut=row.is_cut,
            is_doubted=self._readings.is_doubted(request.context.hotwords, row, words),
        )

    def _words(self, request: StepRequest, stream: Stream, row: Row) -> tuple[Word, ...]:
        """The stable words as they are, then the free tokens as words with their times."""
        t = self.model.tokenizer
        pieces = unwrapped(t.split_words(row.tokens), t.decode(row.forced), is_final=request.is_final)
        words, probabilities = list(request.stable), iter(row.log_probabilities)
        times = self._times(stream, row, [len(tokens) for _, tokens in pieces], request.stable)
        for (text, tokens), (start, end) in zip(pieces, times, strict=True):
            chosen = [next(probabilities) for _ in tokens]
            start = max(start, words[-1].end if words else stream.start)
            words.append(Word(text, start, max(start, end), word_probability(chosen), tuple(tokens)))
        return tuple(words)

    def _times(self, stream: Stream, row: Row, sizes: Sequence[int], stable: Sequence[Word]) -> list[tuple[int, int]]:
        if self.model.language_model.has_alignment:
            return self._aligned(stream, row, sizes)
        return self._interpolated(stream, row, sizes, stable)

    def _aligned(self, stream: Stream, row: Row, sizes: Sequence[int]) -> list[tuple[int, int]]:
        """By the attention of the alignment heads; units of 80 ms need no smoothing."""
        count = len(row.forced) + len(row.tokens) + 1
        starts = token_frames(torch.cat(row.scores, 1)[:, :count].cpu(), is_smoothed=False).tolist()
        starts += [row.heard] * (count - len(starts))
        end = stream.start + stream.heard.samples
        edges = [min(end, stream.start + unit * _UNIT_SAMPLES) for unit in starts]
        return _spans(edges, len(row.forced), sizes)

    def _interpolated(self, stream: Stream, row: Row, sizes: Sequence[int], stable: Sequence[Word]) -> list[tuple[int, int]]:
        """Words that were there before keep their times; new ones share, by their tokens, the audio that is left."""
        end, position, found = stream.start + stream.heard.samples, 0, list[tuple[int, int]]()
        before = stream.said[len(stable) :]
        for word, size in zip(before, sizes, strict=False):
            if list(word.tokens) != row.tokens[position : position + size] or word.end > end:
                break
            found.append((word.start, word.end))
            position += size
        begin = found[-1][1] if found else stable[-1].end if stable else stream.start
        rest = sizes[len(found) :]
        done = [sum(rest[:i]) for i in range(len(rest) + 1)]
        edges = [begin + (end - begin) * count // max(1, done[-1]) for count in done]
        return found + list(zip(edges, edges[1:], strict=False))


def _spans(edges: Sequence[int], first: int, sizes: Sequence[int]) -> list[tuple[int, int]]:
    """Start and end of each word, from where each token starts."""
    found, at = [], first
    for size in sizes:
        found.append((edges[at], edges[at + size]))
        at += size
    return found
