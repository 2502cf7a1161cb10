"""Moments for requests, evenly spaced."""

import threading

import pytest

from exporter.stores.engine.rate_limit import RateLimit


def test_moments_are_evenly_spaced():
    rate = RateLimit(4)
    assert [rate.reserve(10.0) for _ in range(4)] == [10.0, 10.25, 10.5, 10.75]


def test_nothing_is_saved_up():
    rate = RateLimit(2)
    rate.reserve(0.0)
    assert [rate.reserve(100.0) for _ in range(3)] == [100.0, 100.5, 101.0]


def test_threads_together_are_no_faster():
    rate, moments = RateLimit(10), []

    def reserve():
        moments.extend(rate.reserve(0.0) for _ in range(50))

    threads = [threading.Thread(target=reserve) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(moments) == pytest.approx([n / 10 for n in range(200)])
