"""The hotwords in force in a session: its own, and those of the server's lists that it named."""

from __future__ import annotations

from model.interfaces import DecodeContext, Hotword
from streaming.biasing import HotwordList, SharedLists, normalised
from streaming.commands import SessionConfig
from streaming.spelling import Speller, Spelling, spelling_of


class Vocabulary:
    """Changes as a whole, or not at all."""

    def __init__(self, shared: SharedLists) -> None:
        """`shared` gives the server's lists, as they are now."""
        self._shared = shared
        self._names: tuple[str, ...] = ()
        self._own: HotwordList = ()
        self._spelling = Spelling(())

    def checked(self, hotwords: tuple[Hotword, ...], names: tuple[str, ...]) -> HotwordList:
        """The hotwords normalised. Raises LimitExceeded."""
        self._shared(names)
        return normalised(hotwords)

    def take(self, config: SessionConfig) -> None:
        """From now on those of this configuration, which were checked."""
        self._own, self._names, self._spelling = config.hotwords, config.hotword_lists, Spelling(config.hotwords)

    def in_force(self, language: str | None) -> tuple[DecodeContext, Speller]:
        """What an utterance knows before it is heard, and how it is written."""
        shared = self._shared(self._names)
        own = [(self._own, self._spelling)] if self._own else []
        pairs = [*own, *((each, spelling_of(each)) for each in shared)]
        return DecodeContext(language, hotwords=tuple(each for each, _ in pairs)), Speller([each for _, each in pairs])
