"""Clips and conversations to model inputs: the only preprocessing path, for training, evaluation and serving."""

from longpanda.processing.processor import FrameProcessor, LongPandaProcessor

__all__ = ["FrameProcessor", "LongPandaProcessor"]
