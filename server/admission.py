"""How many sessions are live, and whether one more may come."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from server.metrics import Metrics
from streaming.errors import Overloaded, ServerFault, ShuttingDown


class Admission:
    """Counts sessions; a place is given back however the session ends."""

    def __init__(self, capacity: int, metrics: Metrics) -> None:
        self.capacity, self._metrics = capacity, metrics
        self.live = 0
        self.is_draining = False
        metrics.capacity.set(capacity)

    def check(self) -> ServerFault | None:
        """Why no further session may come now, or None."""
        if self.is_draining:
            return ShuttingDown("the server is shutting down; try another one")
        if self.live >= self.capacity:
            return Overloaded(f"all {self.capacity} places are taken; try again later")
        return None

    @contextmanager
    def place(self, protocol: str) -> Iterator[None]:
        """Hold one place. Raises Overloaded or ShuttingDown."""
        fault = self.check()
        if fault:
            raise fault
        self.live += 1
        self._metrics.opened.labels(protocol).inc()
        self._metrics.sessions.set(self.live)
        try:
            yield
        finally:
            self.live -= 1
            self._metrics.sessions.set(self.live)
