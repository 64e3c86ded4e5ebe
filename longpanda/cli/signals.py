"""Ctrl-C, SIGTERM and SIGHUP: all end the program in the same way, at once or after what is being written."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

FATAL: Final = 128
"""The exit code of a program that a signal ended is this and the signal's number, as shells have it."""
POLITE: Final = (signal.SIGTERM, signal.SIGHUP)
"""What asks to end, beside Ctrl-C, which is SIGINT: system managers do, and a terminal that is closed."""


class Stopped(SystemExit):
    """A signal asked to end. Unlike KeyboardInterrupt it is silent in worker processes, which have inherited it."""


def catch() -> None:
    """Let signals leave through every block that tidies up, unless somebody chose to ignore them, as nohup does."""
    for number in POLITE:
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _leave)


def _leave(number: int, _frame: object) -> None:
    raise Stopped(FATAL + number)


@dataclass
class Stop:
    """Whether a signal has asked to end, since `held` began.

    Args:
        event: is set when one does.
        number: the signal's, then; SIGTERM where another process has heard it and told this one.
    """

    event: threading.Event = field(default_factory=threading.Event)
    number: int = signal.SIGTERM

    def leave(self) -> None:
        """End as the signal would have, if there was one. Raises KeyboardInterrupt or Stopped."""
        if not self.event.is_set():
            return
        if self.number == signal.SIGINT:
            raise KeyboardInterrupt
        _leave(self.number, None)


@contextmanager
def held() -> Iterator[Stop]:
    """Until the block ends, the first signal sets a flag and interrupts nothing; the second one interrupts as ever.

    `torchrun` passes on to its processes what a terminal has sent them already, and kills those that do not end: with
    several processes, later signals are taken for such echoes.
    """
    stop, before = Stop(), {}
    if threading.current_thread() is threading.main_thread():  # signals are the main thread's
        for number in (signal.SIGINT, *POLITE):
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                before[number] = signal.signal(number, _Asked(stop))
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Asked:
    """Notes the first signal."""

    def __init__(self, stop: Stop) -> None:
        self._stop, self._process = stop, os.getpid()

    def __call__(self, number: int, _frame: Any) -> None:
        if os.getpid() != self._process:  # a worker has inherited this; who started it says when it ends
            return
        if not self._stop.event.is_set():
            self._stop.number = number
            self._stop.event.set()
        elif os.environ.get("WORLD_SIZE", "1") == "1":
            self._stop.number = number
            self._stop.leave()
