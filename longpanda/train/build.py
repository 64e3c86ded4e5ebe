"""A recipe's model with random weights, its processor, and the errors of a recipe that names no possible model."""

from collections.abc import Callable
from typing import Any, TypeVar

from torch import nn
from transformers import CONFIG_MAPPING, PreTrainedConfig, PreTrainedTokenizerBase

from longpanda.errors import ConfigError, nearest
from longpanda.index.load import locate
from longpanda.model.configuration import LongPandaConfig, StabConfig
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
        ConfigError: an unknown size, backbone or sampling, or values that make no model.
    """
    _check_sampling(recipe.sampling)
    stab, text = StabConfig.of_size(recipe.stab_size), _text_config(recipe.text, tokenizer)
    config = LongPandaConfig(stab, text, sampling=recipe.sampling, notice=recipe.notice)
    processor = LongPandaProcessor.for_model(config, tokenizer)
    try:
        return make(config), processor
    except (ValueError, TypeError, ArithmeticError, RuntimeError) as error:
        found = f"model.text = {recipe.text} makes no model: {_one_line(error)}"
        raise ConfigError(found, f"values that fit a {text.model_type}", "correct the recipe") from error


def start_from(model: nn.Module, name: str) -> None:
    """Give a new model the weights of a saved one; the teacher's probes start new.

    Raises:
        ModelError: there is no such model.
        ConfigError: it is of other sizes.
    """
    weights = LongPandaForConditionalGeneration.from_pretrained(locate(name)).state_dict()
    own = {key: value.shape for key, value in model.state_dict().items() if not key.startswith("cell_names.")}
    if own != {key: value.shape for key, value in weights.items()}:
        found = f"start = '{name}', a model of other parts or sizes"
        raise ConfigError(found, "one that this recipe's `model` describes", "correct `model`, or start from none")
    model.load_state_dict(weights, strict=False)


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


def _check_sampling(values: dict[str, Any]) -> None:
    known = set(Sampling.__dataclass_fields__)
    for key in values:
        if key not in known:
            raise ConfigError(f"unknown field 'model.sampling.{key}'", "a field of Sampling", nearest(str(key), known))
    Sampling(**values)
