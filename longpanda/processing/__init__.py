"""Clips and conversations to model inputs: the only preprocessing path, for training, evaluation and serving."""

from longpanda.processing.frame_processor import FrameProcessor
from longpanda.processing.processor import LongPandaProcessor
from longpanda.processing.prompt import PLAIN_TEMPLATE

__all__ = ["PLAIN_TEMPLATE", "FrameProcessor", "LongPandaProcessor"]
