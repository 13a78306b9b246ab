"""The OpenAPI document is true: whatever it allows is answered as it says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)
from starlette.routing import Route

from server import pages
from server.app import build_app
from server.rest.documents import document
from tests.helpers import talk
from tests.server.conftest import Running, Serve
from tests.sounds import encoded

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    unsupported_method,
]
schemathesis.openapi.media_type("audio/wav", st.just(encoded(talk(0.1, 0.8, 0.3), "wav", 16_000)))
schema = schemathesis.openapi.from_dict(document())


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """One server for all calls."""
    from model.scripted import ScriptedRecogniser
    from server.config import Config

    running = Running(Config(), ScriptedRecogniser(), ())
    yield f"http://{running.address}"
    running.stop()


@schema.parametrize()
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_calls(case: schemathesis.Case, url: str):
    case.call_and_validate(base_url=url, checks=CHECKS)


def test_the_page_needs_nothing_from_elsewhere(running: Running):
    page = requests.get(f"http://{running.address}/docs", timeout=10).text
    for path in ("/docs/ui/swagger-ui.css", "/docs/ui/swagger-ui-bundle.js", "/docs/start.js", "/openapi.json"):
        assert requests.get(f"http://{running.address}{path}", timeout=10).ok
    assert "http" not in page.replace("HTTP", "") and "/docs/start.js" in page


def test_it_is_behind_the_gate(serve: Serve):
    running = serve(keys=(b"right",))
    for path in ("/openapi.json", "/docs", "/v1/models"):
        assert requests.get(f"http://{running.address}{path}", timeout=10).status_code == 401
        assert requests.get(f"http://{running.address}{path}", headers={"X-API-Key": "right"}, timeout=10).ok


def test_every_route_is_in_the_document(running: Running):
    routes = [route for route in build_app(running.service).routes if isinstance(route, Route)]
    shown = {"/docs", "/docs/start.js", "/openapi.json"} | {page.path for page in pages.routes(lambda handler: handler)}
    assert set(document()["paths"]) == {route.path.replace(":path", "") for route in routes} - shown
