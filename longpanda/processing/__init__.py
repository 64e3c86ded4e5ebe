"""Preprocessing: clips and conversations to model inputs. Training, evaluation and serving all use it."""

from longpanda.processing.frame_processor import FrameProcessor
from longpanda.processing.processor import LongPandaProcessor
from longpanda.processing.prompt import PLAIN_TEMPLATE

__all__ = ["PLAIN_TEMPLATE", "FrameProcessor", "LongPandaProcessor"]
