"""A transcript as clients want it that append what they get: text is only ever added."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from model.interfaces import Word

# Thai and Lao; Chinese and Japanese with their marks
_UNSPACED = re.compile("[\u0e00-\u0eff\u2e80-\u312f\u31f0-\u9fff\ufe30-\ufe4f\uff00-\uffef\U00020000-\U0003ffff]")


def text_of(words: Iterable[Word]) -> str:
    """Without the space before it."""
    return "".join(word.text for word in words).strip()


class GrowingText:
    """Utterances one after another; of the last one at first only the stable words."""

    def __init__(self) -> None:
        self.told = ""  # what was given out
        self.text = ""  # of the utterances that are over

    def grow(self, stable: Sequence[Word]) -> str:
        """What these words of the present utterance add to what was told; empty if nothing."""
        whole = self.with_words(stable)
        if not whole.startswith(self.told):
            return ""
        added, self.told = whole[len(self.told) :], whole
        return added

    def close(self, words: Sequence[Word]) -> str:
        """The utterance is over, and these are its words: what they add."""
        added, self.text = self.grow(words), self.with_words(words)
        return added

    def with_words(self, words: Sequence[Word]) -> str:
        """All the text, if the present utterance had these words."""
        raw = "".join(word.text for word in words)
        said = raw.strip()
        return self.text + _between(self.text, raw, said) + said if said else self.text


def joined(utterances: Iterable[Sequence[Word]]) -> str:
    """One text of utterances that are over."""
    whole = GrowingText()
    for words in utterances:
        whole.close(words)
    return whole.text


def _between(before: str, raw: str, said: str) -> str:
    """A space, but not where the script has none."""
    if not before:
        return ""
    unspaced = sum(bool(_UNSPACED.match(letter)) for letter in (before[-1], said[0]))
    return "" if unspaced == 2 or (unspaced and not raw[0].isspace()) else " "
