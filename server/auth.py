"""Who may connect: API keys, web origins, host names."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from server.config import BadSetting, Config
from server.short_keys import PREFIX, ShortKey, ShortKeys

_MARKERS = ("token", "bearer")  # WebSocket subprotocols that announce a key: "token, KEY"
_REALTIME, _REALTIME_KEY = "realtime", "openai-insecure-api-key."  # as OpenAI's clients do it in browsers
_LEAST_OWN, _MOST_OWN = 16, 256  # characters of a key that a client made up


class Refused(Exception):
    """A connection that is not let in: HTTP status, stable code, message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def read_keys(config: Config, environment: Mapping[str, str]) -> tuple[bytes, ...]:
    """All API keys. Raises BadSetting for a file that cannot be read or holds none, or an open address without keys."""
    keys = [environment[name] for name in ("STENOLINE_API_KEY",) if environment.get(name)]
    if config.api_key_file:
        keys += _keys_in(Path(config.api_key_file))
    if not keys and not config.insecure and not is_loopback(config.host):
        raise BadSetting(
            f"host is {config.host}, which others can reach: give --api-key-file or STENOLINE_API_KEY, or --insecure to go without"
        )
    return tuple(key.encode() for key in keys)


def _keys_in(file: Path) -> list[str]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise BadSetting(f"api_key_file {file} cannot be read: {error.strerror}") from None
    keys = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not keys:
        raise BadSetting(f"api_key_file {file} holds no key, expected one a line")
    return keys


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Gate:
    """Checks a handshake or request, before anything else is done for it."""

    def __init__(self, config: Config, keys: tuple[bytes, ...]) -> None:
        self._keys = keys
        self._origins = {origin.rstrip("/").lower() for origin in config.allow_origin}
        self._hosts = {host.lower() for host in config.allow_host} | {config.host.lower()}
        self._any_host = not is_loopback(config.host)  # reached by names we cannot know; keys guard it
        self.short_keys = ShortKeys()

    def check(self, connection: HTTPConnection) -> ShortKey | None:
        """Gives the short key that it came with, if any.

        Raises Refused: 403 for a host or origin that is not allowed, 401 for a missing or wrong key.
        """
        self.check_place(connection)
        offered = _offered(connection)
        short = [self.short_keys.find(key, connection.url.path) for key in offered if key.startswith(PREFIX)]
        if any(short):
            return next(filter(None, short))
        if (short or self._keys) and not self._is_known(offered):
            raise Refused(401, "unauthorized", "a valid API key is needed: Authorization: Bearer KEY (or Token KEY)")
        return None

    def check_place(self, connection: HTTPConnection) -> None:
        """Where it comes from and goes to, without any key. Raises Refused."""
        self._check_host(connection.headers.get("host", ""))
        self._check_origin(connection.headers.get("origin"), connection.headers.get("host", ""))

    def owner(self, connection: HTTPConnection) -> bytes:
        """The digest of the key that it publishes with: one of ours, or where there are none, one of its own. Raises Refused."""
        self.check_place(connection)
        usable = (lambda key: self._is_known([key])) if self._keys else _is_long
        found = next(filter(usable, _offered(connection)), None)
        if found is None:
            wanted = "a valid API key" if self._keys else f"a key of your own of {_LEAST_OWN} to {_MOST_OWN} characters"
            raise Refused(401, "unauthorized", f"to publish, {wanted} is needed: Authorization: Bearer KEY (or Token KEY)")
        return hashlib.sha256(found.encode()).digest()

    @property
    def wants_key(self) -> bool:
        """Whether a key is needed."""
        return bool(self._keys)

    def _check_host(self, host: str) -> None:
        """Against DNS rebinding: a page of another site that resolves its name to this address."""
        name = _name(f"//{host}")
        if not (self._any_host or is_loopback(name) or name in self._hosts):
            raise Refused(403, "host_not_allowed", f"host {name!r} is not allowed; add it with --allow-host")

    def _check_origin(self, origin: str | None, host: str) -> None:
        """Browsers send the page's origin and let any page connect anywhere; other programs send none."""
        if origin is None:
            return
        same = origin.partition("://")[2].lower() == host.lower() != ""
        local = is_loopback(_name(origin)) and is_loopback(_name(f"//{host}"))
        if not (same or local or origin.rstrip("/").lower() in self._origins):
            raise Refused(403, "origin_not_allowed", f"origin {origin!r} is not allowed; add it with --allow-origin")

    def _is_known(self, offered: Iterable[str]) -> bool:
        """Every pair is compared, each in constant time."""
        matches = [hmac.compare_digest(key, given.encode()) for given in offered for key in self._keys]
        return any(matches)


def _is_long(key: str) -> bool:
    return _LEAST_OWN <= len(key) <= _MOST_OWN


def _name(url: str) -> str:
    """The host name in a URL; empty if there is none or it is no URL."""
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


def _offered(connection: HTTPConnection) -> list[str]:
    """Keys in the headers and in the subprotocols; never in the URL, where logs would keep them."""
    scheme, _, credentials = connection.headers.get("authorization", "").partition(" ")
    given = [credentials.strip()] if scheme.lower() in _MARKERS else []
    given += connection.headers.getlist("x-api-key")
    offered = subprotocols(connection)
    given += [each.removeprefix(_REALTIME_KEY) for each in offered if each.startswith(_REALTIME_KEY)]
    return given + offered[1:2] if offered and offered[0].lower() in _MARKERS else given


def subprotocols(connection: HTTPConnection) -> list[str]:
    """The WebSocket subprotocols that the client offers."""
    return list(connection.scope.get("subprotocols", []))


def selected_subprotocol(connection: HTTPConnection) -> str | None:
    """What to echo: the marker alone, so that the key is not sent back."""
    offered = subprotocols(connection)
    if _REALTIME in offered:
        return _REALTIME
    return offered[0] if offered and offered[0].lower() in _MARKERS else None
