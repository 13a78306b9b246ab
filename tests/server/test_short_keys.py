from __future__ import annotations

import pytest

from server import short_keys
from server.short_keys import ShortKeys
from streaming.errors import Overloaded


def test_a_key_is_good_for_its_path_and_its_time():
    now = [100.0]
    keys = ShortKeys(lambda: now[0])
    key, made = keys.make("/a", 10, {"x": 1})
    assert made.expires_at == 110 and keys.find(key, "/a") == made
    assert keys.find(key, "/b") is None and keys.find(key + "x", "/a") is None
    now[0] = 110
    assert keys.find(key, "/a") is None


def test_there_are_so_many_at_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(short_keys, "MOST_KEYS", 2)
    now = [0.0]
    keys = ShortKeys(lambda: now[0])
    for _ in range(2):
        keys.make("/a", 10, {})
    with pytest.raises(Overloaded):
        keys.make("/a", 10, {})
    now[0] = 11
    keys.make("/a", 10, {})
