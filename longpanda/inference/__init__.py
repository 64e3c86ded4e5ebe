"""Load or compose models, ask videos and indexes, and find the evidence of answers."""

from longpanda.inference.compose import compose
from longpanda.inference.generation import Generation
from longpanda.inference.load import LongPanda, bundled, load
from longpanda.inference.session import Session

__all__ = ["Generation", "LongPanda", "Session", "bundled", "compose", "load"]
