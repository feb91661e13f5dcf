import time
from types import SimpleNamespace

import pytest
import torch

from realitycheck.training import loop
from realitycheck.training.record import _data_wait


def test_waiting_is_told_from_working():
    def slow():
        for _ in range(4):
            time.sleep(0.03)
            yield 0

    waits = loop._Waits(torch.device("cpu"))
    for _ in waits.batches(slow()):
        time.sleep(0.01)
    waited, took = waits.seconds()
    assert waited >= 0.12
    assert took - waited >= 0.04
    assert 0.5 < waited / took < 0.9


def test_a_gpus_own_clock_is_read(monkeypatch):
    """A stand-in for a GPU that computes 30 ms a batch, and waits 10 ms for each and at the end."""
    now = [0.0]

    class Event:
        def __init__(self, enable_timing):
            assert enable_timing

        def record(self):
            self.at = now[0]

        def elapsed_time(self, later):
            return later.at - self.at

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)

    def batches():
        for _ in range(3):
            now[0] += 10
            yield 0
        now[0] += 10

    waits = loop._Waits(SimpleNamespace(type="cuda"))
    for _ in waits.batches(batches()):
        now[0] += 30
    assert waits.seconds() == pytest.approx((0.04, 0.13))


def test_a_record_weighs_epochs_by_their_length():
    old = {"pictures": 100, "pictures_per_s": 10.0}
    rows = [old, {**old, "data_wait": 0.2}, {**old, "pictures_per_s": 30.0, "data_wait": 0.6}]
    assert _data_wait(rows) == {"data_wait": 0.3}
    assert _data_wait([old]) == {}
