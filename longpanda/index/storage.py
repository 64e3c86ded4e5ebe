"""Number formats of stored visual tokens: float32, bfloat16, or int8 with a scale for each token."""

from collections.abc import Mapping

import torch
from torch import Tensor

from longpanda.errors import ConfigError, nearest
from longpanda.shapes import Float

BYTES_PER_VALUE = {"float32": 4, "bfloat16": 2, "int8": 1}
SCALE_BYTES = 4
"""Each int8 token has a scale of this size."""


def check(storage: str) -> None:
    """Raises ConfigError for an unknown storage."""
    if storage not in BYTES_PER_VALUE:
        expected = f"one of {', '.join(BYTES_PER_VALUE)}"
        raise ConfigError(f"storage '{storage}'", expected, nearest(storage, BYTES_PER_VALUE, is_listed=True))


def bytes_per_token(storage: str, width: int) -> int:
    """Size on disk of a token of `width` channels."""
    return BYTES_PER_VALUE[storage] * width + (SCALE_BYTES if storage == "int8" else 0)


def pack(values: Float[Tensor, "N C"], storage: str) -> dict[str, Tensor]:
    """Convert tokens to the tensors that are written.

    int8 scales each token so that its largest magnitude is 127: no value is off by more than 1/254 of that magnitude
    (and the rounding of float32).
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
    """Undo `pack`; the tokens are bfloat16 or float32."""
    tokens = tensors["tokens"]
    return tokens * tensors["scales"][..., None] if tokens.dtype == torch.int8 else tokens
