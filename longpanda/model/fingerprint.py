"""Fingerprints of networks: their sizes and weights as bytes."""

import json
from collections.abc import Iterator

import torch
from torch import nn
from transformers import PreTrainedConfig

from longpanda.model.configuration import own_fields

RATE = ("grid", "pool_frames")
"""Fields of a compressor that are left out, because an index has its own rate."""


def fingerprint_parts(config: PreTrainedConfig, module: nn.Module) -> Iterator[bytes]:
    """Yield bytes that are equal if and only if a module's sizes and weights are.

    Weights are compared as bfloat16, so that a model in float32 on one machine equals the same model in bfloat16 on
    another.
    """
    sizes = {name: value for name, value in own_fields(config).items() if name not in RATE}
    yield json.dumps(sizes, sort_keys=True).encode()
    for name, weight in sorted(module.state_dict().items()):
        yield f"{name} {list(weight.shape)}".encode()
        yield weight.detach().cpu().to(torch.bfloat16).contiguous().flatten().view(torch.uint8).numpy().tobytes()
