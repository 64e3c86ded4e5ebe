"""The inputs and the result of an objective in one step of training.

Letters: N tokens of all frames, V tokens of all groups, F frames, R labelled regions of a frame, A attributes, D width.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor, nn
from transformers.utils import ModelOutput

from longpanda.model.tokens import ClipTokens, RaggedTokens


@dataclass(frozen=True)
class Step:
    """The intermediate results of one batch.

    Args:
        clips: the front end's tokens of each clip.
        tokens: the tokens of each clip after compressor and reducer, before the projector.
        visual: [V, D], the same tokens after the projector, in the same order.
        project: the projector.
        is_reduced: whether there is a compressor or a reducer.
        cell_labels: [N, A], classes of the contents of the front end's tokens; None without labels.
        region_labels: [F, R, A], classes of the contents of each region of each frame; None without labels.
        answer_labels: [B, L], the target tokens; None without questions.
        run_language_model: computes logits and loss of the answers.
    """

    clips: list[ClipTokens]
    tokens: list[RaggedTokens]
    visual: Tensor
    project: Callable[[Tensor], Tensor]
    is_reduced: bool
    cell_labels: Tensor | None
    region_labels: Tensor | None
    answer_labels: Tensor | None
    run_language_model: Callable[[], ModelOutput]

    @cached_property
    def frame_tokens(self) -> Tensor:
        """[N, D], the front end's tokens after the projector."""
        if not self.is_reduced:
            return self.visual
        return self.project(torch.cat([RaggedTokens.of_frames(clip).values for clip in self.clips]))

    @cached_property
    def answered(self) -> ModelOutput | None:
        """The language model's output, computed once, at first use; None without questions."""
        return None if self.answer_labels is None else self.run_language_model()


@dataclass(frozen=True)
class Measured:
    """Loss and accuracy of an objective in a step.

    Args:
        loss: the loss, without the objective's weight.
        accuracy: share of correct predictions.
    """

    loss: Tensor
    accuracy: Tensor


class Head(nn.Module, ABC):
    """The module of an objective, which computes one loss of a step. Its weights only exist in training."""

    log_name: ClassVar[str]
    """Prefix of `_loss` and `_accuracy` in the log."""

    @abstractmethod
    def forward(self, step: Step) -> Measured | None:
        """Measure a step, or return None if the step has no data for this objective."""
