"""The limits of Mamba-2's time steps, kept where one token is read as where many are.

transformers' state-space layers clamp the step where they read many tokens at once, and forget to where they read one
behind a cache (as mamba_ssm's kernel for one token does, which knows no limits). Zamba-2 and Nemotron-H have limits
that matter: what they generate is then not what they say to the whole text. The clamp is put where both ways begin.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

LINEAR = 20.0
"""From here on, softplus is what it is given."""


def keep_limits(model: nn.Module) -> None:
    """Let every state-space layer of a language model keep to its `time_step_limit`, also one token at a time."""
    for layer in model.modules():
        low, high = getattr(layer, "time_step_limit", None) or (0.0, math.inf)
        projection, bias = getattr(layer, "in_proj", None), getattr(layer, "dt_bias", None)
        if (low <= 0 and high == math.inf) or hasattr(layer, "mup_vector"):  # Falcon-H1 scales what is projected
            continue
        if not isinstance(projection, nn.Module) or not isinstance(bias, Tensor):
            continue
        if not any(isinstance(hook, _Clamped) for hook in projection._forward_hooks.values()):
            projection.register_forward_hook(_Clamped(layer, low, high))


class _Clamped:
    """A layer's projection whose last numbers, one for each head, stay where softplus of them is within the limits."""

    def __init__(self, layer: Any, low: float, high: float) -> None:
        self.layer = layer
        self.low = math.log(math.expm1(low)) if low > 0 else -math.inf
        self.high = math.log(math.expm1(high)) if high < LINEAR else high

    def __call__(self, _module: nn.Module, _arguments: Any, projected: Tensor) -> Tensor:
        bias = self.layer.dt_bias
        rest, steps = projected[..., : -len(bias)], projected[..., -len(bias) :]
        return torch.cat([rest, steps.clamp(self.low - bias, self.high - bias).to(steps.dtype)], -1)
