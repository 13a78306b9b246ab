"""The hotwords in force in a session, its own and those of the server's lists that it named, and how it wants its text."""

from __future__ import annotations

from dataclasses import replace

from model.interfaces import DecodeContext, Hotword
from streaming.biasing import HotwordList, SharedLists, normalised
from streaming.commands import SessionConfig
from streaming.spelling import Speller, spelling_of
from streaming.text.style import TextStyle, check_style, stages
from streaming.writing import Writer

_PLAIN = TextStyle()


class Vocabulary:
    """Changes as a whole, or not at all."""

    def __init__(self, shared: SharedLists) -> None:
        """`shared` gives the server's lists, as they are now."""
        self._shared = shared
        self._names: tuple[str, ...] = ()
        self._own: HotwordList = ()
        self._spelling = spelling_of(())
        self._spoken = DecodeContext()
        self._style = TextStyle()

    def checked(self, hotwords: tuple[Hotword, ...], names: tuple[str, ...], style: TextStyle = _PLAIN) -> HotwordList:
        """The hotwords normalised. Raises LimitExceeded."""
        check_style(style)
        self._shared(names)
        return normalised(hotwords)

    def take(self, config: SessionConfig) -> None:
        """From now on those of this configuration, which were checked."""
        self._own, self._names, self._spelling = config.hotwords, config.hotword_lists, spelling_of(config.hotwords)
        self._spoken = DecodeContext(config.language, config.prompt, config.languages)
        self._style = config.text

    def opening(self) -> tuple[DecodeContext, Writer]:
        """For a new utterance."""
        context, speller = self.in_force()
        return context, Writer(speller, stages(self._style))

    def in_force(self) -> tuple[DecodeContext, Speller]:
        """What an utterance knows before it is heard, and how it is written."""
        shared = self._shared(self._names)
        own = [(self._own, self._spelling)] if self._own else []
        pairs = [*own, *((each, spelling_of(each)) for each in shared)]
        return replace(self._spoken, hotwords=tuple(each for each, _ in pairs)), Speller([each for _, each in pairs])
