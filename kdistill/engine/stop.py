"""Being asked to stop: SIGINT and SIGTERM, which a training takes at a moment it can go on from."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from kdistill import ranks
from kdistill.errors import Stopped

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class _Requests:
    """Signals are one per process, and so is what has come of them."""

    number = 0  # of the signal that came; 0: none
    deferred = False  # whether somebody looks at `number` soon


@contextmanager
def listening() -> Iterator[None]:
    """Inside, a signal raises Stopped; while `deferred`, it is only noted (a second one raises).

    Does nothing outside the main thread, where Python allows no handlers.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    home = os.getpid()

    def hear(number: int, frame: FrameType | None) -> None:
        if os.getpid() != home:  # a process that reads data ahead: its parent ends it
            if number == signal.SIGTERM:
                os._exit(128 + number)
            return
        again, _Requests.number = bool(_Requests.number), number
        # of several processes each hears a signal twice: itself, and from the one that started it
        if (again and not ranks.launched()) or not _Requests.deferred:
            raise Stopped(number)

    before = {each: signal.signal(each, hear) for each in SIGNALS}
    try:
        yield
    finally:
        _Requests.number = 0
        for each, handler in before.items():
            signal.signal(each, handler)


@contextmanager
def deferred() -> Iterator[None]:
    """Inside, a training asks `requested` often, and raises Stopped where it can go on from; one
    that ends before it is asked keeps its weights first."""
    _Requests.deferred = True
    try:
        yield
    finally:
        _Requests.deferred = False
    if number := max(ranks.gathered(_Requests.number)):  # it came after the last question
        raise Stopped(number)


def requested() -> int:
    """The number of the signal that asked to stop, or 0."""
    return _Requests.number
