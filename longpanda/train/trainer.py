"""The Trainer of transformers for examples: in their own order, with the losses' parts logged, and ended when asked."""

import shutil
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.utils.data import Sampler, SequentialSampler
from transformers import PrinterCallback, Trainer, TrainerCallback

from longpanda.errors import ConfigError, first_line
from longpanda.train.training_model import TrainingOutput

Progress = Callable[[int, int, Mapping[str, float]], None]
"""Told of every step: its number, of how many, and the last losses that were logged."""


class ExampleTrainer(Trainer):
    """Trains a `PandaForTraining` on examples.

    Args:
        *args: as the Trainer's.
        stop: once it is set, in any of the processes, all end after the step that they are at, with a checkpoint. (The
            Trainer's `enable_jit_checkpoint` waits three seconds, knows SIGTERM alone, and lets processes part.)
        progress: told of every step, in the process that writes.
        **kwargs: as the Trainer's.
    """

    def __init__(
        self,
        *args: Any,
        stop: threading.Event | None = None,
        progress: Progress | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.remove_callback(PrinterCallback)
        if progress is not None:
            self.add_callback(_Told(progress))
        self.is_ended = False
        self.add_callback(_Ended(self, stop or threading.Event()))
        self.model_accepts_loss_kwargs = False
        self.parts: dict[str, list[Tensor]] = {}

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        """Examples are random by seed already; in order, a resumed run sees exactly what an uninterrupted one sees."""
        return SequentialSampler(train_dataset if train_dataset is not None else self.train_dataset)

    def compute_loss(self, model: nn.Module, inputs: dict[str, Any], return_outputs: bool = False, **_: Any) -> Any:
        """The model's loss, with its parts noted for the log."""
        output: TrainingOutput = model(**inputs)
        for name, value in (output.parts or {}).items():
            self.parts.setdefault(name, []).append(value.detach())
        return (output.loss, output) if return_outputs else output.loss

    def _save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        """A checkpoint, or none: where the disk is full, what there was room for is taken away again.

        Raises:
            ConfigError: it cannot be written.
        """
        try:
            super()._save_checkpoint(*args, **kwargs)
        except (OSError, RuntimeError, SafetensorError) as error:  # torch and safetensors have errors of their own
            folder = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
            if self.args.should_save:
                shutil.rmtree(folder, ignore_errors=True)
            remedy = "make room, and run it again: it goes on from the checkpoint before"
            raise ConfigError(f"'{folder}' cannot be written ({first_line(error)})", "free space", remedy) from error

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """Add the means of the parts since the last log."""
        if "loss" in logs:
            logs |= {name: round(torch.stack(values).nanmean().item(), 4) for name, values in self.parts.items()}
            self.parts.clear()
        super().log(logs, *args, **kwargs)


class _Told(TrainerCallback):
    """Tells of every step, and of the losses that were logged last."""

    def __init__(self, progress: Progress) -> None:
        self._progress, self._losses = progress, dict[str, float]()

    def on_log(self, _args: Any, _state: Any, _control: Any, logs: Mapping[str, Any], **_: Any) -> None:
        """The losses of some steps."""
        self._losses = {
            name: value
            for name, value in logs.items()
            if not name.startswith("train_") and name.endswith(("loss", "_accuracy"))
        }

    def on_step_end(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
        """A step."""
        if state.is_world_process_zero:
            self._progress(state.global_step, state.max_steps, self._losses)


class _Ended(TrainerCallback):
    """Ends training after a step, in all processes after the same one, and has a checkpoint written there."""

    def __init__(self, trainer: ExampleTrainer, stop: threading.Event) -> None:
        self._trainer, self._stop = trainer, stop

    def on_step_end(self, _args: Any, state: Any, control: Any, **_: Any) -> None:
        """Agree whether this is the step; the last one of a stage has its own end."""
        accelerator = self._trainer.accelerator
        if self._stop.is_set():
            accelerator.set_trigger()
        if accelerator.check_trigger():
            self._trainer.is_ended = True
            self._stop.set()  # where another process was asked
            control.should_training_stop = True
            control.should_save = control.should_save or state.global_step < state.max_steps
