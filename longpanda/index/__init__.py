"""Videos read once and asked often."""

from longpanda.index.compose import compose
from longpanda.index.load import LongPanda, bundled, load
from longpanda.index.session import Session

__all__ = ["LongPanda", "Session", "bundled", "compose", "load"]
