"""transformers' Trainer with two changes: lessons come in their own order, and cells may be named as they are seen."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import Sampler, SequentialSampler
from transformers import Trainer

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


class LessonTrainer(Trainer):
    """Trains a LongPanda model whose `cell_names` attribute, when there is one, adds its loss with `cell_weight`."""

    def __init__(self, *args: Any, cell_weight: float, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cell_weight = cell_weight
        self.model_accepts_loss_kwargs = False
        self.sums: dict[str, list[Tensor]] = {}

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        """Lessons are random by seed already; in order, a resumed run sees exactly what an uninterrupted one sees."""
        return SequentialSampler(train_dataset if train_dataset is not None else self.train_dataset)

    def compute_loss(self, model: nn.Module, inputs: dict[str, Any], return_outputs: bool = False, **_: Any) -> Any:
        """Next-token loss of the answers plus the weighted cell-naming loss; a batch may have either alone."""
        panda: LongPandaForConditionalGeneration = self.accelerator.unwrap_model(model)
        labels = inputs.pop("cell_labels", None)
        media = [inputs.pop(key) for key in ("pixel_values", "patch_boxes", "frame_windows")]
        visual = panda.visual_embeddings(*media)
        loss, output = visual.new_zeros((), dtype=torch.float32), None
        if labels is not None:
            cell_loss, cell_accuracy = panda.cell_names(visual, labels)
            loss = loss + self.cell_weight * cell_loss
            self._note(cell_loss=cell_loss, cell_accuracy=cell_accuracy)
        if "input_ids" in inputs:
            embeds = panda.place(inputs.pop("input_ids"), visual)
            output = model(inputs_embeds=embeds, **inputs)
            loss = loss + output.loss
            self._note(answer_loss=output.loss, answer_accuracy=answer_accuracy(output.logits, inputs["labels"]))
        return (loss, output) if return_outputs else loss

    def _note(self, **values: Tensor) -> None:
        for name, value in values.items():
            self.sums.setdefault(name, []).append(value.detach())

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """Add the means of the parts since the last log."""
        if "loss" in logs:
            logs |= {name: round(torch.stack(values).mean().item(), 4) for name, values in self.sums.items()}
            self.sums.clear()
        super().log(logs, *args, **kwargs)


def answer_accuracy(logits: Tensor, labels: Tensor) -> Tensor:
    """Share of answer tokens [B, L] that the logits [B, L, V] put first."""
    right = (logits[:, :-1].argmax(-1) == labels[:, 1:])[labels[:, 1:] != -100]
    return right.float().mean()
