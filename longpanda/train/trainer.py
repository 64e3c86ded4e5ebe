"""transformers' Trainer with two changes: lessons come in their own order, and the parts of the loss are logged."""

from dataclasses import fields
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Sampler, SequentialSampler
from transformers import Trainer

from longpanda.train.taught import TaughtOutput

LOGGED = [field.name for field in fields(TaughtOutput) if field.name.endswith(("_loss", "_accuracy"))]


class LessonTrainer(Trainer):
    """Trains a `TaughtPanda` on lessons."""

    def __init__(self, *args: Any, cell_weight: float, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cell_weight = cell_weight
        self.model_accepts_loss_kwargs = False
        self.parts: dict[str, list[Tensor]] = {}

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        """Lessons are random by seed already; in order, a resumed run sees exactly what an uninterrupted one sees."""
        return SequentialSampler(train_dataset if train_dataset is not None else self.train_dataset)

    def compute_loss(self, model: nn.Module, inputs: dict[str, Any], return_outputs: bool = False, **_: Any) -> Any:
        """The model's loss, with its parts noted for the log."""
        output: TaughtOutput = model(**inputs, cell_weight=self.cell_weight)
        for name in LOGGED:
            if (value := getattr(output, name)) is not None:
                self.parts.setdefault(name, []).append(value.detach())
        return (output.loss, output) if return_outputs else output.loss

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """Add the means of the parts since the last log."""
        if "loss" in logs:
            logs |= {name: round(torch.stack(values).nanmean().item(), 4) for name, values in self.parts.items()}
            self.parts.clear()
        super().log(logs, *args, **kwargs)
