"""Recipes of training runs: YAML files as dataclasses, with overrides such as `stages.0.steps=10`."""

import dataclasses
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import yaml

from longpanda.data.annotated import AnnotationData
from longpanda.errors import ConfigError, nearest
from longpanda.train.data_kinds import DATA_KINDS, DataKind
from longpanda.train.objectives.kinds import DEFAULT_OBJECTIVES, OBJECTIVES, ObjectiveRecipe
from longpanda.train.old_recipes import refuse_old_form
from longpanda.train.parsing import KindChoice, override, parsed

RECIPES = Path(__file__).parent.parent / "recipes"
PARTS = ("stab", "temporal", "projector", "language_model")
"""The parts of a model, which a stage may freeze."""


@dataclass(frozen=True)
class ModelRecipe:
    """The model to train: a new STAB in front of a language model with random weights, or of a pretrained one.

    Args:
        stab_size: size of STAB: nano, small, base or large.
        text: configuration of a language model with random weights; `model_type` is any causal LM that transformers
            knows. Its vocabulary is that of the stages' data.
        sampling: default sampling of a video, as fields of `Sampling`.
        notice: a limitation that every answer states.
        temporal: fields of `TemporalConfig`, without the width, which is STAB's; null makes no compressor.
        single_turn: the model is trained on single questions, so `longpanda chat` asks each question by itself.
        backbone: a folder or hub id of a pretrained causal language model, in place of `text`.
        chat_template: a chat template (Jinja), if the backbone's tokenizer has none.

    Raises:
        ConfigError: both `text` and `backbone` are set, or neither, or a `chat_template` without a `backbone`.
    """

    stab_size: str
    text: dict[str, Any] | None = None
    sampling: dict[str, Any] = field(default_factory=lambda: {"frames": 32})
    notice: str = ""
    temporal: dict[str, Any] | None = None
    single_turn: bool = False
    backbone: str = ""
    chat_template: str = ""

    def __post_init__(self) -> None:
        if (self.text is None) == (not self.backbone):
            found = f"model with {'neither text nor' if self.text is None else 'both text and'} backbone"
            expected = "text (random weights) or backbone (pretrained)"
            raise ConfigError(found, expected, "set one of them, or leave out `model` to continue that of `start`")
        if self.chat_template and not self.backbone:
            found = "model.chat_template for a language model with random weights"
            raise ConfigError(found, "a chat template for a backbone", "leave chat_template out")


@dataclass(frozen=True)
class StageRecipe:
    """One stage of training: its data, objectives, length and learning rate.

    Args:
        name: a unique name, used for the stage's folder and in logs.
        steps: optimiser steps.
        batch: clips per step and process.
        learning_rate: peak of a schedule of linear warm-up, constant, and half a cosine to zero.
        data: the data kind and its fields.
        warmup: share of the steps spent warming up.
        decay: share of the steps spent decaying, at the end.
        freeze: parts of the model that keep their weights: stab, temporal, projector, language_model. Without an
            objective that reads answers, the language model is frozen, too.
        objectives: the losses to add up, each with its weight. Those that cannot learn from a stage's data are skipped.
        positions: spread the tokens of clips over this number of positions, as in longer prompts; 0 does not.

    Raises:
        ConfigError: a number is out of range, a part is unknown, or objectives are missing or named twice.
    """

    name: str
    steps: int
    batch: int
    learning_rate: float
    data: Annotated[DataKind, KindChoice("data", DATA_KINDS)]
    warmup: float = 0.05
    decay: float = 0.3
    freeze: tuple[str, ...] = ()
    objectives: tuple[Annotated[ObjectiveRecipe, KindChoice("objectives", OBJECTIVES)], ...] = DEFAULT_OBJECTIVES
    positions: int = 0

    def __post_init__(self) -> None:
        _require_name(self.name, "a stage")
        self._require("steps", self.steps >= 1, "at least 1")
        self._require("batch", self.batch >= 1, "at least 1")
        self._require("learning_rate", 0 < self.learning_rate < math.inf, "above 0")
        self._require("positions", self.positions >= 0, "at least 0")
        is_spread = self.positions > 0 and isinstance(self.data, AnnotationData)
        self._require("positions", not is_spread, f"0 with data of the kind {self.data.kind}")
        shares = f"warmup = {self.warmup} and decay = {self.decay} of stage '{self.name}'"
        fits = min(self.warmup, self.decay) >= 0 and self.warmup + self.decay <= 1
        _require(fits, shares, "shares of at most 1 in total", "lower one of them")
        for part in self.freeze:
            if part not in PARTS:
                found = f"freeze = {part!r} of stage '{self.name}'"
                raise ConfigError(found, f"parts of {', '.join(PARTS)}", nearest(part, PARTS, is_listed=True))
        kinds = [one.kind for one in self.objectives]
        named = f"objectives = [{', '.join(kinds)}] of stage '{self.name}'"
        is_valid = bool(kinds) and len(set(kinds)) == len(kinds)
        _require(is_valid, named, "at least one, and each once", "name each once, or leave objectives out for all")

    @property
    def frozen(self) -> frozenset[str]:
        """The parts that keep their weights, with the language model if no objective reads answers."""
        reads_answers = self.data.asks and any(one.reads_answers for one in self.objectives)
        return frozenset((*self.freeze, *(() if reads_answers else ("language_model",))))

    def _require(self, name: str, holds: bool, expected: str) -> None:
        found = f"{name} = {getattr(self, name)} of stage '{self.name}'"
        _require(holds, found, expected, f"change {name} in the recipe, or override it: stages.N.{name}=VALUE")


