"""What tells that an index belongs to a model and to a video."""

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from longpanda.model.configuration import own_fields

if TYPE_CHECKING:
    from longpanda.model.modeling import LongPandaForConditionalGeneration

RATE = ("grid", "pool_frames")
_EDGE_BYTES = 2**16


def encoder_fingerprint(model: "LongPandaForConditionalGeneration") -> str:
    """Of everything that visual tokens before the projector depend on: sizes and weights of STAB and the compressor.

    The rate of the compressor (grid, frames of a group) does not count: an index has its own. Weights count as bfloat16
    reads them, so that a model is the same in float32 on one machine and bfloat16 on another.
    """
    digest = hashlib.sha256()
    for config, part in ((model.config.stab_config, model.stab), (model.config.temporal_config, model.temporal)):
        if config is None or part is None:
            continue
        sizes = {name: value for name, value in own_fields(config).items() if name not in RATE}
        digest.update(json.dumps(sizes, sort_keys=True).encode())
        for name, weight in sorted(part.state_dict().items()):
            digest.update(f"{name} {list(weight.shape)}".encode())
            digest.update(weight.detach().cpu().to(torch.bfloat16).contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def source_fingerprint(video: Path) -> dict[str, Any]:
    """Of a file: its size, and its first and last 64 KiB. Not its name or date: files are moved and copied."""
    size = video.stat().st_size
    digest = hashlib.sha256()
    with video.open("rb") as file:
        digest.update(file.read(_EDGE_BYTES))
        file.seek(max(0, size - _EDGE_BYTES))
        digest.update(file.read(_EDGE_BYTES))
    return {"bytes": size, "edges": digest.hexdigest()}
