"""Items of a Realtime conversation: what is said between two commits, with its transcript.

With turns the server commits: each utterance is an item. Without turns the client commits: an item is all that was said
since the last time, in however many utterances. Either way the client's commit, its clear and its change from one to the
other are marks that the session sends back in the order of the audio, so what is told between two marks is what was said
between them, however late the recogniser is.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeAlias

from model.interfaces import SampleIndex, Word
from server.protocols.openai_realtime_settings import INTERIM, LOGPROBS, Settings
from streaming.commands import Flush
from streaming.errors import ClientFault, LimitExceeded, RecogniserFailed, TranscriptionError
from streaming.events import Event, FinalTranscript, Flushed, PartialTranscript, SpeechStarted, UtteranceGap
from streaming.text.growing import GrowingText
from streaming.timeline import samples, seconds

Message: TypeAlias = dict[str, Any]

_TRANSCRIPTION = "conversation.item.input_audio_transcription"
_MOST_MARKS = 200  # that have not come back
_LEAST_PROBABILITY = 1e-6


class Mark(Enum):
    """What the client did between two pieces of audio."""

    COMMIT = "commit"
    CLEAR = "clear"
    TURNS = "change of turn_detection"


@dataclass(slots=True)
class Item:
    """One of the conversation."""

    id: str
    text: GrowingText = field(default_factory=GrowingText)
    words: list[Word] = field(default_factory=list)  # of the utterances that are over
    languages: dict[str, None] = field(default_factory=dict)
    counted: int = 0  # words of the present utterance that were told
    start: SampleIndex = 0
    duration_s: float = 0.0
    failure: TranscriptionError | None = None
    is_committed: bool = False  # and the client knows

    @property
    def is_empty(self) -> bool:
        """Nothing was heard in it, and nothing went wrong."""
        return not self.text.text and self.failure is None


class Conversation:
    """`commit`, `clear` and `change` are for what comes in; the rest is for what goes out, which is later."""

    def __init__(self, session_id: str, *, has_turns: bool) -> None:
        self.is_beta = False
        self.heard_to: SampleIndex = 0  # where the last item ended, or what was cleared
        self._name, self._count = session_id[:16], 0
        self._settings = Settings()
        self._has_turns = self._will_have_turns = has_turns
        self._marks: deque[tuple[str, Mark]] = deque()
        self._marked = 0
        self._due: deque[Callable[[], list[Message]]] = deque()
        self._spoken: Item | None = None  # with turns
        self._buffers = deque([] if has_turns else [self._new_item()])  # without: the first is told of, the last is filled
        self._previous: str | None = None  # the item committed last
        self._failure: TranscriptionError | None = None  # the final of what it befell comes next
        self._is_answered = False  # the commit that is to come back next has its item

    # what comes in

    def commit(self, duration_s: float) -> Flush:
        """What was said so far is an item. Raises LimitExceeded, as the others do."""
        flush = self._mark(Mark.COMMIT)
        if not self._will_have_turns:
            item = self._buffers[-1]
            item.duration_s = duration_s
            if all(kind is not Mark.TURNS for _, kind in self._marks):  # else the turns before it are committed first
                self._due.append(lambda: self._committed(item))
            self._buffers.append(self._new_item())
        return flush

    def clear(self) -> Flush:
        """What was said and not committed is forgotten."""
        flush = self._mark(Mark.CLEAR)
        if not self._will_have_turns:
            self._buffers.append(self._new_item())
        self._due.append(lambda: [{"type": "input_audio_buffer.cleared"}])
        return flush

    def change(self, *, has_turns: bool) -> list[Flush]:
        """From now on there are turns, or there are none."""
        if has_turns == self._will_have_turns:
            return []
        flush = self._mark(Mark.TURNS)
        self._will_have_turns = has_turns
        if not has_turns:
            self._buffers.append(self._new_item())
        return [flush]

    @property
    def is_due(self) -> bool:
        """There is something to answer at once."""
        return bool(self._due)

    def _mark(self, kind: Mark) -> Flush:
        if len(self._marks) >= _MOST_MARKS:
            most = f"{len(self._marks)} commits and clears wait to be done, expected at most {_MOST_MARKS}"
            raise LimitExceeded(most, field="type", code="too_many_commits")
        self._marked += 1
        self._marks.append((str(self._marked), kind))
        return Flush(str(self._marked))

    # what goes out

    def configure(self, settings: Settings) -> None:
        """These settings are in force."""
        self._settings = settings

    def answers(self) -> list[Message]:
        """What can be said without waiting for the recogniser."""
        messages: list[Message] = []
        while self._due:
            messages += self._due.popleft()()
        return messages

    def tell(self, event: Event) -> list[Message]:
        """Messages about something that was heard."""
        match event:
            case SpeechStarted(_, at) if self._has_turns:
                return self._started(at)
            case PartialTranscript() if item := self._item_told_of():
                return self._partial(item, event)
            case FinalTranscript() if self._has_turns:
                return self._turn(event)
            case FinalTranscript() if not self._is_next(Mark.CLEAR) and (item := self._item_told_of()):
                return self._utterance(item, event)
            case Flushed(marker, at) if any(marker == name for name, _ in self._marks):
                return self._come_back(marker, at)
            case UtteranceGap(last_word_end) if self._has_turns and self._settings.turn and self._settings.turn.idle_timeout_ms:
                return self._timed_out(last_word_end, self._settings.turn.idle_timeout_ms)
        return []

    def fail(self, error: TranscriptionError) -> None:
        """The recogniser failed; which item it was its final will say."""
        self._failure = error

    def rest(self, at: SampleIndex) -> list[Message]:
        """The session ends here: what was said and not committed is not lost, what was committed is not left open."""
        left = [item for item in self._buffers if item.is_committed or not item.is_empty]
        self._buffers.clear()
        return [message for item in left for message in self._ended(item, at)]

    def _new_item(self) -> Item:
        self._count += 1
        return Item(f"item_{self._name}_{self._count}")

    def _item_told_of(self) -> Item | None:
        return self._spoken if self._has_turns else next(iter(self._buffers), None)

    def _is_next(self, kind: Mark) -> bool:
        """What is told now was said before a mark of this kind, and after any other one."""
        return bool(self._marks) and self._marks[0][1] is kind

    def _started(self, at: SampleIndex) -> list[Message]:
        self._spoken = self._new_item()
        self._spoken.start = at
        return [{"type": "input_audio_buffer.speech_started", "audio_start_ms": _ms(at), "item_id": self._spoken.id}]

    def _partial(self, item: Item, event: PartialTranscript) -> list[Message]:
        if self._is_next(Mark.CLEAR):
            return []
        messages = self._delta(item, item.text.grow(event.stable), event.stable)
        if self._includes(INTERIM):
            text = item.text.with_words(event.stable + event.unstable)
            messages.append({"type": f"{_TRANSCRIPTION}.interim", **_part(item), "transcript": text, "stable": len(item.text.told)})
        return messages

    def _turn(self, event: FinalTranscript) -> list[Message]:
        item, self._spoken = self._spoken or self._new_item(), None
        self.heard_to = max(self.heard_to, event.end)
        stopped = {"type": "input_audio_buffer.speech_stopped", "audio_end_ms": _ms(event.end), "item_id": item.id}
        if self._is_next(Mark.CLEAR) and event.reason == "finalize":
            return [stopped]
        is_answer = self._is_next(Mark.COMMIT) and event.reason in ("finalize", "error")
        self._is_answered = self._is_answered or is_answer
        item.duration_s = seconds(max(0, event.end - item.start))
        messages = [*([] if is_answer else [stopped]), *self._committed(item)]
        return [*messages, *self._utterance(item, event), *self._finished(item)]

    def _utterance(self, item: Item, event: FinalTranscript) -> list[Message]:
        messages = self._delta(item, item.text.close(event.words), event.words)
        item.words += event.words
        item.counted = 0
        if event.words:
            item.languages |= dict.fromkeys(event.languages or ([event.language] if event.language else []))
        if event.reason == "error":
            item.failure = item.failure or self._failure or RecogniserFailed("the recogniser failed")
        return messages

    def _come_back(self, marker: str | None, at: SampleIndex) -> list[Message]:
        name, kind = self._marks.popleft()
        while name != marker:
            name, kind = self._marks.popleft()
        messages = self._marked_in_turns(kind, at) if self._has_turns else self._marked_in_buffers(kind, at)
        self._has_turns = self._has_turns != (kind is Mark.TURNS)
        self.heard_to = max(self.heard_to, at)
        return messages

    def _marked_in_turns(self, kind: Mark, at: SampleIndex) -> list[Message]:
        is_answered, self._is_answered = self._is_answered, False
        return self._silence(at) if kind is Mark.COMMIT and not is_answered else []

    def _marked_in_buffers(self, kind: Mark, at: SampleIndex) -> list[Message]:
        item = self._buffers.popleft() if self._buffers else self._new_item()
        is_item = kind is Mark.COMMIT or (kind is Mark.TURNS and not item.is_empty)
        return self._ended(item, at) if is_item else []

    def _ended(self, item: Item, at: SampleIndex) -> list[Message]:
        """Of a buffer."""
        item.duration_s = item.duration_s or seconds(max(0, at - self.heard_to))
        return [*self._committed(item), *self._finished(item)]

    def _silence(self, at: SampleIndex, duration: int | None = None) -> list[Message]:
        """An item in which nothing was said."""
        item = self._new_item()
        item.duration_s = seconds(max(0, at - self.heard_to) if duration is None else duration)
        self.heard_to = max(self.heard_to, at)
        return [*self._committed(item), *self._finished(item)]

    def _timed_out(self, last_word_end: SampleIndex, timeout_ms: int) -> list[Message]:
        end = last_word_end + samples(timeout_ms)
        item_id = f"item_{self._name}_{self._count + 1}"
        span = {"audio_start_ms": _ms(last_word_end), "audio_end_ms": _ms(end), "item_id": item_id}
        return [{"type": "input_audio_buffer.timeout_triggered", **span}, *self._silence(end, samples(timeout_ms))]

    # messages

    def _committed(self, item: Item) -> list[Message]:
        if item.is_committed:
            return []
        item.is_committed = True
        before, self._previous = self._previous, item.id
        content = {"type": "input_audio", "transcript": None}
        shown = {"id": item.id, "object": "realtime.item", "type": "message", "status": "completed", "role": "user"}
        kinds = ("created",) if self.is_beta else ("added", "done")
        return [
            {"type": "input_audio_buffer.committed", "item_id": item.id, "previous_item_id": before},
            *(
                {"type": f"conversation.item.{kind}", "previous_item_id": before, "item": {**shown, "content": [content]}}
                for kind in kinds
            ),
        ]

    def _delta(self, item: Item, added: str, words: Sequence[Word]) -> list[Message]:
        new, item.counted = words[item.counted :], max(item.counted, len(words))
        if not added:
            return []
        return [{"type": f"{_TRANSCRIPTION}.delta", **_part(item), "delta": added, **self._logprobs(new)}]

    def _finished(self, item: Item) -> list[Message]:
        if item.failure is not None:
            return [{"type": f"{_TRANSCRIPTION}.failed", **_part(item), "error": fault(item.failure)}]
        message = {
            "type": f"{_TRANSCRIPTION}.completed",
            **_part(item),
            "transcript": item.text.text,
            "usage": {"type": "duration", "seconds": round(item.duration_s, 3)},
            **self._logprobs(item.words),
        }
        return [message if self.is_beta else {**message, "languages": [{"code": code} for code in item.languages]}]

    def _logprobs(self, words: Sequence[Word]) -> Message:
        return {"logprobs": [_logprob(word) for word in words]} if self._includes(LOGPROBS) else {}

    def _includes(self, name: str) -> bool:
        return name in (self._settings.include or ())


def fault(error: TranscriptionError) -> Message:
    """What went wrong, and by whose fault."""
    kind = "invalid_request_error" if isinstance(error, ClientFault) else "server_error"
    return {"type": kind, "code": error.code, "message": error.message, "param": error.field}


def _part(item: Item) -> Message:
    return {"item_id": item.id, "content_index": 0}


def _logprob(word: Word) -> Message:
    """A word is what is told of as a token."""
    probability = min(max(word.confidence, _LEAST_PROBABILITY), 1.0)
    return {"token": word.text, "bytes": list(word.text.encode()), "logprob": round(math.log(probability), 4)}


def _ms(position: SampleIndex) -> int:
    return position // 16
