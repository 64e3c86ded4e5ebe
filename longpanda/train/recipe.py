"""Run files: YAML to dataclasses, with overrides such as `stages.0.steps=10`; an unknown key names its nearest."""

import dataclasses
import math
import re
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from longpanda.errors import ConfigError, nearest

RECIPES = Path(__file__).parent.parent / "recipes"
PARTS = ("stab", "temporal", "projector", "language_model")
"""What a stage may freeze: the model's parts."""


@dataclass(frozen=True)
class ModelRecipe:
    """The model to make.

    Args:
        stab_size: a name of `STAB_SIZES`.
        text: configuration of the language model; `model_type` is any causal LM that transformers knows.
        sampling: how a video is read when the caller does not say.
        notice: a limit that every answer carries.
        temporal: fields of `TemporalConfig`, at STAB's width; None makes a model without a compressor.
        single_turn: each lesson is one question: `longpanda chat` asks each by itself, too.
    """

    stab_size: str
    text: dict[str, Any]
    sampling: dict[str, Any] = field(default_factory=lambda: {"frames": 32})
    notice: str = ""
    temporal: dict[str, Any] | None = None
    single_turn: bool = False


@dataclass(frozen=True)
class StageRecipe:
    """One stage: what is shown, for how long, how fast it learns.

    Args:
        name: the stage's folder and its name in logs; unlike any other stage's.
        steps: optimiser steps.
        batch: clips per step and process.
        learning_rate: peak; linear warm-up, constant, then half a cosine to zero over the last `decay` of the steps.
        warmup: share of the steps spent warming up.
        decay: share of the steps spent decaying.
        frames: clip lengths drawn from.
        stills: every frame shows a scene of its own; else a clip is one film.
        still_cards: most cards on a still; what fills all five cells is hard to keep in one token (docs/log.md).
        freeze_vision: STAB and projector keep their weights.
        freeze: parts of the model that keep their weights, of `PARTS`, beside those of `freeze_vision`.
        scenes: "generate" for short scenes with few events, "gallery" for those of the benchmark's long films.
        start_minutes: half of the clips begin at a random moment up to here, as pieces of a long video.
        step_seconds: shortest and longest time between two frames.
        families: question families; none trains the visual front-end alone, by cell labels.
        questions: most questions per clip and family.
        cell_weight: weight of the cell-naming loss.
        positions: spread the tokens of clips over so many positions, as in longer prompts; 0 leaves them together.
    """

    name: str
    steps: int
    batch: int
    learning_rate: float
    warmup: float = 0.05
    decay: float = 0.3
    frames: tuple[int, ...] = (24,)
    stills: bool = False
    still_cards: int = 5
    freeze_vision: bool = False
    freeze: tuple[str, ...] = ()
    scenes: str = "generate"
    start_minutes: float = 0.0
    step_seconds: tuple[float, float] = (5.0, 8.0)
    families: tuple[str, ...] = ()
    questions: int = 6
    cell_weight: float = 1.0
    positions: int = 0

    def __post_init__(self) -> None:
        _require_name(self.name, "a stage")
        self._require("steps", self.steps >= 1, "at least 1")
        self._require("batch", self.batch >= 1, "at least 1")
        self._require("learning_rate", 0 < self.learning_rate < math.inf, "above 0")
        self._require("frames", min(self.frames, default=0) >= 1, "clip lengths of at least 1")
        shortest, longest = self.step_seconds
        self._require("step_seconds", 0 < shortest <= longest < math.inf, "above 0, the shortest first")
        self._require("start_minutes", 0 <= self.start_minutes < math.inf, "at least 0")
        self._require("still_cards", self.still_cards >= 1, "at least 1")
        self._require("questions", self.questions >= 1, "at least 1")
        self._require("cell_weight", 0 <= self.cell_weight < math.inf, "at least 0")
        self._require("positions", self.positions >= 0, "at least 0")
        shares = f"warmup = {self.warmup} and decay = {self.decay} of stage '{self.name}'"
        fits = min(self.warmup, self.decay) >= 0 and self.warmup + self.decay <= 1
        _require(fits, shares, "shares of at most 1 in all")
        for part in self.freeze:
            if part not in PARTS:
                found = f"freeze = {part!r} of stage '{self.name}'"
                raise ConfigError(found, f"parts of {', '.join(PARTS)}", nearest(part, PARTS))

    @property
    def frozen(self) -> frozenset[str]:
        """The parts that keep their weights; without questions the language model does, which gets no gradient."""
        vision = ("stab", "projector") if self.freeze_vision else ()
        return frozenset((*self.freeze, *vision, *(() if self.families else ("language_model",))))

    def _require(self, name: str, holds: bool, expected: str) -> None:
        _require(holds, f"{name} = {getattr(self, name)} of stage '{self.name}'", expected)


