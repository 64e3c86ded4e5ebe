"""A recipe to a trained model: stages in order, checkpoints, resume after any interruption."""

import importlib.util
import json
import logging
import os
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase, TrainingArguments, set_seed
from transformers.trainer_utils import get_last_checkpoint

from longpanda.errors import ConfigError
from longpanda.processing import LongPandaProcessor
from longpanda.train.build import build
from longpanda.train.claim import claim
from longpanda.train.recipe import Recipe, StageRecipe
from longpanda.train.taught import TaughtPanda
from longpanda.train.trainer import LessonTrainer
from longpanda.types import Lesson

_log = logging.getLogger(__name__)

LessonSource = Callable[[StageRecipe, int], Any]
"""From a stage and its number to a sized, indexable source of `Lesson`s."""


def train(
    recipe: Recipe,
    tokenizer: PreTrainedTokenizerBase,
    lessons: LessonSource,
    cell_classes: Sequence[int],
    out: Path,
    report: Callable[[str], None] = _log.info,
) -> Path:
    """Run all stages that are not done yet.

    Args:
        recipe: the run.
        tokenizer: the model's.
        lessons: where each stage's lessons come from.
        cell_classes: classes of each attribute in `Lesson.cell_labels`.
        out: folder of the run; each stage has its own below it.
        report: told of each stage that is done.

    Returns:
        The folder of the finished model, for `longpanda.load`.

    Raises:
        ConfigError: a recipe that names no possible model or lessons, a folder that holds another run, or packages
            that training needs are missing.
    """
    _check_packages()
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    set_seed(recipe.seed)
    model, processor = build(recipe.model, tokenizer, partial(TaughtPanda, cell_classes=cell_classes))
    sources = [lessons(stage, number) for number, stage in enumerate(recipe.stages)]
    if first_process():
        claim(out, recipe)
    for number, (stage, source) in enumerate(zip(recipe.stages, sources, strict=True)):
        _run_stage(recipe, number, model, processor, source, out)
        report(f"stage {number + 1} of {len(recipe.stages)}, '{stage.name}', is done")
    return _save(model.graduate(), processor, out / "model") if first_process() else out / "model"


def first_process() -> bool:
    """Whether this is the process that writes, of those that `torchrun` started."""
    return int(os.environ.get("RANK", "0")) == 0


def _check_packages() -> None:
    missing = [name for name in ("accelerate", "tensorboard") if importlib.util.find_spec(name) is None]
    if missing:
        found = f"no package {' and no '.join(missing)}"
        raise ConfigError(found, "what training needs beyond asking", "pip install 'longpanda[train]'")


def _run_stage(recipe: Recipe, number: int, model: Any, processor: LongPandaProcessor, source: Any, out: Path) -> None:
    """Train one stage in place, or load its weights when it is done already."""
    stage = recipe.stages[number]
    folder, done = out / f"{number}-{stage.name}", out / f"{number}-{stage.name}" / "done.pt"
    if done.exists():
        model.load_state_dict(torch.load(done, map_location="cpu", weights_only=True))
        return
    model.stab.requires_grad_(not stage.freeze_vision)
    model.projector.requires_grad_(not stage.freeze_vision)
    model.language_model.requires_grad_(bool(stage.families))  # without questions it would get no gradient
    trainer = LessonTrainer(
        model=model,
        args=_arguments(recipe, stage, folder),
        train_dataset=source,
        data_collator=_Collate(processor),
        cell_weight=stage.cell_weight,
    )
    trainer.train(resume_from_checkpoint=_last_whole_checkpoint(folder))
    if not first_process():
        return
    temporary = done.with_suffix(".tmp")
    torch.save(model.state_dict(), temporary)
    os.replace(temporary, done)


class _Collate:
    """Lessons to a training batch, in the worker process."""

    def __init__(self, processor: LongPandaProcessor) -> None:
        self.processor = processor

    def __call__(self, lessons: list[Lesson]) -> dict[str, Any]:
        return dict(self.processor.lessons(lessons))


def _arguments(recipe: Recipe, stage: StageRecipe, folder: Path) -> TrainingArguments:
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
        use_cpu=not torch.cuda.is_available(),
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
        disable_tqdm=False,
    )


def _last_whole_checkpoint(folder: Path) -> str | None:
    """The newest checkpoint that was written to its end; half-written ones are removed.

    The Trainer writes trainer_state.json last, so a checkpoint without a readable one was cut off.
    """
    while folder.is_dir() and (newest := get_last_checkpoint(str(folder))) is not None:
        try:
            json.loads((Path(newest) / "trainer_state.json").read_text())
        except (OSError, ValueError):
            shutil.rmtree(newest, ignore_errors=True)
            continue
        return str(newest)
    return None


def _save(model: Any, processor: LongPandaProcessor, folder: Path) -> Path:
    """Write model and processor beside the target, then move them there in one step."""
    temporary = folder.with_suffix(".tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    model.save_pretrained(temporary)
    processor.save_pretrained(temporary)
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(temporary, folder)
    return folder
