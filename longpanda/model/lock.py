"""A lock for each network, so that sessions in several threads can share one."""

import threading
from contextlib import AbstractContextManager
from weakref import WeakKeyDictionary

from torch import nn

_LOCKS: "WeakKeyDictionary[nn.Module, threading.RLock]" = WeakKeyDictionary()  # no attribute: locks cannot be copied
_CHOOSING = threading.Lock()


def held(model: nn.Module) -> AbstractContextManager[bool]:
    """Return the network's lock, a context manager that the same thread may enter again."""
    with _CHOOSING:
        return _LOCKS.setdefault(model, threading.RLock())
