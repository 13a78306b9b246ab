"""Keys that this server hands out for a while, so that a page or a device need not hold the real one."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from streaming.errors import Overloaded

MOST_KEYS = 10_000
PREFIX = "ek_"


@dataclass(frozen=True, slots=True)
class ShortKey:
    """What it opens, until when, and what a session with it starts from."""

    path: str
    expires_at: float  # Unix time
    settings: Mapping[str, Any]


class ShortKeys:
    """Those that are good now; they are gone when the server stops. Only their digests are kept."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._keys: dict[bytes, ShortKey] = {}
        self._clock = clock

    def make(self, path: str, lifetime_s: float, settings: Mapping[str, Any]) -> tuple[str, ShortKey]:
        """A new key. Raises Overloaded if too many are good at once."""
        self._forget_old()
        if len(self._keys) >= MOST_KEYS:
            raise Overloaded(f"{MOST_KEYS:,} short keys are in use, expected fewer; try again later")
        key, made = PREFIX + secrets.token_urlsafe(24), ShortKey(path, self._clock() + lifetime_s, settings)
        self._keys[_digest(key)] = made
        return key, made

    def find(self, key: str, path: str) -> ShortKey | None:
        """What a key stands for, if it is good for this path now."""
        found = self._keys.get(_digest(key))
        return found if found and found.path == path and found.expires_at > self._clock() else None

    def _forget_old(self) -> None:
        now = self._clock()
        self._keys = {digest: key for digest, key in self._keys.items() if key.expires_at > now}


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
