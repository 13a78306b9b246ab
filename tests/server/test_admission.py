from __future__ import annotations

import pytest

from server.admission import Admission
from server.metrics import Metrics
from streaming.errors import Overloaded, RecogniserFailed, ShuttingDown


def test_places_are_counted_and_given_back_however_it_ends():
    metrics = Metrics()
    admission = Admission(2, metrics)
    with admission.place("native"):
        with pytest.raises(ValueError), admission.place("deepgram"):
            assert admission.live == 2
            with pytest.raises(Overloaded, match="all 2 places are taken"), admission.place("native"):
                pytest.fail("a third one was let in")
            raise ValueError
        assert admission.live == 1 and b"stenoline_sessions 1.0" in metrics.text()
    assert admission.live == 0 and admission.check() is None
    assert b'stenoline_sessions_opened_total{protocol="native"} 1.0' in metrics.text()
    assert b"stenoline_capacity_sessions 2.0" in metrics.text()


def test_nobody_comes_while_it_drains():
    admission = Admission(2, Metrics())
    admission.is_draining = True
    assert isinstance(admission.check(), ShuttingDown)
    with pytest.raises(ShuttingDown), admission.place("native"):
        pytest.fail("one was let in")


def test_nobody_comes_when_no_device_works():
    able = True
    admission = Admission(2, Metrics(), lambda: able)
    assert admission.check() is None
    able = False
    assert isinstance(admission.check(), RecogniserFailed)
    with pytest.raises(RecogniserFailed, match="started anew"), admission.place("native"):
        pytest.fail("one was let in")
