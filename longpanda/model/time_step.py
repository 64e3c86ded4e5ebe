"""The limits of Mamba-2's time steps, applied also when a single token is read.

transformers' state-space layers clamp the step when they read many tokens at once, but not when they read one token
behind a cache (nor does mamba_ssm's kernel for one token). Zamba-2 and Nemotron-H have limits that matter: without them
their cached generation differs from their logits for the whole text. The clamp is put before both code paths.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

LINEAR = 20.0
"""From here on, softplus(x) is x."""


def keep_limits(model: nn.Module) -> None:
    """Make every state-space layer of a language model apply its `time_step_limit`, also to one token at a time."""
    for layer in model.modules():
        low, high = getattr(layer, "time_step_limit", None) or (0.0, math.inf)
        projection, bias = getattr(layer, "in_proj", None), getattr(layer, "dt_bias", None)
        if (low <= 0 and high == math.inf) or hasattr(layer, "mup_vector"):  # Falcon-H1 scales the projection
            continue
        if not isinstance(projection, nn.Module) or not isinstance(bias, Tensor):
            continue
        if not any(isinstance(hook, _Clamped) for hook in projection._forward_hooks.values()):
            projection.register_forward_hook(_Clamped(layer, low, high))


class _Clamped:
    """A forward hook that clamps the steps, a projection's last outputs (one per head), to a layer's limits."""

    def __init__(self, layer: Any, low: float, high: float) -> None:
        self.layer = layer
        self.low = math.log(math.expm1(low)) if low > 0 else -math.inf
        self.high = math.log(math.expm1(high)) if high < LINEAR else high

    def __call__(self, _module: nn.Module, _arguments: Any, projected: Tensor) -> Tensor:
        bias = self.layer.dt_bias
        rest, steps = projected[..., : -len(bias)], projected[..., -len(bias) :]
        return torch.cat([rest, steps.clamp(self.low - bias, self.high - bias).to(steps.dtype)], -1)
