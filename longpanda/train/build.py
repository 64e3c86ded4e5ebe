"""A recipe's model with random weights, its processor, and the errors of a recipe that names no possible model."""

import inspect
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from transformers import CONFIG_MAPPING, PreTrainedConfig, PreTrainedTokenizerBase

from longpanda.errors import ConfigError, nearest
from longpanda.model.configuration import LongPandaConfig, StabConfig, TemporalConfig
from longpanda.model.modeling import LongPandaForConditionalGeneration
from longpanda.processing import LongPandaProcessor
from longpanda.train.recipe import ModelRecipe
from longpanda.video import Sampling

Model = TypeVar("Model", bound=LongPandaForConditionalGeneration)

_OLDER_KEYS = {"rope_theta", "rope_scaling", "partial_rotary_factor"}
"""Keys that transformers still takes without listing them in its configurations."""


def build(
    recipe: ModelRecipe,
    tokenizer: PreTrainedTokenizerBase,
    make: Callable[[LongPandaConfig], Model] = LongPandaForConditionalGeneration,
) -> tuple[Model, LongPandaProcessor]:
    """A new model with random weights, and its processor.

    Args:
        recipe: the model.
        tokenizer: the language model's; vocabulary and special tokens are its.
        make: the class, where it is not the plain one.

    Raises:
        ConfigError: an unknown size, backbone, sampling or field of the compressor, values that make no model, or a
            language model that cannot keep to visual tokens.
    """
    _check_fields(recipe.sampling, Sampling.__dataclass_fields__, "model.sampling")
    Sampling(**recipe.sampling)
    stab, text = StabConfig.of_size(recipe.stab_size), _text_config(recipe.text, tokenizer)
    config = LongPandaConfig(
        stab,
        text,
        sampling=recipe.sampling,
        notice=recipe.notice,
        single_turn=recipe.single_turn,
        temporal_config=None if recipe.temporal is None else _temporal_config(recipe.temporal, stab.width),
    )
    processor = LongPandaProcessor.for_model(config, tokenizer)
    try:
        model = make(config)
    except (ValueError, TypeError, ArithmeticError, RuntimeError) as error:
        found = f"model.text = {recipe.text} makes no model: {_one_line(error)}"
        raise ConfigError(found, f"values that fit a {text.model_type}", "correct the recipe") from error
    model.backbone.check()
    return model, processor


def _temporal_config(values: dict[str, Any], width: int) -> TemporalConfig:
    """The compressor's configuration, at STAB's width."""
    _check_fields(
        values, set(inspect.signature(TemporalConfig.__init__).parameters) - {"self", "kwargs"}, "model.temporal"
    )
    try:
        return TemporalConfig(**{"width": width, **values})
    except TypeError as error:
        found = f"model.temporal = {values}: {_one_line(error)}"
        raise ConfigError(found, "values that fit a compressor", "correct the recipe") from error


def _text_config(values: dict[str, Any], tokenizer: PreTrainedTokenizerBase) -> PreTrainedConfig:
    """The language model's configuration; vocabulary and token ids are the tokenizer's."""
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
        raise ConfigError(found, f"values that fit a {kind}", "correct the recipe") from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _check_fields(values: dict[str, Any], known: Iterable[str], path: str) -> None:
    names = set(known)
    for key in values:
        if key not in names:
            raise ConfigError(f"unknown field '{path}.{key}'", "one that it has", nearest(str(key), names))
