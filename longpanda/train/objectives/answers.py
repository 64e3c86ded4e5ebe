"""The objective `answers`: the loss of the answers' tokens."""

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
        return Measured(step.answered.loss, answer_accuracy(step.answered.logits, step.answer_labels))


def answer_accuracy(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the share of answer tokens [B, L] that have the highest of the logits [B, L, V]."""
    right = (logits[:, :-1].argmax(-1) == labels[:, 1:])[labels[:, 1:] != IGNORED]
    return right.float().mean()
