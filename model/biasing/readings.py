"""What was heard with doubt is read again with phrases in mind; of all readings the best is taken.

Other readings are cheap to have and hard to trust: with phrases favoured wherever they may begin, with the likely ones favoured
by far, with the likely ones in the prompt. So none is believed by itself. Each is judged without bias, by the likelihood of its
whole text and so many nats for each phrase in it; less so many for each second that it leaves unsaid, as silence is always likely.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.biasing.branches import Branches
from model.biasing.gaps import Gap, GapOptions, doubted, gaps, missing, starts_of
from model.biasing.judgement import cost, judged, likelihood, reach, read, with_text
from model.biasing.likely import letters
from model.biasing.phrases import AMONG, HotwordList, Kept, Memory, Phrases, rarity
from model.biasing.sound import sounds
from model.biasing.trie import Trie, worth
from model.biasing.walk import BiasOptions, Favour
from model.decoding import Chooser, Row, decode
from model.interfaces import Hotword, Word
from model.lengths import FRAMES_PER_SECOND
from model.words import Pieces

_MOST_WORDS = 10  # of a phrase


@dataclass(frozen=True, slots=True)
class ReadingOptions:
    """Bounds in nats are for a weight of 1."""

    doubt: float = 0.25  # nats a token: a text that is less likely is read again
    unsure: float = 0.15  # likewise: one more phrase is tried in it
    unsettled: float = 0.4  # likewise, of a text that may go on, without its last word: none of its words is stable yet
    least: float = 5.0  # nats that it must have cost with what it leaves unsaid, unless it is mixed: less has no room for a phrase
    bonus: float = 12.0  # nats that a phrase is worth that is one of `among`; of many less, as each is less likely to be said
    among: int = AMONG
    most_bonus: float = 14.0
    unsaid: float = 4.0  # nats for each second of audio that a reading leaves unsaid at its end, or of voice between its words
    more_s: float = 0.6  # of voice for which a text has no words: it is also read on behind its end
    contenders: int = 2  # readings of a mixed text that one phrase more is tried in, if they are as good as the best but for
    close: float = 3.0  # so many nats
    alike: float = 75.0  # per cent, of a phrase that is likely
    sound: int = 4  # letters of its sound, at least
    most: int = 8  # likely phrases
    branchings: int = 2  # times that one phrase more is put into the best text
    lead: float = 3.0  # nats by which that must be better, as it is the best of many, if there is a phrase more then
    overrule: float = 1.5  # likewise, for other words than those that were settled
    gaps: GapOptions = GapOptions()
    most_gaps: int = 4  # that are heard alone
    heard: float = 7.0  # nats that a phrase may be less likely than what is read first where it is heard alone, and
    put: float = 20.0  # where it is put into the whole text, in which words of another language are unlikely
    favoured: BiasOptions = BiasOptions(margin=10.0, cap=14.0)  # where only the likely phrases are tried


class Hint(NamedTuple):
    """How a text is to be read."""

    favour: Favour | None = None
    prompt: str = ""  # phrases, as a list
    is_foreign: bool = False  # in the language that phrases come from


@dataclass(frozen=True, slots=True)
class Text:
    """One row's, read once."""

    row: Row
    lists: Sequence[HotwordList]
    memory: Memory
    pieces: Callable[[Sequence[int]], Pieces]  # tokens as words
    again: Callable[[Row, Hint], Row | None]  # a row that is to be read so where this one was heard, if the family can
    is_whole: bool  # all was heard anew; otherwise the last word may not be all there
    is_mixed: bool  # phrases stand among words of another script, and are often left out
    settled: int = 0  # of the row's tokens, the first ones: only phrases may take their place
    clear: Callable[[], Row | None] = lambda: None  # one that is to be read where the noise is taken out, if there is any
    voiced: Callable[[], NDArray[np.bool_]] = lambda: np.zeros(0, bool)  # frames in which somebody speaks, if that can be told
    part: Callable[[int, int], Text | None] = lambda start, stop: None  # these frames alone, to be read in the other script

    @property
    def has_gaps(self) -> bool:
        """There may be phrases where nothing was written."""
        return self.is_whole and self.is_mixed and bool(self.row.tokens) and not (self.row.is_silent or self.row.is_cut)

    def changeable(self) -> Pieces:
        """The words in whose place there may be phrases."""
        if self.is_whole:
            self.memory.tried.clear()  # there is more to hear now
        words = self.pieces(self.row.tokens)
        return words if self.is_whole else words[:-1]


