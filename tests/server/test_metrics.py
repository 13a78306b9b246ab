from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from server.metrics import Metrics


def test_prometheus_can_read_it_and_every_metric_says_what_it_is():
    families = list(text_string_to_metric_families(Metrics().text().decode()))
    ours = [f for f in families if f.name.startswith("stenoline_") and not f.name.endswith("_created")]
    assert len(ours) > 10 and all(f.documentation for f in ours)


def test_two_servers_of_one_process_do_not_mix():
    one, two = Metrics(), Metrics()
    one.finals.inc()
    assert b"stenoline_finals_total 1.0" in one.text() and b"stenoline_finals_total 0.0" in two.text()
