"""Types and the port between decisions (`streaming/`) and tensors (the rest of `model/`). No torch here.

Positions are `SampleIndex`: samples at 16 kHz on the clock of the session that owns the audio, starting at 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from model.spoken import is_marked, spoken

SAMPLE_RATE = 16_000

SampleIndex: TypeAlias = int
Samples: TypeAlias = NDArray[np.float32]


class UtteranceId(NamedTuple):
    """Names one utterance; `number` counts within its session, from 0."""

    session: str
    number: int


@dataclass(frozen=True, slots=True)
class Word:
    """A word where it was said. `text` carries its own leading space, so joining texts gives the transcript."""

    text: str
    start: SampleIndex
    end: SampleIndex
    confidence: float
    tokens: tuple[int, ...] = ()  # the recogniser's own ids; opaque elsewhere


@dataclass(frozen=True, slots=True)
class Hotword:
    """A phrase to favour where it is likely to have been said."""

    text: str  # as it is to be written
    weight: float = 1.0  # how much less likely than the rest it may be; 0: not favoured
    sounds_like: tuple[str, ...] = ()  # what is written down when it is said, if that is something else

    @property
    def sayings(self) -> tuple[str, ...]:
        """What may be written down when it is said: what is given, and its symbols by name."""
        return tuple(dict.fromkeys((*self.sounds_like, *spoken(self.text))))

    @property
    def is_marked(self) -> bool:
        """Without its symbols it is another word, so it is there only if they were said: `__name__`, `--help`."""
        return is_marked(self.text)

    @property
    def traces(self) -> tuple[str, ...]:
        """What its letters may be where it was said."""
        return self.sayings if self.is_marked else (self.text, *self.sayings)


@dataclass(frozen=True, slots=True)
class DecodeContext:
    """What a session knows before it hears an utterance."""

    language: str | None = None  # ISO 639-1 code; None: found from the audio, anew for each utterance
    prompt: str = ""  # text of this session that came just before
    languages: tuple[str, ...] = ()  # codes it is found among; empty: all
    hotwords: tuple[tuple[Hotword, ...], ...] = ()  # lists; the same object each time, as what is made of them is kept


@dataclass(frozen=True, slots=True)
class Roll:
    """Moves the window forward: audio before `keep_from` is dropped, `committed` (all its words) becomes context."""

    keep_from: SampleIndex
    committed: tuple[Word, ...]


@dataclass(frozen=True, slots=True, eq=False)
class StepRequest:
    """One unit of work: audio of an utterance that the recogniser has not seen, and how to treat it.

    The first request of an utterance opens its stream; the final one, once answered, closes it.
    """

    utterance: UtteranceId
    revision: int
    start: SampleIndex  # position of samples[0]; follows on from the utterance's previous request
    samples: Samples  # float32[n] in [-1, 1); may be empty
    whole_window: bool  # encode the whole window once more instead of incrementally, as an offline pass would
    is_final: bool  # no audio will follow; implies whole_window
    deadline: float  # seconds on the caller's clock; only orders work
    context: DecodeContext = field(default_factory=DecodeContext)
    stable: tuple[Word, ...] = ()  # words of the present window that must not change: the hypothesis starts with them
    settled: tuple[Word, ...] = ()  # likewise of the hypothesis before, behind these: they stay, unless hotwords take their place
    roll: Roll | None = None  # applied before the new samples
    is_patient: bool = False  # nobody listens live: its final is no more urgent than others' partials


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """What the recogniser hears in the window of an utterance, up to `audio_end`.

    `words` starts with the request's `stable` words. No words: nothing was said, as far as can be heard.
    """

    utterance: UtteranceId
    revision: int
    words: tuple[Word, ...]
    audio_end: SampleIndex
    is_final: bool
    whole_window: bool = False
    language: str | None = None
    language_confidence: float = 0.0
    _: KW_ONLY
    compute_s: float = field(default=0.0, compare=False)  # of the device: its share of the step
    is_cut: bool = False  # a guard stopped the decoder (loop, run-on); words from there on are withheld
    is_doubted: bool = False  # with hotwords: it is read again once the whole window is there, and may be read otherwise


class ModelFailure(Exception):
    """A step failed inside the recogniser; the requests of that step have no hypothesis."""


class DeviceLost(ModelFailure):
    """The device does not work any more; every further step would fail."""


class Recogniser(Protocol):
    """The device side. Called from one thread only; knows utterances, never sessions or sockets."""

    name: str
    capacity: int  # streams (open utterances) that fit
    max_window: int  # samples an utterance's window may hold; more must be rolled away before
    languages: tuple[str, ...]  # codes accepted as DecodeContext.language; empty: any
    batch_rows: int  # requests in one step, at most, so that a final never waits long behind partials
    batch_s: float  # audio to encode in one step of partials, what is encoded anew included
    has_hotwords: bool  # DecodeContext.hotwords change what it writes

    def warm_up(self, report: Callable[[str], object] = str) -> Sequence[str]:
        """Run every shape once, so that the first session is not the slow one; `report` is told what takes long.

        Gives sentences on what does not run as it should.
        """

    def prepare(self, hotwords: tuple[Hotword, ...]) -> None:
        """Make what a list of hotwords takes, before a step needs it; from any thread."""

    def step(self, batch: Sequence[StepRequest]) -> Sequence[Hypothesis | ModelFailure]:
        """Answer each request, in order. Raises ModelFailure for the batch as a whole."""

    def close(self, utterance: UtteranceId) -> None:
        """Forget an utterance that will get no final. Unknown ids are ignored."""
