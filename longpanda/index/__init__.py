"""Videos read once and asked often."""

from longpanda.index.load import LongPanda, bundled, load
from longpanda.index.session import Session

__all__ = ["LongPanda", "Session", "bundled", "load"]
