"""Attention that is sharper than it was trained to be, through positions alone."""

import copy

import pytest
import torch
from tiny import tiny
from transformers import AutoConfig

from longpanda.errors import ConfigError
from longpanda.model.modeling import LongPandaForConditionalGeneration
from longpanda.train.attention_scale import scale_attention


@pytest.mark.parametrize("backbone", ["qwen2", "llama", "phi3"])
@pytest.mark.parametrize("attention_scale", [0.5, 1, 2.0])
def test_attention_logits_are_multiplied(backbone, attention_scale):
    plain, _ = tiny(backbone)
    config = copy.deepcopy(plain.config)
    config.text_config = scale_attention(config.text_config, attention_scale)
    sharp = LongPandaForConditionalGeneration(config).eval()
    sharp.load_state_dict(plain.state_dict())
    ids = torch.arange(5, 45)[None]
    before, after = plain(input_ids=ids).logits, sharp(input_ids=ids).logits
    assert (attention_scale == 1) == torch.equal(before, after)
    for layer in plain.language_model.model.layers:
        layer.self_attn.scaling *= attention_scale
    # float32: the factor of queries and keys is a rounded square root.
    torch.testing.assert_close(after, plain(input_ids=ids).logits, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("backbone", "settings"),
    [
        ("phi3", {"partial_rotary_factor": 0.5, "pad_token_id": 0}),
        ("glm", {"pad_token_id": 0}),
        ("smollm3", {}),
        ("gpt2", {}),
        ("qwen2", {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 10000.0}}),
    ],
)
def test_what_positions_do_not_reach_is_refused(backbone, settings):
    config = AutoConfig.for_model(backbone, **settings)
    with pytest.raises(ConfigError, match=f"attention_scale=2 of a '{backbone}' .* in every layer and channel"):
        scale_attention(config, 2.0)
    assert scale_attention(config, 1.0).to_dict() == config.to_dict()
