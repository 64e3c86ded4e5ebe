"""A recipe to a trained model: stages in order, checkpoints, resume after any interruption."""

import importlib.util
import logging
import os
import pickle
import shutil
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import PreTrainedTokenizerBase, TrainingArguments, set_seed
from transformers.utils.logging import disable_progress_bar

from longpanda.errors import ConfigError, nearest
from longpanda.index.load import first_line
from longpanda.model.modeling import LongPandaForConditionalGeneration
from longpanda.processing import LongPandaProcessor
from longpanda.processing.tokenizer import with_words
from longpanda.train.build import build
from longpanda.train.checkpoint import last_whole_checkpoint
from longpanda.train.claim import check, check_recipe, claim, record
from longpanda.train.positions import from_mask, spread
from longpanda.train.recipe import Recipe, StageRecipe
from longpanda.train.start import start_from
from longpanda.train.taught import TaughtPanda, sharpened
from longpanda.train.trainer import LessonTrainer
from longpanda.types import Lesson
from longpanda.video.whole import appearing_whole, not_writable

_log = logging.getLogger(__name__)

LessonSource = Callable[[StageRecipe, int], Any]
"""From a stage and its number to a sized, indexable source of `Lesson`s."""
Progress = Callable[[str, int, int, Mapping[str, float]], None]
"""Told of every step: the stage's name, the step's number, of how many, and the last losses that were logged."""

_INSTALL = "pip install accelerate tensorboard, or make install in the source folder"


def train(
    recipe: Recipe,
    tokenizer: PreTrainedTokenizerBase,
    lessons: LessonSource,
    cell_classes: Sequence[int],
    out: Path,
    report: Callable[[str], None] = _log.info,
    until: str = "",
    progress: Progress | None = None,
    stop: threading.Event | None = None,
    use_cpu: bool = False,
) -> Path | None:
    """Run all stages that are not done yet, in every process that `torchrun` started; the first alone writes.

    Args:
        recipe: the run.
        tokenizer: the model's.
        lessons: where each stage's lessons come from.
        cell_classes: classes of each attribute in `Lesson.cell_labels`.
        out: folder of the run; each stage has its own below it.
        report: told of each stage that is done.
        until: the last stage to run now, "" for all; the next call may go on with another number of processes.
        progress: told of every step, in the process that writes.
        stop: once somebody sets it, such as a signal handler, the step in work is the last one, and a checkpoint is
            written behind it.
        use_cpu: also where there is a GPU.

    Returns:
        The folder of the finished model, for `longpanda.load`; one that was finished before stays as it is. None when
        stages are left.

    Raises:
        ConfigError: a recipe that names no possible model or lessons, a folder that holds another run or that another
            process trains in, several GPUs for one process, packages that training needs are missing, or a full disk.
    """
    _check_packages()
    disable_progress_bar()  # of writing files: who wants to see progress is told of it
    last = _number_of(until, recipe) if until else len(recipe.stages) - 1
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    set_seed(recipe.seed)
    model, processor = _new(recipe, tokenizer, cell_classes)
    if recipe.start:
        report(str(start_from(model, recipe.start, processor.tokenizer)))
    sharpened(model.config.text_config, recipe.attention_scale)  # what cannot be is refused now
    sources = [lessons(stage, number) for number, stage in enumerate(recipe.stages)]
    for pair in zip(recipe.stages, sources, strict=True):
        _check_lessons(*pair)
    folders = [out / f"{number}-{stage.name}" for number, stage in enumerate(recipe.stages)]
    arguments = [_arguments(recipe, *pair, use_cpu) for pair in zip(recipe.stages, folders, strict=True)]
    _check_gpus(arguments[0])
    if not _is_first(arguments[0]):
        check(out, recipe, arguments[0].world_size)
    with claim(out, recipe, arguments[0].world_size) if _is_first(arguments[0]) else nullcontext():
        if all((folder / "done.pt").exists() for folder in folders) and (out / "model/run.json").exists():
            report("every stage was done before, and the model is there")
            return out / "model"
        if _is_first(arguments[0]):
            record(out, recipe, arguments[0].world_size)
        runner = partial(_run_stage, model=model, processor=processor, progress=progress, stop=stop)
        if not _run_stages(recipe, arguments[: last + 1], sources, runner, report) or last + 1 < len(recipe.stages):
            return None
        if not _is_first(arguments[0]):
            return out / "model"
        return _save(_graduated(model, processor, recipe), processor, out)


