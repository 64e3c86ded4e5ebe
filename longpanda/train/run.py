"""A recipe to a trained model: stages in order, checkpoints, resume after any interruption."""

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
"""From a stage and its number to what it learns from."""
Progress = Callable[[str, int, int, Mapping[str, float]], None]
"""Told of every step: the stage's name, the step's number, of how many, and the last losses that were logged."""

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
    """Run all stages that are not done yet, in every process that `torchrun` started; the first alone writes.

    Args:
        recipe: the run.
        out: folder of the run; each stage has its own below it.
        report: told of each stage that is done.
        until: the last stage to run now, "" for all; the next call may go on with another number of processes.
        progress: told of every step, in the process that writes.
        stop: once somebody sets it, such as a signal handler, the step in work is the last one, and a checkpoint is
            written behind it.
        use_cpu: also where there is a GPU.
        tokenizer: as for `new_model`.
        examples: what each stage learns from, in place of what its data makes for so many processes.

    Returns:
        The folder of the finished model, for `longpanda.load`; one that was finished before stays as it is. None when
        stages are left.

    Raises:
        ModelError: as `new_model`.
        ConfigError: a recipe that names no possible model or data, a folder that holds another run or that another
            process trains in, several GPUs for one process, packages that training needs are missing, or a full disk.
    """
    _check_packages()
    disable_progress_bar()  # of writing files: who wants to see progress is told of it
    last = _number_of(until, recipe) if until else len(recipe.stages) - 1
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    new = new_model(recipe, tokenizer)
    if new.started:
        report(str(new.started))
    scale_attention(new.model.config.text_config, recipe.attention_scale)  # what cannot be is refused now
    for stage in recipe.stages:
        new.model.taught(stage)
    folders = [out / f"{number}-{stage.name}" for number, stage in enumerate(recipe.stages)]
    arguments = [_arguments(recipe, *pair, use_cpu) for pair in zip(recipe.stages, folders, strict=True)]
    _check_gpus(arguments[0])
    sources = _sources(recipe, examples or partial(_of_data, new.model, arguments[0].world_size))
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
                forget(out)  # what was refused at its first step holds no folder
            raise
        if not is_done or last + 1 < len(recipe.stages):
            return None
        return _save(_finished(new, recipe), new.processor, out) if is_main else out / "model"


def _is_begun(folder: Path) -> bool:
    """Has a stage anything that a run could go on from?"""
    return (folder / "done.pt").exists() or any(folder.glob("checkpoint-*"))


def model_after(
    stage: str, recipe: Recipe, out: Path, tokenizer: PreTrainedTokenizerBase | None = None
) -> tuple[LongPandaForConditionalGeneration, LongPandaProcessor]:
    """The model as a stage of a run left it, ready to answer, and its processor.

    Args:
        stage: its name.
        recipe: of the run.
        out: folder of the run.
        tokenizer: as for `train`.

    Raises:
        ModelError: as `new_model`.
        ConfigError: no such stage, it is not done yet, its file is damaged, or the folder holds another run.
    """
    check_recipe(out, recipe)
    done = out / f"{_number_of(stage, recipe)}-{stage}" / "done.pt"
    if not done.exists():
        raise ConfigError(f"stage '{stage}' in '{out}', which is not done", "one that is", "train it first")
    new = new_model(recipe, tokenizer)
    new.model.load_state_dict(_weights_of(done))
    return _finished(new, recipe).eval(), new.processor


def _number_of(stage: str, recipe: Recipe) -> int:
    names = [one.name for one in recipe.stages]
    if stage not in names:
        raise ConfigError(f"no stage '{stage}'", f"one of {', '.join(names)}", nearest(stage, names, is_listed=True))
    return names.index(stage)


def _finished(new: NewModel, recipe: Recipe) -> LongPandaForConditionalGeneration:
    """The trained model without its heads, as the recipe has it finished; its processor is changed to fit."""
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
    """The stages that there are arguments for; whether all of them are done."""
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
    """Whether this is the process that writes, of those that `torchrun` started."""
    return bool(arguments.process_index == 0)


def _of_data(model: PandaForTraining, processes: int, stage: StageRecipe, number: int) -> ExampleSource:
    """What a stage learns from, for a model and so many processes."""
    image_px = model.config.stab_config.image_px
    return stage.data.source(stage.steps * stage.batch * processes, number, image_px)


def _sources(recipe: Recipe, examples: Examples) -> list[ExampleSource]:
    """What every stage learns from.

    Raises:
        ConfigError: examples of other data than their stage names: they would teach something else, unseen.
    """
    sources = [examples(stage, number) for number, stage in enumerate(recipe.stages)]
    for stage, source in zip(recipe.stages, sources, strict=True):
        there = getattr(source, "data", stage.data)
        if there != stage.data:
            found = f"examples of stage '{stage.name}' with {_difference(there, stage.data)}"
            raise ConfigError(found, f"{_difference(stage.data, there)}, as the recipe says", "pass those of its data")
    return sources


def _difference(one: Any, other: Any) -> str:
    """The first field in which data differ from other data."""
    names = [field.name for field in fields(one)] if is_dataclass(one) and type(one) is type(other) else []
    differs = [name for name in names if getattr(one, name) != getattr(other, name)]
    return f"{differs[0]} = {getattr(one, differs[0])!r}" if differs else f"data {one!r}"


def _check_packages() -> None:
    missing = [name for name in ("accelerate", "tensorboard") if importlib.util.find_spec(name) is None]
    if missing:
        found = f"no package {' and no '.join(missing)}"
        raise ConfigError(found, "what training needs beyond asking", _INSTALL)


def _check_gpus(arguments: TrainingArguments) -> None:
    """transformers would cut every batch into one part per GPU, which clips of several lengths do not survive."""
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
    """Train one stage in place, or load its weights when it is done already; the step at which it was ended, if so."""
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
    return step if trainer.is_ended else None


def _weights_of(done: Path) -> dict[str, torch.Tensor]:
    """What a stage ended with. Raises ConfigError where the file is damaged."""
    try:
        weights: dict[str, torch.Tensor] = torch.load(done, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        found = f"'{done}', the end of a stage, cannot be read ({first_line(error)})"
        raise ConfigError(found, "the file that the stage wrote", "remove it to go on from the checkpoint") from error
    return weights


class _Collate:
    """Examples to a training batch, in the worker process, which leaves signals to the one that trains.

    Ctrl-C, and system managers, send them to all: a worker that ended would take the step in work with it, and the
    checkpoint behind that.
    """

    def __init__(self, processor: LongPandaProcessor, stage: StageRecipe) -> None:
        self.processor, self.positions = processor, stage.positions
        self.is_labelled = any(one.reads_labels for one in stage.objectives)

    def __call__(self, examples: list[Example]) -> dict[str, Any]:
        if torch.utils.data.get_worker_info() is not None:
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
        if not self.is_labelled:  # of labels that do not fit the model either
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
        disable_tqdm=True,  # `progress` is told
    )


def _save(model: Any, processor: LongPandaProcessor, out: Path) -> Path:
    """Write model, processor and what made them; what a run that was killed here left goes."""
    for left in [*out.glob(f"{WORK}*"), *out.glob("model.*")]:
        shutil.rmtree(left, ignore_errors=True)
    save_model(model, processor, out / "model", [out / name for name in ("recipe.json", "run.json")])
    return out / "model"
