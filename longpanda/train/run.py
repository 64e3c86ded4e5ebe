"""Trains a recipe's model: stages in order, with checkpoints, resuming after any interruption."""

import importlib.util
import logging
import pickle
import shutil
import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import fields, is_dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase, TrainingArguments
from transformers.utils.logging import disable_progress_bar

from longpanda.errors import ConfigError, LongPandaError, first_line, nearest
from longpanda.files import atomic_path, not_writable
from longpanda.inference.saving import WORK, save_model
from longpanda.model.modeling import LongPandaForConditionalGeneration
from longpanda.processing import LongPandaProcessor
from longpanda.train.attention_scale import scale_attention
from longpanda.train.checkpoint import last_whole_checkpoint
from longpanda.train.claim import check, check_recipe, claim, forget, record
from longpanda.train.data_kinds import ExampleSource
from longpanda.train.new_model import NewModel, new_model
from longpanda.train.positions import from_mask, spread
from longpanda.train.recipe import Recipe, StageRecipe
from longpanda.train.trainer import ExampleTrainer
from longpanda.train.training_model import PandaForTraining
from longpanda.types import Example

_log = logging.getLogger(__name__)

Examples = Callable[[StageRecipe, int], ExampleSource]
"""Makes the examples of a stage, given the stage and its number."""
Progress = Callable[[str, int, int, Mapping[str, float]], None]
"""Called after every step with the stage's name, the step, the number of steps, and the losses logged last."""

_INSTALL = "pip install accelerate tensorboard, or make install in the source folder"


def train(
    recipe: Recipe,
    out: Path,
    *,
    report: Callable[[str], None] = _log.info,
    until: str = "",
    progress: Progress | None = None,
    stop: threading.Event | None = None,
    use_cpu: bool = False,
    tokenizer: PreTrainedTokenizerBase | None = None,
    examples: Examples | None = None,
) -> Path | None:
    """Run all stages that are not done yet. Every process of `torchrun` calls this; only rank 0 writes files.

    Args:
        recipe: the run.
        out: folder of the run; each stage has a subfolder.
        report: called with a line of text for each finished stage.
        until: the last stage to run now, "" for all. The next call may continue with another number of processes.
        progress: called after every step, on rank 0.
        stop: an event that ends training after the current step, with a checkpoint; a signal handler may set it.
        use_cpu: train on the CPU even if there is a GPU.
        tokenizer: as in `new_model`.
        examples: makes the examples of each stage, in place of its data.

    Returns:
        The folder of the finished model, for `longpanda.load`; a model that was finished before does not change. None
        if stages are left.

    Raises:
        ModelError: as `new_model`.
        ConfigError: the recipe's model or data are impossible, the folder holds another run or is used by another
            process, one process has several GPUs, packages for training are missing, or the disk is full.
    """
    _check_packages()
    disable_progress_bar()  # transformers' bars for writing files; `progress` reports steps
    last = _number_of(until, recipe) if until else len(recipe.stages) - 1
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    new = new_model(recipe, tokenizer)
    if new.started:
        report(str(new.started))
    scale_attention(new.model.config.text_config, recipe.attention_scale)  # raises an error before training
    for stage in recipe.stages:
        new.model.active_objectives(stage)
    folders = [out / f"{number}-{stage.name}" for number, stage in enumerate(recipe.stages)]
    arguments = [_arguments(recipe, *pair, use_cpu) for pair in zip(recipe.stages, folders, strict=True)]
    _check_gpus(arguments[0])
    sources = _sources(recipe, examples or partial(_examples_of, new.model, arguments[0].world_size))
    is_main = is_main_process(arguments[0])
    if not is_main:
        check(out, recipe, arguments[0].world_size)
    with claim(out, recipe, arguments[0].world_size) if is_main else nullcontext():
        if all((folder / "done.pt").exists() for folder in folders) and (out / "model/run.json").exists():
            report("every stage was done before, and the model is there")
            return out / "model"
        if is_main:
            record(out, recipe, arguments[0].world_size)
        runner = partial(_run_stage, model=new.model, processor=new.processor, progress=progress, stop=stop)
        try:
            is_done = _run_stages(recipe, arguments[: last + 1], sources, runner, report)
        except LongPandaError:
            if is_main and not any(_is_begun(folder) for folder in folders):
                forget(out)  # a run without any step must not reserve the folder
            raise
        if not is_done or last + 1 < len(recipe.stages):
            return None
        return _save(_finished(new, recipe), new.processor, out) if is_main else out / "model"


