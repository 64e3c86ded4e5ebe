"""How visual tokens are stored: as they are, as bfloat16, or as int8 with a scale for each token."""

from collections.abc import Mapping

import torch
from torch import Tensor

from longpanda.errors import ConfigError, nearest
from longpanda.shapes import Float

BYTES_PER_VALUE = {"float32": 4, "bfloat16": 2, "int8": 1}
"""The storages there are."""
SCALE_BYTES = 4
"""Beside every int8 token."""


def check(storage: str) -> None:
    """Refuse what is no storage. Raises ConfigError."""
    if storage not in BYTES_PER_VALUE:
        raise ConfigError(
            f"storage '{storage}'",
            f"one of {', '.join(BYTES_PER_VALUE)}",
            nearest(storage, BYTES_PER_VALUE, is_listed=True),
        )


def bytes_per_token(storage: str, width: int) -> int:
    """What one token of `width` channels takes."""
    return BYTES_PER_VALUE[storage] * width + (SCALE_BYTES if storage == "int8" else 0)


def pack(values: Float[Tensor, "N C"], storage: str) -> dict[str, Tensor]:
    """Tokens as tensors to be written.

    int8 takes each token's largest magnitude for 127, so that no value is off by more than 1/254 of it (and the
    rounding of float32).
    """
    check(storage)
    values = values.detach().cpu()
    if storage != "int8":
        return {"tokens": values.to(getattr(torch, storage)).contiguous()}
    values = values.float()
    scales = values.abs().amax(-1) / 127
    whole = (values / scales.clamp(min=torch.finfo(torch.float32).tiny)[..., None]).round().clamp(-127, 127)
    return {"tokens": whole.to(torch.int8), "scales": scales}


def unpack(tensors: Mapping[str, Tensor]) -> Float[Tensor, "N C"]:
    """Tokens as they were, as near as their storage keeps them: bfloat16 or float32."""
    tokens = tensors["tokens"]
    return tokens * tensors["scales"][..., None] if tokens.dtype == torch.int8 else tokens
