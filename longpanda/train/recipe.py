"""Run files: YAML to dataclasses, with overrides such as `stages.0.steps=10`; an unknown key names its nearest."""

import dataclasses
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import yaml

from longpanda.errors import ConfigError, nearest
from longpanda.train.data_kinds import DATA_KINDS, DataKind
from longpanda.train.objectives.kinds import DEFAULT_OBJECTIVES, OBJECTIVES, ObjectiveRecipe
from longpanda.train.old_recipes import refuse_old_form
from longpanda.train.parsing import Choice, build, override

RECIPES = Path(__file__).parent.parent / "recipes"
PARTS = ("stab", "temporal", "projector", "language_model")
"""What a stage may freeze: the model's parts."""


@dataclass(frozen=True)
class ModelRecipe:
    """The model to make: a new STAB in front of a language model with random weights, or of a pretrained one.

    Args:
        stab_size: a name of `STAB_SIZES`.
        text: configuration of a language model with random weights; `model_type` is any causal LM that transformers
            knows. Its words are those of the stages' data.
        sampling: how a video is read when the caller does not say.
        notice: a limit that every answer carries.
        temporal: fields of `TemporalConfig`, at STAB's width; null makes a model without a compressor.
        single_turn: each example is one question: `longpanda chat` asks each by itself, too.
        backbone: a folder or hub id of a pretrained causal language model, in place of `text`.
        chat_template: how questions and answers are written (Jinja), where the backbone's tokenizer has no template.

    Raises:
        ConfigError: both `text` and `backbone`, or neither, or a `chat_template` without a `backbone`.
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
            raise ConfigError(found, expected, "name one; leave out `model` to go on with that of `start`")
        if self.chat_template and not self.backbone:
            found = "model.chat_template for a language model with random weights"
            raise ConfigError(found, "a chat template for a backbone", "leave it out")


@dataclass(frozen=True)
class StageRecipe:
    """One stage: what is shown, what that teaches, for how long, how fast.

    Args:
        name: the stage's folder and its name in logs; unlike any other stage's.
        steps: optimiser steps.
        batch: clips per step and process.
        learning_rate: peak; linear warm-up, constant, then half a cosine to zero over the last `decay` of the steps.
        data: what is shown and asked.
        warmup: share of the steps spent warming up.
        decay: share of the steps spent decaying.
        freeze: parts of the model that keep their weights, of `PARTS`; the language model does without questions, too.
        objectives: the losses that are added up, each with its weight; what cannot teach anything in a stage rests.
        positions: spread the tokens of clips over so many positions, as in longer prompts; 0 leaves them together.

    Raises:
        ConfigError: a number that makes no training, an unknown part, or objectives that are none or named twice.
    """

    name: str
    steps: int
    batch: int
    learning_rate: float
    data: Annotated[DataKind, Choice("data", DATA_KINDS)]
    warmup: float = 0.05
    decay: float = 0.3
    freeze: tuple[str, ...] = ()
    objectives: tuple[Annotated[ObjectiveRecipe, Choice("objectives", OBJECTIVES)], ...] = DEFAULT_OBJECTIVES
    positions: int = 0

    def __post_init__(self) -> None:
        _require_name(self.name, "a stage")
        self._require("steps", self.steps >= 1, "at least 1")
        self._require("batch", self.batch >= 1, "at least 1")
        self._require("learning_rate", 0 < self.learning_rate < math.inf, "above 0")
        self._require("positions", self.positions >= 0, "at least 0")
        shares = f"warmup = {self.warmup} and decay = {self.decay} of stage '{self.name}'"
        fits = min(self.warmup, self.decay) >= 0 and self.warmup + self.decay <= 1
        _require(fits, shares, "shares of at most 1 in all")
        for part in self.freeze:
            if part not in PARTS:
                found = f"freeze = {part!r} of stage '{self.name}'"
                raise ConfigError(found, f"parts of {', '.join(PARTS)}", nearest(part, PARTS, is_listed=True))
        kinds = [one.kind for one in self.objectives]
        named = f"objectives = [{', '.join(kinds)}] of stage '{self.name}'"
        _require(bool(kinds) and len(set(kinds)) == len(kinds), named, "at least one, and each once")

    @property
    def frozen(self) -> frozenset[str]:
        """The parts that keep their weights; the language model does where no objective reads its answers."""
        speaks = self.data.asks and any(one.reads_answers for one in self.objectives)
        return frozenset((*self.freeze, *(() if speaks else ("language_model",))))

    def _require(self, name: str, holds: bool, expected: str) -> None:
        _require(holds, f"{name} = {getattr(self, name)} of stage '{self.name}'", expected)


@dataclass(frozen=True)
class Recipe:
    """A whole run.

    Args:
        name: the folder under `runs/` and the name of the model.
        stages: in order; each starts from the last one's weights with a fresh optimiser.
        model: what to make; null goes on with the model of `start` as it is.
        start: a saved model (bundled name, folder or hub id) whose weights the first stage begins with; "" for none.
        words: what the words of that model lack and this one shall know; only for tokenizers of whole words.
        attention_scale: the finished model's attention logits are multiplied by this, see `scale_attention`; that of
            `start` is left behind by a new `model`, and stays without one.
        times_seconds: least time between two times written in the finished model's prompts; examples have every
            group's. null is 0, or with no `model` what `start` has.
        seed: of the initial weights.
        weight_decay: AdamW's.
        beta2: AdamW's second moment.
        max_grad_norm: gradients are clipped to it.
        workers: processes that render examples beside the training process.
        threads: CPU threads of the training process, 0 for all.
        bf16: autocast to bfloat16.
        save_steps: a checkpoint every so many steps.
        log_steps: losses are logged every so many steps.
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
        _require(len(self.stages) > 0, f"recipe '{self.name}' without stages", "at least one")
        _require_name(self.name, "a recipe")
        names = [stage.name for stage in self.stages]
        _require(len(set(names)) == len(names), f"stages named {', '.join(names)}", "a name for each")
        _require(0 <= self.seed < 2**32, f"seed = {self.seed}", "0 <= seed < 2**32")
        _require(0 < self.beta2 < 1, f"beta2 = {self.beta2}", "between 0 and 1")
        scale = self.attention_scale
        _require(0 < scale < math.inf, f"attention_scale = {scale}", "above 0; 1 leaves attention as it was trained")
        _require(0 <= (self.times_seconds or 0) < math.inf, f"times_seconds = {self.times_seconds}", "at least 0")
        processes = f"workers = {self.workers} and threads = {self.threads}"
        _require(min(self.workers, self.threads) >= 0, processes, "at least 0 each")
        others = f"weight_decay = {self.weight_decay} and max_grad_norm = {self.max_grad_norm}"
        finite = math.isfinite(self.weight_decay) and math.isfinite(self.max_grad_norm)
        _require(finite and min(self.weight_decay, self.max_grad_norm) >= 0, others, "at least 0 each")
        steps = f"save_steps = {self.save_steps} and log_steps = {self.log_steps}"
        _require(min(self.save_steps, self.log_steps) >= 1, steps, "at least 1 each")
        self._check_model()
        self._check_labels()

    def _check_model(self) -> None:
        """Raises ConfigError for a model that is none, or that a stage or a start does not fit."""
        if self.model is None:
            found = f"recipe '{self.name}' without model and start"
            _require(bool(self.start), found, "a model to make, or start: a saved one to go on with")
            return
        if self.model.backbone:
            _require(not self.start, "model.backbone beside start", "one pretrained language model")
            _require(not self.words, "words beside model.backbone", "none, as its tokenizer has words of its own")
        for stage in self.stages if self.model.temporal is None else ():
            found = f"freeze = temporal of stage '{stage.name}', without model.temporal"
            _require("temporal" not in stage.freeze, found, "a part that the model has")

    def _check_labels(self) -> None:
        """Raises ConfigError where stages have labels of different kinds, or objectives of one kind that differ."""
        labelled = [(s.name, s.data) for s in self.stages if s.data.label_classes]
        for name, data in labelled[1:]:
            first = labelled[0][1]
            same = (dict(data.label_classes), data.label_grid) == (dict(first.label_classes), first.label_grid)
            _require(same, f"stages '{labelled[0][0]}' and '{name}' with labels of two kinds", "one kind in a run")
        first_of: dict[str, ObjectiveRecipe] = {}
        for one in (one for stage in self.stages for one in stage.objectives):
            same = dataclasses.replace(first_of.setdefault(one.kind, one), weight=one.weight) == one
            _require(same, f"objectives {one.kind} that differ in more than their weight", "one kind in a run")


