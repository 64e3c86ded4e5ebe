"""Parameter counts of a model by part, from its configuration alone."""

from collections import Counter

import torch

from longpanda.model.configuration import LongPandaConfig
from longpanda.model.modeling import LongPandaForConditionalGeneration

STAB_PARTS = {
    "patch": "patch embedding",
    "local": "local encoding",
    "video": "video token",
    "downsample": "downsampling",
    "cell_position": "downsampling",
    "frame": "frame token",
    "frame_query": "frame token",
    "balance": "frame token",
    "frame_norm": "frame token",
    "frame_out": "frame token",
    "split_token": "row ends",
}
"""Modules and parameters of `Stab`: the part of the paper's figure to which each belongs."""


def parameters_by_part(config: LongPandaConfig) -> dict[str, int]:
    """Count parameters of STAB's parts ("stab: ..."), the compressor, the projector and the language model.

    Tied weights count once.
    """
    with torch.device("meta"):
        model = LongPandaForConditionalGeneration(config)
    counts: Counter[str] = Counter()
    for name, parameter in model.named_parameters():
        part, _, rest = name.partition(".")
        label = f"stab: {STAB_PARTS[rest.split('.')[0]]}" if part == "stab" else part.replace("_", " ")
        counts[label] += parameter.numel()
    return dict(counts)