def model_after(
    stage: str, recipe: Recipe, tokenizer: PreTrainedTokenizerBase, cell_classes: Sequence[int], out: Path
) -> tuple[LongPandaForConditionalGeneration, LongPandaProcessor]:
    """The model as a stage of a run left it, ready to answer, and its processor.

    Args:
        stage: its name.
        recipe: of the run.
        tokenizer: as for `train`.
        cell_classes: as for `train`.
        out: folder of the run.

    Raises:
        ConfigError: no such stage, it is not done yet, its file is damaged, or the folder holds another run.
    """
    check_recipe(out, recipe)
    done = out / f"{_number_of(stage, recipe)}-{stage}" / "done.pt"
    if not done.exists():
        raise ConfigError(f"stage '{stage}' in '{out}', which is not done", "one that is", "train it first")
    model, processor = _new(recipe, tokenizer, cell_classes)
    model.load_state_dict(_weights_of(done))
    return _graduated(model, processor, recipe).eval(), processor


def _number_of(stage: str, recipe: Recipe) -> int:
    names = [one.name for one in recipe.stages]
    if stage not in names:
        raise ConfigError(f"no stage '{stage}'", f"one of {', '.join(names)}", nearest(stage, names))
    return names.index(stage)


def _new(
    recipe: Recipe, tokenizer: PreTrainedTokenizerBase, cell_classes: Sequence[int]
) -> tuple[TaughtPanda, LongPandaProcessor]:
    """The model of a recipe with its teachers, and random weights."""
    tokenizer = with_words(tokenizer, recipe.words) if recipe.words else tokenizer
    return build(recipe.model, tokenizer, partial(TaughtPanda, cell_classes=cell_classes))


def _graduated(model: TaughtPanda, processor: LongPandaProcessor, recipe: Recipe) -> LongPandaForConditionalGeneration:
    """The trained model without its teachers, as the recipe has it finished; its processor is changed to fit."""
    finished = model.graduate(recipe.attention_scale)
    finished.config.times_seconds = processor.image_processor.times_seconds = recipe.times_seconds
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


def _is_first(arguments: TrainingArguments) -> bool:
    """Whether this is the process that writes, of those that `torchrun` started."""
    return bool(arguments.process_index == 0)


SHOWN = ("frames", "stills", "still_cards", "scenes", "start_minutes", "step_seconds", "families", "questions")
"""What a stage says of its lessons."""


def _check_lessons(stage: StageRecipe, source: Any) -> None:
    """Refuse lessons that were planned otherwise than their stage says: they would teach something else, unseen."""
    plan = getattr(source, "plan", None)
    for name in SHOWN if plan is not None else ():
        wanted, there = getattr(stage, name), getattr(plan, name)
        if there != wanted:
            found = f"lessons of stage '{stage.name}' with {name} = {there!r}"
            raise ConfigError(found, f"{wanted!r}, as the recipe says", "plan them with longwatch.lessons.of_stage")


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
    folder, is_first = Path(arguments.output_dir), _is_first(arguments)
    done = folder / "done.pt"
    if done.exists():
        model.load_state_dict(_weights_of(done))
        return None
    model.freeze(stage.frozen)
    trainer = LessonTrainer(
        model=model,
        args=arguments,
        train_dataset=source,
        data_collator=_Collate(processor, stage.positions),
        cell_weight=stage.cell_weight,
        stop=stop,
        progress=None if progress is None else partial(progress, stage.name),
    )
    trainer.train(resume_from_checkpoint=last_whole_checkpoint(folder, arguments.world_size, is_first))
    step: int = trainer.state.global_step
    if is_first and step == stage.steps:
        with appearing_whole(done) as name:
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
    """Lessons to a training batch, in the worker process, which leaves signals to the one that trains.

    Ctrl-C, and system managers, send them to all: a worker that ended would take the step in work with it, and the
    checkpoint behind that.
    """

    def __init__(self, processor: LongPandaProcessor, positions: int) -> None:
        self.processor, self.positions = processor, positions

    def __call__(self, lessons: list[Lesson]) -> dict[str, Any]:
        if torch.utils.data.get_worker_info() is not None:
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
        batch = dict(self.processor.lessons(lessons))
        if self.positions and "input_ids" in batch:
            ids, placeholder = batch["input_ids"], self.processor.video_token_id
            if "position_ids" not in batch:
                batch["position_ids"] = from_mask(batch["attention_mask"])
            batch["position_ids"] = spread(batch["position_ids"], ids, lessons, placeholder, self.positions)
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
    """Write model, processor and what made them beside the target, then move them there; an old model goes last."""
    folder, temporary, old = out / "model", out / "model.tmp", out / "model.old"
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        model.save_pretrained(temporary)
        processor.save_pretrained(temporary)
        for name in ("recipe.json", "run.json"):
            shutil.copy(out / name, temporary)
    except (OSError, SafetensorError, RuntimeError) as error:  # safetensors and tokenizers have errors of their own
        shutil.rmtree(temporary, ignore_errors=True)
        raise not_writable(folder, OSError(0, first_line(error))) from error
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        os.replace(folder, old)
    os.replace(temporary, folder)
    shutil.rmtree(old, ignore_errors=True)
    return folder
