"""How long words wait before they are called stable: the dial between soon and right."""

from __future__ import annotations

from dataclasses import dataclass, replace

_LEAST_WITH_HOTWORDS = 0.8


@dataclass(frozen=True, slots=True)
class Pace:
    """What a stable word must have: other words behind it, agreement, confidence; and how often it is looked at."""

    interval: float = 1.0  # of the server's time between partials
    margin_ms: int = 800  # of audio behind the word
    agreement: int = 2  # successive hypotheses that have it
    least_confidence: float = 0.7  # a final should be free to correct a doubtful one
    more_confidence: float = 0.0  # to be told as stable; with less, partials do not ask for it again, but the final does

    def with_hotwords(self) -> Pace:
        """A doubtful word may yet turn out to be one of them."""
        return replace(self, more_confidence=max(0.0, _LEAST_WITH_HOTWORDS - self.least_confidence))


PACES = {
    "minimal": Pace(0.5, 200, 2, 0.5),
    "low": Pace(0.75, 400, 2, 0.6),
    "medium": Pace(),
    "high": Pace(1.0, 1_600, 3, 0.7),
    "xhigh": Pace(1.0, 3_200, 4, 0.8),
}