def _require_name(name: str, whose: str) -> None:
    """Names are folders."""
    plain = re.fullmatch(r"\w[\w.-]*", name) is not None and ".." not in name
    _require(plain, f"name = {name!r} of {whose}", "letters, digits, single dots, - and _")


def _require(holds: bool, found: str, expected: str) -> None:
    if not holds:
        raise ConfigError(found, expected, "correct the recipe or override")


def find_recipe(name: str) -> Path:
    """The file of a recipe: a path, or the name of one that ships with the package.

    Raises:
        ConfigError: neither a file nor a shipped recipe.
    """
    path = Path(name)
    if path.is_file():
        return path
    shipped = {p.stem: p for p in RECIPES.glob("*.yaml")}
    if name not in shipped:
        raise ConfigError(f"no recipe '{name}'", "a YAML file or a shipped recipe", nearest(name, shipped))
    return shipped[name]


def load_recipe(name: str, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe and apply overrides `path.to.field=value`, values in YAML.

    Raises:
        ConfigError: no such recipe, an unknown or missing key, or a value of the wrong type.
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
    """A recipe from its parsed form. Raises ConfigError as `load_recipe`, and for one in the form of older versions."""
    refuse_old_form(tree)
    recipe: Recipe = build(Recipe, tree, "")
    return recipe
