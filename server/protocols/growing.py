"""A transcript as clients want it that append what they get: text is only ever added."""

from __future__ import annotations

from collections.abc import Sequence

from model.interfaces import Word

_UNSPACED = ((0x0E00, 0x0EFF), (0x2E80, 0x312F), (0x31F0, 0x9FFF), (0xFE30, 0xFE4F), (0xFF00, 0xFFEF), (0x20000, 0x3FFFF))


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


def _between(before: str, raw: str, said: str) -> str:
    """A space, but not where the script has none."""
    if not before:
        return ""
    unspaced = _is_unspaced(before[-1]) + _is_unspaced(said[0])
    return "" if unspaced == 2 or (unspaced and not raw[0].isspace()) else " "


def _is_unspaced(letter: str) -> bool:
    return any(first <= ord(letter) <= last for first, last in _UNSPACED)
