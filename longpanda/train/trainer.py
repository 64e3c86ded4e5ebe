"""transformers' Trainer with examples in a fixed order, logs of each objective, and a clean stop on request."""

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

from longpanda.data.annotated import AnnotatedPacks
from longpanda.data.loader import LoaderState, Share
from longpanda.errors import ConfigError, first_line
from longpanda.train.pack_batches import PackBatches, read_place, write_place
from longpanda.train.training_model import TrainingOutput

Progress = Callable[[int, int, Mapping[str, float]], None]
"""Called after every step with its number, the number of steps, and the losses logged last."""


class ExampleTrainer(Trainer):
    """Trains a `PandaForTraining` on examples.

    Args:
        *args: arguments of the Trainer.
        stop: when it is set in any process, all processes stop after the current step, with a checkpoint. (The
            Trainer's `enable_jit_checkpoint` waits three seconds, only handles SIGTERM, and lets processes stop at
            different steps.)
        progress: called after every step, on rank 0.
        **kwargs: arguments of the Trainer.
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
            self.add_callback(_ProgressCallback(progress))
        self.was_stopped = False
        self.add_callback(_StopCallback(self, stop or threading.Event()))
        self.model_accepts_loss_kwargs = False
        self._packs: PackBatches | None = None
        self._resumed_from: Path | None = None
        if isinstance(self.train_dataset, AnnotatedPacks):
            self.args.ignore_data_skip = True  # the loader begins where the checkpoint says
        self.parts: dict[str, list[Tensor]] = {}

    def train(self, resume_from_checkpoint: Any = None, **kwargs: Any) -> Any:
        """Train from the start, or from a checkpoint's folder."""
        self._resumed_from = Path(resume_from_checkpoint) if resume_from_checkpoint else None
        return super().train(resume_from_checkpoint, **kwargs)

    def get_train_dataloader(self) -> Any:
        """Return the batches of packs if the examples are packs, otherwise transformers' own."""
        if not isinstance(self.train_dataset, AnnotatedPacks):
            return super().get_train_dataloader()
        share, batch = Share(self.args.process_index, self.args.world_size), self.args.per_device_train_batch_size
        self._packs = PackBatches(self.train_dataset, self.data_collator, batch, share, self._place)
        return self._packs

    def _place(self) -> LoaderState | None:
        """Return where the data resume. Raises ConfigError if a checkpoint does not say."""
        return None if self._resumed_from is None else read_place(self._resumed_from, self.train_dataset)

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        """Keep the order of examples, which are random already, so that a resumed run sees the same ones."""
        return SequentialSampler(train_dataset if train_dataset is not None else self.train_dataset)

    def compute_loss(self, model: nn.Module, inputs: dict[str, Any], return_outputs: bool = False, **_: Any) -> Any:
        """Compute the loss, and keep the loss and accuracy of each objective for the log."""
        output: TrainingOutput = model(**inputs)
        for name, value in (output.parts or {}).items():
            self.parts.setdefault(name, []).append(value.detach())
        return (output.loss, output) if return_outputs else output.loss

    def _save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        """Save a checkpoint completely or not at all: if the disk is full, the incomplete one is deleted.

        Raises:
            ConfigError: the checkpoint cannot be written.
        """
        folder = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
        if self.args.should_save and self._packs is not None and self._packs.loader is not None:
            folder.mkdir(parents=True, exist_ok=True)
            write_place(folder, self._packs.source, self._packs.loader)  # first: a whole checkpoint has it
        try:
            super()._save_checkpoint(*args, **kwargs)
        except (OSError, RuntimeError, SafetensorError) as error:  # torch and safetensors raise their own errors
            if self.args.should_save:
                shutil.rmtree(folder, ignore_errors=True)
            remedy = "make room, and run it again: it resumes from the previous checkpoint"
            raise ConfigError(f"'{folder}' cannot be written ({first_line(error)})", "free space", remedy) from error

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """Add the mean losses and accuracies of the objectives since the last log."""
        if "loss" in logs:
            logs |= {name: round(torch.stack(values).nanmean().item(), 4) for name, values in self.parts.items()}
            self.parts.clear()
            if self._packs is not None and self._packs.loader is not None:
                logs["data_wait"] = round(self._packs.loader.wait_share, 4)
        super().log(logs, *args, **kwargs)


class _ProgressCallback(TrainerCallback):
    """Calls `progress` after every step with the losses logged last."""

    def __init__(self, progress: Progress) -> None:
        self._progress, self._losses = progress, dict[str, float]()

    def on_log(self, _args: Any, _state: Any, _control: Any, logs: Mapping[str, Any], **_: Any) -> None:
        """Keep the losses and accuracies."""
        self._losses = {
            name: value
            for name, value in logs.items()
            if not name.startswith("train_") and name.endswith(("loss", "_accuracy"))
        }

    def on_step_end(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
        """Report the step."""
        if state.is_world_process_zero:
            self._progress(state.global_step, state.max_steps, self._losses)


class _StopCallback(TrainerCallback):
    """Stops training in all processes after the same step, with a checkpoint."""

    def __init__(self, trainer: ExampleTrainer, stop: threading.Event) -> None:
        self._trainer, self._stop = trainer, stop

    def on_step_end(self, _args: Any, state: Any, control: Any, **_: Any) -> None:
        """Stop if any process was asked to. The last step of a stage needs no checkpoint."""
        accelerator = self._trainer.accelerator
        if self._stop.is_set():
            accelerator.set_trigger()
        if accelerator.check_trigger():
            self._trainer.was_stopped = True
            self._stop.set()  # another process may have been asked
            control.should_training_stop = True
            control.should_save = control.should_save or state.global_step < state.max_steps
