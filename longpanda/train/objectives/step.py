"""What an objective sees of one step of training, and what it gives back.

Letters: N tokens of all frames, V tokens that are left, F frames, R labelled regions of a frame, A attributes, D width.
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
    """One batch on its way through the model.

    Args:
        clips: what the front end gave of each clip.
        tokens: what compressor and reducer left of each clip, before the projector.
        visual: [V, D], all of it behind the projector, in the same order.
        project: the projector.
        is_reduced: something was left out or pooled between `clips` and `tokens`.
        cell_labels: [N, A], classes of what each of the front end's tokens shows; None without labels.
        region_labels: [F, R, A], classes of what each region of each frame shows; None without labels.
        answer_labels: [B, L], the tokens that are to be learned; None without questions.
        run_language_model: gives logits and loss of the answers.
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
        """[N, D], the front end's own tokens behind the projector."""
        if not self.is_reduced:
            return self.visual
        return self.project(torch.cat([RaggedTokens.of_frames(clip).values for clip in self.clips]))

    @cached_property
    def answered(self) -> ModelOutput | None:
        """The language model's output, computed once, when the first objective asks; None without questions."""
        return None if self.answer_labels is None else self.run_language_model()


@dataclass(frozen=True)
class Measured:
    """What an objective found in a step.

    Args:
        loss: to be made small.
        accuracy: the share of what was right.
    """

    loss: Tensor
    accuracy: Tensor


class Head(nn.Module, ABC):
    """Computes one loss of a step; what weights it has are used in training only."""

    log_name: ClassVar[str]
    """Before `_loss` and `_accuracy` in the log."""

    @abstractmethod
    def forward(self, step: Step) -> Measured | None:
        """The loss of a step; None where it holds nothing for this objective."""
