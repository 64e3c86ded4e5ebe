"""Models loaded or composed, videos and indexes asked, answers with their evidence."""

from longpanda.inference.compose import compose
from longpanda.inference.generation import Generation
from longpanda.inference.load import LongPanda, bundled, load
from longpanda.inference.session import Session

__all__ = ["Generation", "LongPanda", "Session", "bundled", "compose", "load"]
