"""What Prometheus reads at /metrics."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_STEP_S = (0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 2.0, 5.0)


class Metrics:
    """One set for each server, so that two in a process do not mix."""

    def __init__(self) -> None:
        self.registry = r = CollectorRegistry()
        self.sessions = Gauge("stenoline_sessions", "Live sessions", registry=r)
        self.capacity = Gauge("stenoline_capacity_sessions", "Live sessions that are admitted at most", registry=r)
        self.opened = Counter("stenoline_sessions_opened", "Sessions admitted", ["protocol"], registry=r)
        self.refused = Counter("stenoline_sessions_refused", "Handshakes refused", ["reason"], registry=r)
        self.closed = Counter("stenoline_sessions_closed", "Sessions closed", ["code"], registry=r)
        self.rooms = Gauge("stenoline_rooms", "Caption rooms", registry=r)
        self.viewers = Gauge("stenoline_viewers", "Viewers of all caption rooms", registry=r)
        self.audio = Counter("stenoline_audio_seconds", "Audio received", registry=r)
        self.partials = Counter("stenoline_partials", "Partial transcripts made", registry=r)
        self.finals = Counter("stenoline_finals", "Final transcripts sent", registry=r)
        self.words = Counter("stenoline_words", "Words in finals", registry=r)
        self.errors = Counter("stenoline_errors", "Errors told to clients", ["code"], registry=r)
        self.failures = Counter("stenoline_step_failures", "Steps of the recogniser that failed", registry=r)
        self.step = Histogram("stenoline_step_seconds", "Duration of a step of the recogniser", registry=r, buckets=_STEP_S)
        self.rows = Histogram("stenoline_step_rows", "Requests in a step", registry=r, buckets=(1, 2, 4, 8, 16, 32))
        self.waiting = Gauge("stenoline_requests_waiting", "Requests that wait for the device", registry=r)
        self.final_wait = Histogram(
            "stenoline_final_seconds", "From the request for a final until it is answered", registry=r, buckets=_STEP_S
        )

    def text(self) -> bytes:
        """The Prometheus text format."""
        return generate_latest(self.registry)
