"""The model with its teacher: both losses in one forward, so that data-parallel training sees every gradient."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers.modeling_outputs import CausalLMOutputWithPast

from longpanda.model.configuration import LongPandaConfig
from longpanda.model.modeling import LongPandaForConditionalGeneration


class CellNames(nn.Module):
    """Linear probes that name what a visual token shows: a teacher where the world is generated.

    Taught by answers alone, reading stays at chance for tens of thousands of samples while easy skills shine; labels
    per cell give the visual front-end a gradient that does not pass through the language model. Used in training only.
    """

    def __init__(self, width: int, classes: Sequence[int]) -> None:
        super().__init__()
        self.classes = list(classes)
        self.probe = nn.Linear(width, sum(self.classes))

    def forward(self, visual: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Cross-entropy of visual tokens [N, D] against labels [N, A], and the accuracy where something is shown."""
        logits = self.probe(visual).float().split(self.classes, -1)
        losses = [F.cross_entropy(one, labels[:, i], ignore_index=-100) for i, one in enumerate(logits)]
        right = torch.stack([one.argmax(-1) == labels[:, i] for i, one in enumerate(logits)], 1)[labels > 0]
        return torch.stack(losses).sum(), right.float().mean()


@dataclass
class TaughtOutput(CausalLMOutputWithPast):
    """What one step learned: `loss` is the answers' loss plus the weighted cell-naming loss; parts may be None."""

    answer_loss: Tensor | None = None
    answer_accuracy: Tensor | None = None
    cell_loss: Tensor | None = None
    cell_accuracy: Tensor | None = None


class TaughtPanda(LongPandaForConditionalGeneration):
    """A LongPanda model in training; `graduate` gives the model alone."""

    def __init__(self, config: LongPandaConfig, cell_classes: Sequence[int]) -> None:
        super().__init__(config)
        self.cell_names = CellNames(config.text_config.hidden_size, cell_classes)

    def forward(  # type: ignore[override] # lessons come whole: no cache, no embeddings
        self,
        input_ids: Tensor | None = None,
        pixel_values: Tensor | None = None,
        patch_boxes: Tensor | None = None,
        frame_windows: Tensor | None = None,
        labels: Tensor | None = None,
        cell_labels: Tensor | None = None,
        cell_weight: float = 1.0,
        **inputs: Any,
    ) -> TaughtOutput:
        """Losses of a batch of `LongPandaProcessor.lessons`: of its answers, of its cells, or of both."""
        visual = self._visual(pixel_values, patch_boxes, frame_windows)
        assert visual is not None
        loss, parts = visual.new_zeros((), dtype=torch.float32), {}
        if cell_labels is not None:
            parts["cell_loss"], parts["cell_accuracy"] = self.cell_names(visual, cell_labels)
            loss = loss + cell_weight * parts["cell_loss"]
        if input_ids is not None and labels is not None:
            output = super().forward(inputs_embeds=self.place(input_ids, visual), labels=labels, **inputs)
            parts["answer_loss"], parts["answer_accuracy"] = output.loss, answer_accuracy(output.logits, labels)
            loss = loss + output.loss
        return TaughtOutput(loss=loss, **parts)

    def graduate(self) -> LongPandaForConditionalGeneration:
        """The trained model without its teacher."""
        config = copy.deepcopy(self.config)
        config.__dict__.pop("use_cache", None)  # the Trainer turns it off for training, and would for good
        model = LongPandaForConditionalGeneration(config)
        mine = self.state_dict()
        model.load_state_dict({name: value for name, value in mine.items() if not name.startswith("cell_names.")})
        return model


def answer_accuracy(logits: Tensor, labels: Tensor) -> Tensor:
    """Share of answer tokens [B, L] that the logits [B, L, V] put first."""
    right = (logits[:, :-1].argmax(-1) == labels[:, 1:])[labels[:, 1:] != -100]
    return right.float().mean()
