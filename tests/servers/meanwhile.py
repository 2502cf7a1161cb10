"""Work on another thread while a test goes on."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def meanwhile(work: Callable[[int], object]) -> Iterator[None]:
    """Do the work again and again, given 0, 1, 2 …; an error of it fails the test in the end."""
    stop, failed = threading.Event(), list[Exception]()

    def go_on() -> None:
        number = 0
        try:
            while not stop.is_set():
                work(number)
                number += 1
        except Exception as error:  # noqa: BLE001 - told to the test, which is on another thread
            failed.append(error)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    assert failed == []
