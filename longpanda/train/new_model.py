"""Makes the model and processor that a recipe describes, and refuses impossible ones."""

import copy
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import torch
from transformers import CONFIG_MAPPING, PreTrainedConfig, PreTrainedTokenizerBase, set_seed

from longpanda.errors import ConfigError, nearest
from longpanda.inference.compose import UNTRAINED, prepared
from longpanda.inference.load import LongPanda, load
from longpanda.model.configuration import LongPandaConfig, StabConfig, TemporalConfig
from longpanda.model.modeling import LongPandaForConditionalGeneration
from longpanda.processing import LongPandaProcessor
from longpanda.processing.tokenizer import with_words, word_tokenizer
from longpanda.train.recipe import ModelRecipe, Recipe
from longpanda.train.start import Start, check_fits, start_from
from longpanda.train.training_model import PandaForTraining
from longpanda.video import Sampling

Model = TypeVar("Model", bound=LongPandaForConditionalGeneration)

_OLDER_KEYS = {"rope_theta", "rope_scaling", "partial_rotary_factor"}
"""Keys that transformers still accepts but does not list in its configurations."""


@dataclass(frozen=True)
class NewModel:
    """The model of a run before its first stage.

    Args:
        model: the model with its heads.
        processor: its processor, which writes the time of every group of frames.
        started: what was taken over from a saved model, or None.
        times_seconds: least interval between times in the prompts of the finished model.
    """

    model: PandaForTraining
    processor: LongPandaProcessor
    started: Start | None
    times_seconds: float


def new_model(recipe: Recipe, tokenizer: PreTrainedTokenizerBase | None = None) -> NewModel:
    """Make the model of a recipe before its first stage. The recipe's seed determines its random weights.

    Args:
        recipe: the run.
        tokenizer: tokenizer of a language model with random weights; None takes that of `start`, or makes a tokenizer
            of whole words from the vocabulary of the stages' data.

    Raises:
        ModelError: there is no such start or backbone, or it lacks weights.
        ConfigError: the recipe's model is impossible, or the start does not fit it.
    """
    old = load(recipe.start, dtype="float32") if recipe.start else None
    set_seed(recipe.seed)
    times_seconds = recipe.times_seconds
    if recipe.model is None:
        assert old is not None  # the recipe has checked this
        times_seconds = old.model.config.times_seconds if times_seconds is None else times_seconds
        model, processor = _continued(recipe, old)
    elif recipe.model.backbone:
        model, processor = _pretrained(recipe, recipe.model)
    else:
        if tokenizer is None:
            tokenizer = _word_tokenizer(recipe) if old is None else old.processor.tokenizer
        tokenizer = with_words(tokenizer, recipe.words) if recipe.words else tokenizer
        model, processor = random_model(recipe.model, tokenizer, partial(PandaForTraining.of_recipe, recipe), old)
    started = None if old is None else start_from(model, old, processor.tokenizer)
    return NewModel(model, processor, started, times_seconds or 0.0)


def _word_tokenizer(recipe: Recipe) -> PreTrainedTokenizerBase:
    """Make a tokenizer of all words in the stages' questions and answers."""
    return word_tokenizer(word for stage in recipe.stages for word in stage.data.vocabulary())


def _continued(recipe: Recipe, old: LongPanda) -> tuple[PandaForTraining, LongPandaProcessor]:
    """Make a float32 model like the saved one, with the recipe's additional words."""
    config, processor = copy.deepcopy(old.model.config), old.processor
    config.dtype = config.text_config.dtype = torch.float32
    config.times_seconds = processor.image_processor.times_seconds = 0.0
    if config.notice == UNTRAINED:
        config.notice = ""
    if recipe.words:
        template = processor.chat_template
        processor = LongPandaProcessor.for_model(config, with_words(processor.tokenizer, recipe.words))
        processor.chat_template = template
    return PandaForTraining.of_recipe(recipe, config), processor


def _pretrained(recipe: Recipe, about: ModelRecipe) -> tuple[PandaForTraining, LongPandaProcessor]:
    """Make a new STAB, compressor and projector in front of a pretrained language model, in float32."""
    stab, temporal = _visual_configs(about)
    config, processor, language_model = prepared(
        about.backbone, stab, temporal, about.chat_template or None, dtype="float32"
    )
    config.sampling, config.notice, config.single_turn = about.sampling, about.notice, about.single_turn
    return PandaForTraining.of_recipe(recipe, config, language_model), processor


