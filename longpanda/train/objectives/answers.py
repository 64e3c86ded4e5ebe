"""The objective `answers`: the loss of the answers' tokens."""

import torch
from torch import Tensor

from longpanda.processing.labels import IGNORED
from longpanda.train.objectives.step import Head, Measured, Step


class Answers(Head):
    """Cross-entropy of the answers' tokens, as the language model itself computes it."""

    log_name = "answer"

    def forward(self, step: Step) -> Measured | None:
        """Measure a step with questions."""
        if step.answer_labels is None or step.answered is None:
            return None
        if not (step.answer_labels[:, 1:] != IGNORED).any():  # the mean over no token is not a number
            logits = step.answered.logits
            return Measured(0.0 * logits.float().sum(), logits.new_full((), torch.nan))
        return Measured(step.answered.loss, answer_accuracy(step.answered.logits, step.answer_labels))


def answer_accuracy(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the share of answer tokens [B, L] that have the highest of the logits [B, L, V]."""
    right = (logits[:, :-1].argmax(-1) == labels[:, 1:])[labels[:, 1:] != IGNORED]
    return right.float().mean()
