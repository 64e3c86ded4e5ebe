"""Attention that is sharper than it was trained to be, through positions alone."""

import copy

import pytest
import torch
from tiny import tiny

from longpanda.model.modeling import LongPandaForConditionalGeneration
from longpanda.train.taught import sharpen


@pytest.mark.parametrize("backbone", ["qwen2", "llama", "phi3"])
@pytest.mark.parametrize("attention_scale", [0.5, 1, 2.0])
def test_attention_logits_are_multiplied(backbone, attention_scale):
    plain, _ = tiny(backbone)
    config = copy.deepcopy(plain.config)
    sharpen(config.text_config, attention_scale)
    sharp = LongPandaForConditionalGeneration(config).eval()
    sharp.load_state_dict(plain.state_dict())
    ids = torch.arange(5, 45)[None]
    before, after = plain(input_ids=ids).logits, sharp(input_ids=ids).logits
    assert (attention_scale == 1) == torch.equal(before, after)
    for layer in plain.language_model.model.layers:
        layer.self_attn.scaling *= attention_scale
    # float32: the factor of queries and keys is a rounded square root.
    torch.testing.assert_close(after, plain(input_ids=ids).logits, atol=1e-4, rtol=1e-4)