def _visual_configs(recipe: ModelRecipe) -> tuple[StabConfig, TemporalConfig | None]:
    """Return the configurations of STAB and the compressor. Raises ConfigError as `random_model`."""
    _check_fields(recipe.sampling, Sampling.__dataclass_fields__, "model.sampling")
    Sampling(**recipe.sampling)
    stab = StabConfig.of_size(recipe.stab_size)
    return stab, None if recipe.temporal is None else _temporal_config(recipe.temporal, stab.width)


def random_model(
    recipe: ModelRecipe,
    tokenizer: PreTrainedTokenizerBase,
    make: Callable[[LongPandaConfig], Model] = LongPandaForConditionalGeneration,
    start: LongPanda | None = None,
) -> tuple[Model, LongPandaProcessor]:
    """Make a new model with random weights, and its processor.

    Args:
        recipe: the model.
        tokenizer: the language model's tokenizer, which determines its vocabulary and special tokens.
        make: makes the model of a configuration.
        start: a saved model whose weights have to fit.

    Raises:
        ConfigError: a size, language model, sampling or field of the compressor is unknown, values are impossible, the
            language model cannot be used (`Backbone.check`), or the start has other parts or sizes.
    """
    stab, temporal = _visual_configs(recipe)
    text = _text_config(recipe.text or {}, tokenizer)
    config = LongPandaConfig(
        stab,
        text,
        sampling=recipe.sampling,
        notice=recipe.notice,
        single_turn=recipe.single_turn,
        temporal_config=temporal,
    )
    processor = LongPandaProcessor.for_model(config, tokenizer)
    try:
        if start is not None:
            check_fits(config, start)
        model = make(config)
    except (ValueError, TypeError, ArithmeticError, RuntimeError) as error:
        found = f"model.text = {recipe.text} makes no model: {_one_line(error)}"
        raise ConfigError(found, f"values that fit a {text.model_type}", "change model.text") from error
    model.backbone.check()
    return model, processor


def _temporal_config(values: dict[str, Any], width: int) -> TemporalConfig:
    """Return the compressor's configuration at STAB's width."""
    _check_fields(
        values, set(inspect.signature(TemporalConfig.__init__).parameters) - {"self", "kwargs"}, "model.temporal"
    )
    try:
        return TemporalConfig(**{"width": width, **values})
    except TypeError as error:
        found = f"model.temporal = {values}: {_one_line(error)}"
        raise ConfigError(found, "values that fit a compressor", "change model.temporal") from error


def _text_config(values: dict[str, Any], tokenizer: PreTrainedTokenizerBase) -> PreTrainedConfig:
    """Return the language model's configuration, with vocabulary and token ids of the tokenizer."""
    given = dict(values)
    kind = given.pop("model_type", None)
    if kind not in CONFIG_MAPPING:
        expected = "the model_type of a causal LM of transformers"
        raise ConfigError(f"model.text.model_type = {kind!r}", expected, nearest(str(kind), CONFIG_MAPPING.keys()))
    from_tokenizer = {
        "vocab_size": len(tokenizer),
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    known = (set(CONFIG_MAPPING[kind]().to_dict()) | set(CONFIG_MAPPING[kind].attribute_map) | _OLDER_KEYS) - set(
        from_tokenizer
    )
    for key in given:
        if key not in known:
            found = f"unknown field 'model.text.{key}'"
            raise ConfigError(found, f"a field of a {kind} that the tokenizer does not set", nearest(str(key), known))
    try:
        return CONFIG_MAPPING[kind](**given, **from_tokenizer)
    except Exception as error:  # transformers' own kinds of validation errors share no base
        found = f"model.text = {values}: {_one_line(error)}"
        raise ConfigError(found, f"values that fit a {kind}", "change model.text") from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _check_fields(values: dict[str, Any], known: Iterable[str], path: str) -> None:
    names = set(known)
    for key in values:
        if key not in names:
            raise ConfigError(f"unknown field '{path}.{key}'", f"a field of {path}", nearest(str(key), names))
