"""How the page is sent: to whom, with which headers."""

from __future__ import annotations

import gzip
import http.client
from collections.abc import Mapping
from contextlib import closing

import pytest

from server.pages import STATIC
from tests.server.conftest import Running, Serve


def get(running: Running, path: str, **headers: str) -> tuple[int, Mapping[str, str], bytes]:
    with closing(http.client.HTTPConnection(running.address)) as connection:
        connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()


@pytest.mark.parametrize(("path", "name"), [("/", "index.html"), ("/captions", "captions.html"), ("/icon.svg", "icon.svg")])
def test_pages_are_the_built_files(running: Running, path: str, name: str):
    status, _, content = get(running, path)
    assert status == 200 and content == (STATIC / name).read_bytes()


def test_who_has_no_key_can_read_where_to_put_one(serve: Serve):
    running = serve(keys=(b"secret-key",))
    assert get(running, "/")[0] == 200
    assert get(running, "/v1/models")[0] == 401


def test_a_page_of_another_site_cannot_read_it_under_its_own_name(running: Running):
    assert get(running, "/", host="evil.example")[0] == 403
    assert get(running, "/", origin="https://evil.example")[0] == 403


def test_what_has_not_changed_is_not_sent_again(running: Running):
    _, headers, _ = get(running, "/")
    status, _, content = get(running, "/", if_none_match=headers["etag"])
    assert status == 304 and content == b""
    tag = headers["etag"]
    assert get(running, "/", if_none_match=f'"other", W/{tag}')[0] == 304
    assert get(running, "/", if_none_match='"other"')[0] == 200


@pytest.mark.parametrize(
    ("accepted", "is_zipped"),
    [("gzip", True), ("br, GZIP ; q=0.5", True), ("deflate,gzip;q=1.0", True), ("gzip;q=0", False), ("gzip; q=0.000, br", False)]
    + [("identity", False), ("x-gzipped", False), ("", False)],
)
def test_it_is_compressed_for_those_who_take_it(running: Running, accepted: str, is_zipped: bool):
    _, headers, content = get(running, "/", accept_encoding=accepted)
    assert (headers.get("content-encoding") == "gzip") == is_zipped
    assert (gzip.decompress(content) if is_zipped else content) == (STATIC / "index.html").read_bytes()


def test_the_browser_is_told_to_load_nothing_from_elsewhere_and_to_show_it_in_no_frame(running: Running):
    policy = get(running, "/")[1]["content-security-policy"]
    assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy
    assert get(running, "/")[1]["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("path", ["/assets/../index.html", "/assets/nothing.js", "/web/package.json", "/index.html"])
def test_only_these_files_are_there(running: Running, path: str):
    assert get(running, path)[0] == 404