@dataclass(frozen=True)
class Recipe:
    """A whole run.

    Args:
        name: the folder under `runs/` and the name of the model.
        model: what to make.
        stages: in order; each starts from the last one's weights with a fresh optimiser.
        start: a saved model (bundled name, folder or hub id) whose weights the first stage begins with; "" for none.
        words: what the words of that model lack and this one shall know; only for tokenizers of whole words.
        attention_scale: the finished model's attention logits are multiplied by this, see `scale_attention`; that of
            `start` is left behind.
        times_seconds: least time between two times written in the finished model's prompts; lessons have every group's.
        seed: of the initial weights.
        weight_decay: AdamW's.
        beta2: AdamW's second moment.
        max_grad_norm: gradients are clipped to it.
        workers: processes that render lessons beside the training process.
        threads: CPU threads of the training process, 0 for all.
        bf16: autocast to bfloat16.
        save_steps: a checkpoint every so many steps.
        log_steps: losses are logged every so many steps.
    """

    name: str
    model: ModelRecipe
    stages: tuple[StageRecipe, ...]
    start: str = ""
    words: tuple[str, ...] = ()
    attention_scale: float = 1.0
    times_seconds: float = 0.0
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
        _require(0 <= self.times_seconds < math.inf, f"times_seconds = {self.times_seconds}", "at least 0")
        processes = f"workers = {self.workers} and threads = {self.threads}"
        _require(min(self.workers, self.threads) >= 0, processes, "at least 0 each")
        others = f"weight_decay = {self.weight_decay} and max_grad_norm = {self.max_grad_norm}"
        finite = math.isfinite(self.weight_decay) and math.isfinite(self.max_grad_norm)
        _require(finite and min(self.weight_decay, self.max_grad_norm) >= 0, others, "at least 0 each")
        steps = f"save_steps = {self.save_steps} and log_steps = {self.log_steps}"
        _require(min(self.save_steps, self.log_steps) >= 1, steps, "at least 1 each")
        for stage in self.stages if self.model.temporal is None else ():
            found = f"freeze = temporal of stage '{stage.name}', without model.temporal"
            _require("temporal" not in stage.freeze, found, "a part that the model has")


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


def load_recipe(name: str, overrides: typing.Sequence[str] = ()) -> Recipe:
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
    for override in overrides:
        _override(tree, override)
    return recipe_of(tree)


def recipe_of(tree: Any) -> Recipe:
    """A recipe from its parsed form. Raises ConfigError as `load_recipe`."""
    recipe: Recipe = _build(Recipe, tree, "")
    return recipe


def _override(tree: Any, text: str) -> None:
    path, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(f"override '{text}'", "field=value", "write for example stages.0.steps=100")
    node, keys = tree, path.split(".")
    for depth, key in enumerate(keys[:-1]):
        known = range(len(node)) if isinstance(node, list) else node
        node_key = int(key) if isinstance(node, list) and key.isdigit() else key
        at = ".".join(keys[: depth + 1])
        if node_key not in known:
            raise ConfigError(f"unknown field '{at}'", "a field of the recipe", nearest(key, map(str, known)))
        if not isinstance(node[node_key], dict | list):
            raise ConfigError(f"unknown field '{path}'", f"'{at}' alone, a single value", f"write {at}=VALUE")
        node = node[node_key]
    if isinstance(node, list):
        raise ConfigError(f"override '{text}'", "the field of an element", f"write {path}.FIELD=value")
    try:
        node[keys[-1]] = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ConfigError(f"override '{text}'", "a value in YAML", f"quote it: {path}='...'") from error


def _build(kind: Any, value: Any, path: str) -> Any:
    """A value of the annotated kind from parsed YAML, checking keys and types on the way down."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is types.UnionType:  # a kind or None
        return None if value is None else _build(arguments[0], value, path)
    if dataclasses.is_dataclass(kind):
        return _build_dataclass(typing.cast(type[Any], kind), value, path)
    if origin is tuple:
        if not isinstance(value, list):
            raise ConfigError(f"{path} = {value!r}", "a list", "write [a, b]")
        kinds = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else list(arguments)
        if len(kinds) != len(value):
            raise ConfigError(f"{path} = {value!r}", f"{len(kinds)} values", "correct it")
        return tuple(_build(k, v, f"{path}.{i}") for i, (k, v) in enumerate(zip(kinds, value, strict=True)))
    plain = origin or kind
    if plain is float:
        value = _as_float(value)
    if not isinstance(value, plain) or (plain is int and isinstance(value, bool)):
        raise ConfigError(f"{path} = {value!r}", f"a value of type {plain.__name__}", "correct the recipe or override")
    return value


def _as_float(value: Any) -> Any:
    """Whole numbers, and 1e-3, which YAML 1.1 takes for text; anything else as it is."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return value
    try:
        return float(value)
    except ValueError:
        return value


def _build_dataclass(kind: type[Any], value: Any, path: str) -> Any:
    if not isinstance(value, dict):
        raise ConfigError(f"{path or 'recipe'} = {value!r}", "a mapping", "correct the recipe")
    hints, fields = typing.get_type_hints(kind), {f.name: f for f in dataclasses.fields(kind)}
    for key in value:
        if key not in fields:
            dotted = f"{path}.{key}".lstrip(".")
            raise ConfigError(f"unknown field '{dotted}'", f"a field of {kind.__name__}", nearest(str(key), fields))
    for name, f in fields.items():
        if name not in value and f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING:
            raise ConfigError(f"{path or 'recipe'} has no '{name}'", f"every field of {kind.__name__}", f"add {name}")
    return kind(**{k: _build(hints[k], v, f"{path}.{k}".lstrip(".")) for k, v in value.items()})