@dataclass(frozen=True)
class Recipe:
    """A training run.

    Args:
        name: the folder under `runs/` and the name of the model.
        stages: the stages in order; each continues with the previous one's weights and a new optimiser.
        model: the model to make; null continues the model of `start` unchanged.
        start: a saved model (bundled name, folder or hub id) whose weights the first stage begins with; "" for none.
        words: words to add to the vocabulary of `start`; only for tokenizers of whole words.
        attention_scale: factor on the finished model's attention logits, see `scale_attention`. The factor of `start`
            is dropped with a new `model`, and kept without one.
        times_seconds: least interval between times written in the finished model's prompts; training examples have the
            time of every group. null is 0, or the value of `start` if there is no `model`.
        seed: seed of the initial weights.
        weight_decay: AdamW's weight decay.
        beta2: AdamW's decay of the second moment.
        max_grad_norm: norm to which gradients are clipped.
        workers: processes that render examples, besides the training process.
        threads: CPU threads of the training process, 0 for all.
        bf16: autocast to bfloat16.
        save_steps: steps between checkpoints.
        log_steps: steps between logged losses.

    Raises:
        ConfigError: a number is out of range, names repeat, or model, start, stages and objectives do not fit together.
    """

    name: str
    stages: tuple[StageRecipe, ...]
    model: ModelRecipe | None = None
    start: str = ""
    words: tuple[str, ...] = ()
    attention_scale: float = 1.0
    times_seconds: float | None = None
    seed: int = 0
    weight_decay: float = 0.01
    beta2: float = 0.98
    max_grad_norm: float = 1.0
    workers: int = 1
    threads: int = 0
    bf16: bool = False
    save_steps: int = 500
    log_steps: int = 50

    def __post_init__(self) -> None:
        _require(len(self.stages) > 0, f"recipe '{self.name}' without stages", "at least one", "add one under `stages`")
        _require_name(self.name, "a recipe")
        names = [stage.name for stage in self.stages]
        _require(len(set(names)) == len(names), f"stages named {', '.join(names)}", "a name for each", "rename one")
        _require(0 <= self.seed < 2**32, f"seed = {self.seed}", "0 <= seed < 2**32", "choose another seed")
        _require(0 < self.beta2 < 1, f"beta2 = {self.beta2}", "between 0 and 1", "use 0.98")
        scale = self.attention_scale
        _require(0 < scale < math.inf, f"attention_scale = {scale}", "above 0", "use 1, which changes nothing")
        times = f"times_seconds = {self.times_seconds}"
        _require(0 <= (self.times_seconds or 0) < math.inf, times, "at least 0", "use 0, which writes every time")
        processes = f"workers = {self.workers} and threads = {self.threads}"
        _require(min(self.workers, self.threads) >= 0, processes, "at least 0 each", "use threads=0 for all CPUs")
        others = f"weight_decay = {self.weight_decay} and max_grad_norm = {self.max_grad_norm}"
        finite = math.isfinite(self.weight_decay) and math.isfinite(self.max_grad_norm)
        is_valid = finite and min(self.weight_decay, self.max_grad_norm) >= 0
        _require(is_valid, others, "at least 0 each", "use weight_decay=0.01 and max_grad_norm=1.0")
        steps = f"save_steps = {self.save_steps} and log_steps = {self.log_steps}"
        _require(min(self.save_steps, self.log_steps) >= 1, steps, "at least 1 each", "use 500 and 50")
        self._check_model()
        self._check_labels()

    def _check_model(self) -> None:
        """Raise ConfigError if there is no model, or start, words or a stage do not fit it."""
        if self.model is None:
            found = f"recipe '{self.name}' without model and start"
            _require(bool(self.start), found, "a model to make, or start: a saved one to continue", "add one of them")
            return
        if self.model.backbone:
            found = "model.backbone beside start"
            _require(not self.start, found, "one pretrained language model", "leave one of them out")
            found = "words beside model.backbone"
            _require(not self.words, found, "none, because its tokenizer has its own vocabulary", "leave words out")
        for stage in self.stages if self.model.temporal is None else ():
            found = f"freeze = temporal of stage '{stage.name}', without model.temporal"
            is_there = "temporal" not in stage.freeze
            _require(is_there, found, "a part that the model has", "leave it out of freeze, or add model.temporal")

    def _check_labels(self) -> None:
        """Raise ConfigError if stages differ in their kinds of labels, or in the fields of an objective."""
        labelled = [(s.name, s.data) for s in self.stages if s.data.label_classes]
        for name, data in labelled[1:]:
            first = labelled[0][1]
            same = (dict(data.label_classes), data.label_grid) == (dict(first.label_classes), first.label_grid)
            found = f"stages '{labelled[0][0]}' and '{name}' with labels of two kinds"
            _require(same, found, "one kind in a run", "use data with the same labels")
        first_of: dict[str, ObjectiveRecipe] = {}
        for one in (one for stage in self.stages for one in stage.objectives):
            same = dataclasses.replace(first_of.setdefault(one.kind, one), weight=one.weight) == one
            found = f"objectives {one.kind} that differ in more than their weight"
            _require(same, found, "one kind in a run", "change only the weight from stage to stage")


