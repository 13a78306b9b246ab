"""How many sessions are live, and whether one more may come."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from server.metrics import Metrics
from streaming.errors import Overloaded, RecogniserFailed, ServerFault, ShuttingDown


class Admission:
    """Counts sessions; a place is given back however the session ends."""

    def __init__(self, capacity: int, metrics: Metrics, is_able: Callable[[], bool] = lambda: True) -> None:
        """`is_able`: there is a device that works."""
        self.capacity, self._metrics, self._is_able = capacity, metrics, is_able
        self.live = 0
        self.is_draining = False
        metrics.capacity.set(capacity)

    def check(self, places: int = 1) -> ServerFault | None:
        """Why no further session may come now, or None."""
        if self.is_draining:
            return ShuttingDown("the server is shutting down; try another one")
        if not self._is_able():
            return RecogniserFailed("no device of this server works any more; it must be started anew")
        if places > self.capacity:
            return Overloaded(f"{places} channels need as many places, and there are {self.capacity}")
        if self.live + places > self.capacity:
            taken = f"all {self.capacity}" if self.live >= self.capacity else f"{self.live} of {self.capacity}"
            return Overloaded(f"{taken} places are taken; try again later")
        return None

    @contextmanager
    def place(self, protocol: str, places: int = 1) -> Iterator[None]:
        """Hold so many, one for each channel. Raises Overloaded or ShuttingDown."""
        fault = self.check(places)
        if fault:
            raise fault
        self.live += places
        self._metrics.opened.labels(protocol).inc()
        self._metrics.sessions.set(self.live)
        try:
            yield
        finally:
            self.live -= places
            self._metrics.sessions.set(self.live)
