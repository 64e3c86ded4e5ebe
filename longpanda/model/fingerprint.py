"""What tells one network from another: its sizes and its weights."""

import json
from collections.abc import Iterator

import torch
from torch import nn
from transformers import PreTrainedConfig

from longpanda.model.configuration import own_fields

RATE = ("grid", "pool_frames")
"""Fields of a compressor that do not count: an index has a rate of its own."""


def fingerprint_parts(config: PreTrainedConfig, module: nn.Module) -> Iterator[bytes]:
    """Bytes that are the same where a part's sizes and weights are.

    Weights count as bfloat16 reads them, so that a model is the same in float32 on one machine and in bfloat16 on
    another.
    """
    sizes = {name: value for name, value in own_fields(config).items() if name not in RATE}
    yield json.dumps(sizes, sort_keys=True).encode()
    for name, weight in sorted(module.state_dict().items()):
        yield f"{name} {list(weight.shape)}".encode()
        yield weight.detach().cpu().to(torch.bfloat16).contiguous().flatten().view(torch.uint8).numpy().tobytes()
