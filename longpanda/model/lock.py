"""One thread at a time works with a network: sessions that share one may be used from several threads."""

import threading
from contextlib import AbstractContextManager
from weakref import WeakKeyDictionary

from torch import nn

_LOCKS: "WeakKeyDictionary[nn.Module, threading.RLock]" = WeakKeyDictionary()  # beside: modules with locks copy badly
_CHOOSING = threading.Lock()


def held(model: nn.Module) -> AbstractContextManager[bool]:
    """Hold a network for the block, against all other threads; the same thread may hold it again within."""
    with _CHOOSING:
        return _LOCKS.setdefault(model, threading.RLock())