class Readings:
    """For one model."""

    def __init__(self, phrases: Phrases, options: ReadingOptions | None = None) -> None:
        self.options = options or ReadingOptions()
        self._phrases = phrases
        self.branches = Branches(phrases.encode)
        self._worths = Kept(_worths)

    def prepare(self, hotwords: HotwordList) -> None:
        """Make all that is kept of a list, which takes longer than a step should; from any thread."""
        for make in (self._phrases.prepare, self.branches.prepare, self._worths):
            make(hotwords)

    def revise(self, choose: Chooser, texts: Mapping[int, Text]) -> dict[int, Row]:
        """Rows that are better than those that were read first; of whole windows that are doubted, after all readings."""
        found = self._replaced(choose, texts)
        now = {i: replace(text, row=found.get(i, text.row)) for i, text in texts.items()}
        better = self._chosen(choose, {i: text for i, text in now.items() if self._is_unsure(text)})
        found |= better | self._replaced(choose, {i: replace(now[i], row=row) for i, row in better.items()})
        for i, text in texts.items():
            if filled := self._filled(choose, replace(text, row=found.get(i, text.row))):
                self._remember(text, filled)
                found[i] = filled
        return found

    def _replaced(self, choose: Chooser, texts: Mapping[int, Text]) -> dict[int, Row]:
        """With phrases in the place of words that sound like them."""
        numbers, work = list(texts), [(t.row, t.changeable(), t.lists, t.memory, t.is_whole) for t in texts.values()]
        return {numbers[n]: row for n, row in self._phrases.revise(choose, work).items()}

    def _chosen(self, choose: Chooser, texts: Mapping[int, Text]) -> dict[int, Row]:
        """The best texts, where these are not the first ones."""
        doubted = {i: text for i, text in texts.items() if cost(text.row) > self.options.doubt}
        again = {i: [text.row] for i, text in texts.items()} | self._read_again(choose, doubted)
        found = {i: self._with_branches(choose, texts[i], rows) if choose.can_branch else rows[0] for i, rows in again.items()}
        for row in (*found.values(), *(text.row for text in texts.values())):
            row.is_stale = True
        better = {i: row for i, row in found.items() if row is not texts[i].row}
        for i, row in better.items():
            self._remember(texts[i], row)
        return better

    def is_doubted(self, lists: Sequence[HotwordList], row: Row, words: Sequence[Word]) -> bool:
        """With phrases in mind these words, the last of which are the row's, may yet be read otherwise."""
        return bool(lists and words) and self.is_unsettled(row, len(row.tokens) - len(words[-1].tokens))

    def is_unsettled(self, row: Row, count: int) -> bool:
        """Its first tokens, so many, are likely to be read otherwise when the window is whole."""
        return count > 0 and sum(row.log_probabilities[:count]) < -self.options.unsettled * count

    def _read_again(self, choose: Chooser, texts: Mapping[int, Text]) -> dict[int, list[Row]]:
        """The foremost of all readings."""
        clear = read(choose, {i: text.clear() for i, text in texts.items()})
        foreign = read(choose, {i: text.again(text.row, Hint(is_foreign=True)) for i, text in texts.items() if text.is_mixed})
        further = read(choose, {i: self._further(text) for i, text in texts.items()})
        heard = {i: [text.row, *(own[i] for own in (clear, further) if i in own)] for i, text in texts.items()}
        hints = {i: self._hints(text, [*heard[i], *([foreign[i]] if i in foreign else [])]) for i, text in texts.items()}
        rows = {i: list(own) for i, own in heard.items()}
        for number, place in product(range(max(map(len, hints.values()), default=0)), range(2)):
            asked = [i for i in texts if number < len(hints[i]) and place < len(heard[i])]
            for i, row in read(choose, {i: texts[i].again(heard[i][place], hints[i][number]) for i in asked}).items():
                rows[i].append(row)
        return {i: self._foremost(text, judged(choose, text.row, rows[i])) for i, text in texts.items()}

    def _foremost(self, text: Text, readings: Sequence[Row]) -> list[Row]:
        """The best one, and if the text is mixed the others that are close."""
        values = [self._value(text, row) for row in readings]
        order = sorted(range(len(readings)), key=values.__getitem__, reverse=True)
        is_whole, value = values[order[0]]
        close = [readings[n] for n in order if values[n] >= (is_whole, value - self.options.close)]
        return close[: self.options.contenders if text.is_mixed else 1]

    def _further(self, text: Text) -> Row | None:
        """To be read on where the text ends, if it is mixed and has no words for some of the voice."""
        if not text.has_gaps:
            return None
        row, options = text.row, self.options
        more = missing(row, text.pieces(row.tokens), text.voiced(), options.gaps) / FRAMES_PER_SECOND
        others = [token for near in row.near[len(row.tokens) :] for token, _ in near if token not in row.ends]
        if more < options.more_s or not others:
            return None
        draft = [*row.tokens, others[0]]
        return replace(row.afresh(), draft=draft, kept=frozenset(range(len(draft))))

    def _is_unsure(self, text: Text) -> bool:
        row = text.row
        if not (text.is_whole and row.tokens) or row.is_silent:
            return False
        is_doubtful = cost(row) > min(self.options.unsure, self.options.doubt)
        return is_doubtful and (text.is_mixed or self._score(text, row) < -self.options.least)

    def _hints(self, text: Text, heard: Iterable[Row]) -> list[Hint]:
        likely = self._likely(text.lists, [_texts(text.pieces(row.tokens)) for row in heard])
        everywhere = self._phrases.anywhere(text.lists, text.row.ends) if text.is_mixed else None
        hints = [Hint(everywhere)] if everywhere else []
        if likely:
            hints.append(Hint(self._phrases.favour([Trie.of(likely, self._phrases.encode)], self.options.favoured, text.row.ends)))
            hints.append(Hint(prompt=", ".join(word.text for word in likely)))
        return hints

    def _likely(self, lists: Sequence[HotwordList], heard: Iterable[Sequence[str]]) -> list[Hotword]:
        """Phrases that sound like something in a text, the longest and most alike first."""
        scores = dict[Hotword, float]()
        for words in heard:
            for hotwords in lists:
                for likely in self._phrases.likely(hotwords, words):
                    size = max(map(len, sounds(likely.said)))
                    if likely.alike >= self.options.alike and size >= self.options.sound:
                        scores[likely.hotword] = max(likely.alike + 3 * size, scores.get(likely.hotword, 0.0))
        return sorted(scores, key=lambda word: -scores[word])[: self.options.most]

    def _best(self, text: Text, readings: Sequence[Row], expected: int = 99) -> Row:
        """`expected`: phrases; one more must lead."""
        return max(readings, key=lambda row: self._value(text, row, expected))

    def _value(self, text: Text, row: Row, expected: int = 99) -> tuple[bool, float]:
        phrases, options = self._found(text, row), self.options
        overrules = row.tokens[: text.settled] != text.row.tokens[: text.settled]
        is_unfounded = overrules and len(phrases) <= len(self._found(text, text.row))
        lead = options.lead * max(0, len(phrases) - expected) + options.overrule * overrules
        return not (row.is_cut or is_unfounded), self._score(text, row) + self._worth(text.lists, phrases) - lead

    def _remember(self, text: Text, row: Row) -> None:
        """Phrases that were not read first are kept in later drafts."""
        before = self._found(text, text.row)
        text.memory.said.update(tokens for key, tokens in self._found(text, row).items() if key not in before)

    def _with_branches(self, choose: Chooser, text: Text, readings: Sequence[Row]) -> Row:
        """The best of what becomes of them; one phrase more than in the first must lead."""
        first, *others = (self._branched(choose, text, row) for row in readings)
        return self._best(text, [first, *others], len(self._found(text, first))) if others else first

    def _branched(self, choose: Chooser, text: Text, row: Row) -> Row:
        """What becomes of it with one phrase more, and one more again, as long as that is better."""
        for _ in range(self.options.branchings):
            pieces, bonus = text.pieces(row.tokens), self._bonus(text.lists)
            branches = self.branches.read(choose, text.row, row, pieces, text.lists, bonus, is_wide=text.is_mixed)
            count = len(self._found(text, row))
            better = self._best(text, [row, *branches], count)
            if better is row:
                break
            row = better
        return row

    def _filled(self, choose: Chooser, text: Text) -> Row | None:
        """With the phrases that are heard where it says nothing or doubtful words of another script, if there are any.

        Those places are heard alone, the last one first.
        """
        if not (text.has_gaps and len(text.voiced())):
            return None
        found = text.row
        for gap in sorted(self._places(text), reverse=True)[: self.options.most_gaps]:
            put = self._put(text, found, gap, self._heard(choose, text.part(gap.start, gap.stop)))
            if put and len(found.forced) + len(found.tokens) + len(put) < found.limit:
                more = with_text(choose, text.row, [*found.tokens[: gap.place], *put, *found.tokens[gap.until :]])
                found = more if likelihood(more) >= likelihood(found) - self.options.put else found
        return None if found is text.row else found

    def _places(self, text: Text) -> Iterator[Gap]:
        row, pieces, is_known = text.row, text.pieces(text.row.tokens), self._known(text.lists)
        starts = starts_of(row)
        yield from gaps(starts, pieces, text.voiced(), self.options.gaps)
        yield from doubted(row, starts, pieces, lambda word: is_known(letters(word)), self.options.gaps)

    def _put(self, text: Text, row: Row, gap: Gap, heard: Mapping[str, Sequence[int]]) -> list[int]:
        """The tokens of phrases that are not elsewhere in the text, if they account for what they take the place of."""
        outside = self._found(text, replace(row, tokens=[*row.tokens[: gap.place], *row.tokens[gap.until :]]))
        inside = letters("".join(_texts(text.pieces(row.tokens[gap.place : gap.until]))))
        keys = [key for key in heard if key not in outside]
        is_enough = len("".join(keys)) >= self.options.gaps.share * len(inside)
        return [token for key in keys for token in heard[key]] if is_enough and "".join(keys) != inside else []

    def _heard(self, choose: Chooser, part: Text | None) -> dict[str, tuple[int, ...]]:
        """The phrases in a part, if they are not much less likely there than what was read first."""
        if part is None:
            return {}
        decode(choose, [part.row])
        best = self.revise(choose, {0: part}).get(0, part.row)
        found = self._found(part, best)
        loss, bound = likelihood(part.row) - likelihood(best), self.options.heard - rarity(part.lists, self.options.among)
        is_near = loss <= bound * self._worth(part.lists, found) / self._bonus(part.lists)
        return {key: self._phrases.bare(tokens) for key, tokens in found.items()} if is_near else {}

    def _score(self, text: Text, row: Row) -> float:
        left_out = missing(row, text.pieces(row.tokens), text.voiced(), self.options.gaps) if text.is_mixed else 0
        unsaid_s = ((row.heard - reach(row)) * row.unit_frames + left_out) / FRAMES_PER_SECOND
        return likelihood(row) - self.options.unsaid * unsaid_s

    def _known(self, lists: Sequence[HotwordList]) -> Callable[[str], bool]:
        """Whether these letters are a phrase's."""
        worths = [self._worths(hotwords) for hotwords in lists]
        return lambda key: any(key in each for each in worths)

    def _worth(self, lists: Sequence[HotwordList], phrases: Iterable[str]) -> float:
        worths = [self._worths(hotwords) for hotwords in lists]
        return self._bonus(lists) * sum(max(worth.get(key, 0.0) for worth in worths) for key in phrases)

    def _bonus(self, lists: Iterable[HotwordList]) -> float:
        return min(self.options.most_bonus, self.options.bonus - rarity(lists, self.options.among))

    def _found(self, text: Text, row: Row) -> dict[str, tuple[int, ...]]:
        """Phrases in a reading and in what was stable before it, by their letters, each once, with their tokens.

        The longest at each place.
        """
        found, at, pieces = dict[str, tuple[int, ...]](), 0, text.pieces([*row.forced, *row.tokens])
        is_known = self._known(text.lists)
        while at < len(pieces):
            runs = [pieces[at:stop] for stop in range(min(at + _MOST_WORDS, len(pieces)), at, -1)]
            keys = [letters("".join(_texts(run))) for run in runs]
            size = next((len(run) for run, key in zip(runs, keys, strict=True) if is_known(key)), 0)
            if size:
                run = pieces[at : at + size]
                found[letters("".join(_texts(run)))] = tuple(token for _, tokens in run for token in tokens)
            at += size or 1
        return found


def _worths(hotwords: HotwordList) -> Mapping[str, float]:
    """By the letters of what may be written for a phrase: what it is worth."""
    pairs = ((letters(said), word) for word in hotwords for said in word.traces)
    return {key: worth(word) for key, word in pairs if key}


def _texts(pieces: Pieces) -> list[str]:
    return [text for text, _ in pieces]
