"""Favouring phrases in greedy decoding, with the bonus given back where a phrase is not completed.

Shallow fusion (Zhao et al. 2019) adds a bonus to tokens that continue a phrase; a beam search drops the hypotheses that took
it in vain. Here there is one hypothesis: a token of a phrase is taken although another one is likelier, within a margin; if
the phrase then does not go on within its cap, decoding goes back to that token and takes what is likeliest there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from model.biasing.trie import Node, Trie

_UNSAID_FRAMES = 40  # of audio that no token has looked at, so that a phrase may begin where the text would end
_FRAMES_A_LETTER, _MORE_FRAMES = 6, 40  # that a phrase may last

Near: TypeAlias = Sequence[tuple[int, float]]  # tokens and log-probabilities, the likeliest first


@dataclass(frozen=True, slots=True)
class BiasOptions:
    """In nats, for a weight of 1."""

    margin: float = 6.0  # that one token may be less likely than the likeliest
    cap: float = 8.0  # that all tokens of a phrase may be together
    tries: int = 2  # phrases that are tried at one place


class Walk(NamedTuple):
    """A phrase under way."""

    node: Node
    first: int | None = None  # position of its first token that was not the likeliest
    conceded: float = 0.0  # by how much all of them were less likely
    instead: int = -1  # what would have been there


class GoBack(NamedTuple):
    """To before the token at this position, and choose once more."""

    position: int


class Favour:
    """The phrases of one text."""

    def __init__(self, tries: Sequence[Trie], decode: Callable[[int], str], options: BiasOptions, ends: frozenset[int]) -> None:
        self._tries, self._decode, self._options, self._ends = tries, decode, options, ends
        self._walks: list[list[Walk]] = [[]]  # before each position
        self._refused: dict[int, set[int]] = {}  # tokens at a position that were taken in vain
        self.margin = options.margin * max((t.weight for t in tries), default=0.0)

    def choose(
        self, before: Sequence[int], position: int, near: Near, looked: Sequence[int], heard: int
    ) -> tuple[int, float] | GoBack:
        """`before`: the tokens so far, the last `position` of which were chosen here.

        `looked`: the frame of the audio that was looked at most for each of them and for the one to choose; `heard`: all frames.
        """
        del self._walks[position + 1 :]
        walks = self._walks[position]
        held = [walk for walk in walks if walk.first is not None]
        is_free = not held or (
            any(w.node.is_end for w in held)
            and self._ends_word(before, near[0][0])
            and not (near[0][0] in self._ends and self._has_skipped(before, position, held, looked, heard))
        )
        refused = self._refused.get(position, set())
        allowed = [(t, p) for t, p in near if t not in refused]
        options = list(self._continuing(walks if is_free else held, allowed, near[0][1]))
        if (
            is_free
            and len(refused) < self._options.tries
            and (near[0][0] not in self._ends or heard - looked[position] >= _UNSAID_FRAMES)
        ):
            options += self._beginning(before, allowed, near[0][1])
        if not options and not is_free:
            return self._go_back(before, position, held)
        token, log_probability = max(options, key=lambda each: each[1], default=near[0])
        self._walks.append(self._after(walks, before, position, near[0], (token, log_probability)))
        return token, log_probability

    def follow(self, before: Sequence[int], position: int, token: int) -> None:
        """A token that was chosen elsewhere; arguments as for choose()."""
        del self._walks[position + 1 :]
        chosen = (token, 0.0)
        self._walks.append(self._after(self._walks[position], before, position, chosen, chosen))

    def _continuing(self, walks: Sequence[Walk], near: Near, likeliest: float) -> Iterator[tuple[int, float]]:
        for walk in walks:
            conceded = 0.0 if walk.node.is_end else walk.conceded
            yield from self._within(walk.node, near, likeliest, conceded)

    def _beginning(self, before: Sequence[int], near: Near, likeliest: float) -> Iterator[tuple[int, float]]:
        for root in self._roots(before):
            yield from self._within(root, near, likeliest, 0.0)

    def _roots(self, before: Sequence[int]) -> Iterator[Node]:
        is_bare = not before or not self._decode(before[-1])[-1:].isascii() or not self._decode(before[-1])[-1:].isalnum()
        for trie in self._tries:
            yield trie.spaced
            if is_bare:
                yield trie.bare

    def _within(self, node: Node, near: Near, likeliest: float, conceded: float) -> Iterator[tuple[int, float]]:
        o = self._options
        for token, log_probability in near:
            child, loss = node.children.get(token), likeliest - log_probability
            if child and loss <= o.margin * child.weight and conceded + loss <= o.cap * child.weight:
                yield token, log_probability

    def _after(
        self, walks: Sequence[Walk], before: Sequence[int], position: int, best: tuple[int, float], chosen: tuple[int, float]
    ) -> list[Walk]:
        """The phrases under way with this token. One that was complete has nothing to give back any more."""
        found, loss = [], best[1] - chosen[1]
        for walk in [*walks, *(Walk(root) for root in self._roots(before))]:
            child = walk.node.children.get(chosen[0])
            if child is not None:
                kept = walk if not walk.node.is_end else Walk(walk.node)
                is_first = kept.first is None and loss > 0
                first, instead = (position, best[0]) if is_first else (kept.first, kept.instead)
                found.append(Walk(child, first, kept.conceded + loss, instead))
        return found

    def _has_skipped(self, before: Sequence[int], position: int, held: Sequence[Walk], looked: Sequence[int], heard: int) -> bool:
        """The text ends longer before the audio does than the phrase can last."""
        first, instead = min((walk.first, walk.instead) for walk in held if walk.first is not None)
        if instead in self._ends:
            return False
        count = sum(len(self._decode(token)) for token in before[len(before) - position + first :])
        return heard - looked[first] > _FRAMES_A_LETTER * count + _MORE_FRAMES

    def _go_back(self, before: Sequence[int], position: int, held: Sequence[Walk]) -> GoBack:
        first = min(walk.first for walk in held if walk.first is not None)
        self._refused.setdefault(first, set()).add(before[len(before) - position + first])
        for later in [p for p in self._refused if p > first]:
            del self._refused[later]
        return GoBack(first)

    def _ends_word(self, before: Sequence[int], token: int) -> bool:
        """The phrase that ends with `before` is not the beginning of a longer word."""
        if token in self._ends:
            return True
        last, following = self._decode(before[-1])[-1:], self._decode(token)
        is_inside = last.isascii() and last.isalnum() and following[:1].isascii() and following[:1].isalnum()
        return not is_inside or following == "s"
