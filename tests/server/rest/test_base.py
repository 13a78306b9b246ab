from __future__ import annotations

import pytest

from server.rest.base import refusal
from streaming.errors import ClientFault


@pytest.mark.parametrize("message", ["x" * 299 + " y", "two\r\nlines", " ключ ", "x" * 1_000])
def test_any_message_fits_in_a_header(message: str):
    header = refusal(ClientFault(message)).headers["dg-error"]
    assert header == header.strip() and 0 < len(header) <= 300 and header.isascii() and header.isprintable()