def _require_name(name: str, whose: str) -> None:
    """Raise ConfigError for a name that cannot be a folder's."""
    plain = re.fullmatch(r"\w[\w.-]*", name) is not None and ".." not in name
    _require(plain, f"name = {name!r} of {whose}", "letters, digits, single dots, - and _", "choose another name")


def _require(holds: bool, found: str, expected: str, remedy: str) -> None:
    if not holds:
        raise ConfigError(found, expected, remedy)


def find_recipe(name: str) -> Path:
    """Return the file of a recipe, given as a path or the name of a shipped recipe.

    Raises:
        ConfigError: there is neither such a file nor such a recipe.
    """
    path = Path(name)
    if path.is_file():
        return path
    shipped = {p.stem: p for p in RECIPES.glob("*.yaml")}
    if name not in shipped:
        raise ConfigError(f"no recipe '{name}'", "a YAML file or a shipped recipe", nearest(name, shipped))
    return shipped[name]


def load_recipe(name: str, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe and apply overrides `path.to.field=value`, with values in YAML.

    Raises:
        ConfigError: there is no such recipe, a key is unknown or missing, or a value is wrong.
    """
    path = find_recipe(name)
    try:
        tree = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"'{path}' is not YAML", "a recipe", str(error).replace("\n", " ")) from error
    if not isinstance(tree, dict):
        raise ConfigError(f"'{path}' holds {type(tree).__name__}", "a mapping", "start from a shipped recipe")
    for one in overrides:
        override(tree, one)
    return recipe_of(tree)


def recipe_of(tree: Any) -> Recipe:
    """Build a recipe from its parsed form. Raises ConfigError as `load_recipe`, and for the form of older versions."""
    refuse_old_form(tree)
    recipe: Recipe = parsed(Recipe, tree, "")
    return recipe