def _is_begun(folder: Path) -> bool:
    """Return whether a stage is done or has a checkpoint."""
    return (folder / "done.pt").exists() or any(folder.glob("checkpoint-*"))


def model_after(
    stage: str, recipe: Recipe, out: Path, tokenizer: PreTrainedTokenizerBase | None = None
) -> tuple[LongPandaForConditionalGeneration, LongPandaProcessor]:
    """Load the model at the end of a stage, in evaluation mode, and its processor.

    Args:
        stage: name of the stage.
        recipe: the run.
        out: folder of the run.
        tokenizer: as in `train`.

    Raises:
        ModelError: as `new_model`.
        ConfigError: there is no such stage, it is not done, its file is damaged, or the folder holds another run.
    """
    check_recipe(out, recipe)
    done = out / f"{_number_of(stage, recipe)}-{stage}" / "done.pt"
    if not done.exists():
        raise ConfigError(f"stage '{stage}' in '{out}', which is not done", "a finished stage", "train it first")
    new = new_model(recipe, tokenizer)
    new.model.load_state_dict(_weights_of(done))
    return _finished(new, recipe).eval(), new.processor


def _number_of(stage: str, recipe: Recipe) -> int:
    names = [one.name for one in recipe.stages]
    if stage not in names:
        raise ConfigError(f"no stage '{stage}'", f"one of {', '.join(names)}", nearest(stage, names, is_listed=True))
    return names.index(stage)


def _finished(new: NewModel, recipe: Recipe) -> LongPandaForConditionalGeneration:
    """Return the trained model without its heads, and set the final `times_seconds` of model and processor."""
    finished = new.model.strip_heads(recipe.attention_scale)
    finished.config.times_seconds = new.processor.image_processor.times_seconds = new.times_seconds
    return finished


def _run_stages(
    recipe: Recipe,
    arguments: list[TrainingArguments],
    sources: list[Any],
    run: Callable[..., int | None],
    report: Callable[[str], None],
) -> bool:
    """Run the first stages, one for each of `arguments`, and return whether all of them are done."""
    for number, stage_arguments in enumerate(arguments):
        stage, of_all = recipe.stages[number], f"stage {number + 1} of {len(recipe.stages)}"
        ended_at = run(stage, stage_arguments, source=sources[number])
        if ended_at is not None and ended_at < stage.steps:
            report(f"{of_all}, '{stage.name}', has a checkpoint after step {ended_at} of {stage.steps}")
            return False
        report(f"{of_all}, '{stage.name}', is done")
        if ended_at is not None and number + 1 < len(arguments):
            return False
    return True


def is_main_process(arguments: TrainingArguments) -> bool:
    """Return whether this process is rank 0, the only one that writes files."""
    return bool(arguments.process_index == 0)


def _examples_of(model: PandaForTraining, processes: int, stage: StageRecipe, number: int) -> ExampleSource:
    """Make the examples of a stage from its data, for a model and a number of processes."""
    image_px = model.config.stab_config.image_px
    return stage.data.source(stage.steps * stage.batch * processes, number, image_px)


def _sources(recipe: Recipe, examples: Examples) -> list[ExampleSource]:
    """Make the examples of every stage.

    Raises:
        ConfigError: examples are of other data than the stage's, which would silently train something else.
    """
    sources = [examples(stage, number) for number, stage in enumerate(recipe.stages)]
    for stage, source in zip(recipe.stages, sources, strict=True):
        there = getattr(source, "data", stage.data)
        if there != stage.data:
            found = f"examples of stage '{stage.name}' with {_difference(there, stage.data)}"
            expected = f"{_difference(stage.data, there)}, as the recipe says"
            raise ConfigError(found, expected, "pass examples of the stage's data")
    return sources


def _difference(one: Any, other: Any) -> str:
    """Return the first field of `one` that differs from `other`."""
    names = [field.name for field in fields(one)] if is_dataclass(one) and type(one) is type(other) else []
    differs = [name for name in names if getattr(one, name) != getattr(other, name)]
    return f"{differs[0]} = {getattr(one, differs[0])!r}" if differs else f"data {one!r}"


def _check_packages() -> None:
    missing = [name for name in ("accelerate", "tensorboard") if importlib.util.find_spec(name) is None]
    if missing:
        found = f"no package {' and no '.join(missing)}"
        raise ConfigError(found, "the packages for training", _INSTALL)


