"""Answers scored: sees questions and an answerer only, never how the answers are made."""

from longpanda.evaluate.metrics import Accuracy, accuracy
from longpanda.evaluate.runner import Answerer, run

__all__ = ["Accuracy", "Answerer", "accuracy", "run"]
