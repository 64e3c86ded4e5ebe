"""Sharper attention than in training, set in a language model's configuration."""

import copy
import math
from typing import Any

from longpanda.errors import ConfigError


def scale_attention(config: Any, attention_scale: float) -> Any:
    """Scale a language model's attention logits by a constant, with the temperature of YaRN.

    Attention that was trained to find one frame among 128 spreads out over 10,000: with n times as many frames that do
    not match, the logit of the one that does has to be larger by log(n). (Peng et al., 2309.00071, section 3.4; without
    its change of frequencies.) The model's config.json stores it: `attention_factor` of `rope_parameters` is the square
    root of the scale.

    Args:
        config: configuration of a language model with rotary positions.
        attention_scale: the factor; 1 changes nothing.

    Returns:
        A changed copy of the configuration.

    Raises:
        ConfigError: the language model has no plain rotary positions, or not in every layer and channel.
    """
    config = copy.deepcopy(config)
    if attention_scale == 1:
        return config
    rope = dict(getattr(config, "rope_parameters", None) or {})
    is_whole = rope.get("partial_rotary_factor", 1) == 1 and all(getattr(config, "no_rope_layers", None) or [1])
    if rope.get("rope_type") != "default" or not is_whole:
        found = f"attention_scale={attention_scale:g} of a '{config.model_type}' with positions {rope or None}"
        expected = "plain rotary positions in every layer and channel"
        raise ConfigError(found, expected, "leave attention_scale out")
    # Queries and keys are both multiplied by the factor.
    temperature = {"rope_type": "yarn", "factor": 1.0, "attention_factor": math.sqrt(attention_scale)}
    config.rope_parameters = rope | temperature | {"original_max_position_embeddings": config.max_position_embeddings}
    return config