def _check_gpus(arguments: TrainingArguments) -> None:
    """Raise ConfigError for one process with several GPUs.

    transformers would split every batch by rows, which breaks clips of different lengths.
    """
    if arguments.n_gpu > 1:
        start = f"torchrun --nproc-per-node {arguments.n_gpu} -m longpanda train ..."
        found = f"{arguments.n_gpu} GPUs and one process"
        raise ConfigError(found, "one process per GPU", f"start with {start}, or set CUDA_VISIBLE_DEVICES=0")


def _run_stage(
    stage: StageRecipe,
    arguments: TrainingArguments,
    model: Any,
    processor: LongPandaProcessor,
    source: Any,
    progress: Progress | None,
    stop: threading.Event | None,
) -> int | None:
    """Train one stage, or load its weights if it is done. Return the step at which it was stopped, or None."""
    folder, is_main = Path(arguments.output_dir), is_main_process(arguments)
    done = folder / "done.pt"
    if done.exists():
        model.load_state_dict(_weights_of(done))
        return None
    model.begin(stage)
    trainer = ExampleTrainer(
        model=model,
        args=arguments,
        train_dataset=source,
        data_collator=_Collate(processor, stage),
        stop=stop,
        progress=None if progress is None else partial(progress, stage.name),
    )
    trainer.train(resume_from_checkpoint=last_whole_checkpoint(folder, arguments.world_size, is_main))
    step: int = trainer.state.global_step
    if is_main and step == stage.steps:
        with atomic_path(done) as name:
            try:
                torch.save(model.state_dict(), name)
            except (OSError, RuntimeError) as error:
                raise not_writable(done, OSError(0, first_line(error))) from error
    return step if trainer.was_stopped else None


def _weights_of(done: Path) -> dict[str, torch.Tensor]:
    """Load the weights at the end of a stage. Raises ConfigError if the file is damaged."""
    try:
        weights: dict[str, torch.Tensor] = torch.load(done, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        found = f"'{done}', the end of a stage, cannot be read ({first_line(error)})"
        raise ConfigError(found, "the file that the stage wrote", "remove it to resume from the checkpoint") from error
    return weights


class _Collate:
    """Makes training batches of examples, in worker processes that ignore signals.

    Ctrl-C and system managers send signals to all processes. A worker that ended would break the current step and the
    checkpoint after it.
    """

    def __init__(self, processor: LongPandaProcessor, stage: StageRecipe) -> None:
        self.processor, self.positions = processor, stage.positions
        self.is_labelled = any(one.reads_labels for one in stage.objectives)

    def __call__(self, examples: list[Example]) -> dict[str, Any]:
        if torch.utils.data.get_worker_info() is not None:
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
        if not self.is_labelled:  # so labels need not fit the model
            examples = [replace(example, cell_labels=None) for example in examples]
        batch = dict(self.processor.training_batch(examples))
        if self.positions and "input_ids" in batch:
            ids, placeholder = batch["input_ids"], self.processor.video_token_id
            if "position_ids" not in batch:
                batch["position_ids"] = from_mask(batch["attention_mask"])
            batch["position_ids"] = spread(batch["position_ids"], ids, examples, placeholder, self.positions)
        return batch


def _arguments(recipe: Recipe, stage: StageRecipe, folder: Path, use_cpu: bool) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(folder),
        max_steps=stage.steps,
        per_device_train_batch_size=stage.batch,
        learning_rate=stage.learning_rate,
        lr_scheduler_type="warmup_stable_decay",
        lr_scheduler_kwargs={"num_decay_steps": int(stage.steps * stage.decay)},
        warmup_steps=int(stage.steps * stage.warmup),
        weight_decay=recipe.weight_decay,
        adam_beta2=recipe.beta2,
        max_grad_norm=recipe.max_grad_norm,
        bf16=recipe.bf16,
        use_cpu=use_cpu or not torch.cuda.is_available(),
        seed=recipe.seed,
        data_seed=recipe.seed,
        remove_unused_columns=False,
        ddp_find_unused_parameters=False,
        dataloader_num_workers=recipe.workers,
        dataloader_persistent_workers=False,
        logging_steps=recipe.log_steps,
        save_steps=recipe.save_steps,
        save_total_limit=2,
        report_to=["tensorboard"],
        disable_tqdm=True,  # `progress` reports steps
    )


def _save(model: Any, processor: LongPandaProcessor, out: Path) -> Path:
    """Save model, processor, recipe and record of the run, and delete the remains of an interrupted save."""
    for left in [*out.glob(f"{WORK}*"), *out.glob("model.*")]:
        shutil.rmtree(left, ignore_errors=True)
    save_model(model, processor, out / "model", [out / name for name in ("recipe.json", "run.json")])
    return out / "model"
