"""Attention that looks harder than it was trained to, by its configuration alone."""

import copy
import math
from typing import Any

from longpanda.errors import ConfigError


def scale_attention(config: Any, attention_scale: float) -> Any:
    """A language model that looks harder: its attention logits times a number, by the temperature of YaRN.

    Attention that learned to find one frame among 128 spreads over 10,000: with n times as many that do not match, the
    one that does needs log(n) more. (Peng et al., 2309.00071, section 3.4; here without its change of frequencies.) It
    stands in the model's config.json: `attention_factor` of `rope_parameters` is the number's square root.

    Args:
        config: of a language model with rotary positions.
        attention_scale: the number; 1 changes nothing.

    Returns:
        another configuration.

    Raises:
        ConfigError: positions that are no plain rotary ones, or not of every layer and channel.
    """
    config = copy.deepcopy(config)
    if attention_scale == 1:
        return config
    rope = dict(getattr(config, "rope_parameters", None) or {})
    is_whole = rope.get("partial_rotary_factor", 1) == 1 and all(getattr(config, "no_rope_layers", None) or [1])
    if rope.get("rope_type") != "default" or not is_whole:
        found = f"attention_scale={attention_scale:g} of a '{config.model_type}' with positions {rope or None}"
        expected = "plain rotary positions in every layer and channel"
        raise ConfigError(found, expected, "leave it out")
    # Queries and keys are both multiplied by the factor.
    temperature = {"rope_type": "yarn", "factor": 1.0, "attention_factor": math.sqrt(attention_scale)}
    config.rope_parameters = rope | temperature | {"original_max_position_embeddings": config.max_position_embeddings}
    return config
