"""Ctrl-C, SIGTERM and SIGHUP end the program in the same way, at once or after the current write."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

FATAL: Final = 128
"""Added to a signal's number this is the exit code of a program that the signal ended, as in shells."""
END_SIGNALS: Final = (signal.SIGTERM, signal.SIGHUP)
"""Signals that end the program besides SIGINT (Ctrl-C): of system managers, and of a closed terminal."""


class Stopped(SystemExit):
    """A signal asked the program to end. Unlike KeyboardInterrupt, it prints nothing in worker processes."""


def catch() -> None:
    """Turn signals into `Stopped`, so that clean-up blocks run, unless they are ignored, as by nohup."""
    for number in END_SIGNALS:
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _leave)


def _leave(number: int, _frame: object) -> None:
    raise Stopped(FATAL + number)


@dataclass
class Stop:
    """Whether a signal has arrived since `held` began.

    Args:
        event: set when a signal arrives.
        number: number of the signal; SIGTERM if another process got it and told this one.
    """

    event: threading.Event = field(default_factory=threading.Event)
    number: int = signal.SIGTERM

    def leave(self) -> None:
        """End the program as the signal would have, if one arrived. Raises KeyboardInterrupt or Stopped."""
        if not self.event.is_set():
            return
        if self.number == signal.SIGINT:
            raise KeyboardInterrupt
        _leave(self.number, None)


@contextmanager
def held() -> Iterator[Stop]:
    """Within the block, the first signal only sets a flag; a second one interrupts as usual.

    `torchrun` sends its processes again the signals that the terminal has already sent them, and kills processes that
    do not end. With several processes, later signals are therefore ignored as such repetitions.
    """
    stop, before = Stop(), {}
    if threading.current_thread() is threading.main_thread():  # only the main thread may set handlers
        for number in (signal.SIGINT, *END_SIGNALS):
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                before[number] = signal.signal(number, _FirstSignal(stop))
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _FirstSignal:
    """Signal handler that records the first signal."""

    def __init__(self, stop: Stop) -> None:
        self._stop, self._process = stop, os.getpid()

    def __call__(self, number: int, _frame: Any) -> None:
        if os.getpid() != self._process:  # a worker has inherited this handler; its parent decides when it ends
            return
        if not self._stop.event.is_set():
            self._stop.number = number
            self._stop.event.set()
        elif os.environ.get("WORLD_SIZE", "1") == "1":
            self._stop.number = number
            self._stop.leave()
