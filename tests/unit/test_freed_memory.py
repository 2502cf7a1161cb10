"""Memory that scans have freed goes back to the system, but not after each of many short scans."""

from fakes import Clock

from exporter.scheduler.memory import FreedMemory, system_trim


def test_it_is_given_back_at_most_once_a_minute():
    clock, calls = Clock(), []
    freed = FreedMemory(calls.append, clock.monotonic)
    for seconds in (0, 59, 1, 59, 1):
        clock.now += seconds
        freed.give_back()
    assert calls == [0, 0, 0]


def test_a_c_library_without_the_call_is_left_alone():
    FreedMemory(None).give_back()


def test_what_the_system_has_can_be_called():
    trim = system_trim()
    assert trim is None or trim(0) in {0, 1}
