"""Local spatio-temporal encoding (LSTE and DPE): convolutions over the patches of a window.

Letters: t frames of a window, h w patches, C channels, m channels inside LSTE.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import initialization as init

from longpanda.model.attention import FoldedLinear
from longpanda.model.configuration import StabConfig
from longpanda.model.panda_module import PandaModule
from longpanda.shapes import Float

ALIGNED_CHANNELS = 16
"""LSTE's bottleneck width is rounded up to a multiple of this: the paper's 682 is slow in matrix products."""


class LocalEncoding(PandaModule):
    """LSTE and the dynamic position encoding of a window's patches (SPEC 3.3), without activations."""

    def __init__(self, config: StabConfig) -> None:
        super().__init__()
        c, m = config.width, config.lste_width
        self.spare = -m % ALIGNED_CHANNELS
        self.batch_norm = nn.BatchNorm1d(c) if config.norm == "batch" else None
        self.token_norm = nn.LayerNorm(c) if config.norm == "token" else None
        self.down = FoldedLinear(c, m)
        self.temporal_weight = nn.Parameter(torch.randn(m, 3) * 3**-0.5)
        self.temporal_bias = nn.Parameter(torch.zeros(m))
        self.up = FoldedLinear(m, c)
        self.dpe_weight = nn.Parameter(torch.randn(c, 3, 3, 3) * 27**-0.5)
        self.dpe_bias = nn.Parameter(torch.zeros(c))

    def reset_parameters(self) -> None:
        """Start as the identity, as published: the last projection and the position encoding are zero."""
        init.normal_(self.temporal_weight, std=3**-0.5)
        init.zeros_(self.temporal_bias)
        init.zeros_(self.up.weight)
        init.zeros_(self.dpe_weight)
        init.zeros_(self.dpe_bias)

    def forward(
        self,
        x: Float[Tensor, "windows t h w C"],
        mask: Float[Tensor, "windows t h w 1"] | None,
        frames: Float[Tensor, "F h w C"],
    ) -> Float[Tensor, "windows t h w C"]:
        """Encode windows. Values outside the mask are undefined and must not be read.

        Args:
            x: patches.
            mask: 0 outside the picture, applied before each convolution.
            frames: the same patches without window padding, for BatchNorm's statistics in training mode.
        """
        hidden = self._normed_down(x, frames)
        if mask is not None:
            hidden = hidden.mul_(mask)
        mixed = self._temporal_mix(hidden).flatten(0, 3)
        up = F.pad(self.up.weight, (0, self.spare))
        y = torch.addmm(x.flatten(0, 3), mixed, up.T).add_(self.up.bias).view_as(x)
        if mask is not None:
            y = y.mul_(mask)
        return self._position_encoding(y)

    def _normed_down(
        self, x: Float[Tensor, "windows t h w C"], frames: Float[Tensor, "F h w C"]
    ) -> Float[Tensor, "windows t h w m"]:
        weight: Tensor = self.down.weight
        bias: Tensor = self.down.bias
        if self.token_norm is not None:
            x = self.token_norm(x)
        elif self.batch_norm is not None:  # fold its scale and shift per channel into the projection
            scale, shift = _batch_norm_affine(self.batch_norm, frames)
            weight, bias = weight * scale, bias + weight @ shift
        return F.linear(x, F.pad(weight, (0, 0, 0, self.spare)), F.pad(bias, (0, self.spare)))

    def _temporal_mix(self, hidden: Float[Tensor, "windows t h w m"]) -> Float[Tensor, "windows t h w m"]:
        """Convolve over the frames of a window, depthwise, as a channels-last 2-D convolution with a 3 x 1 kernel."""
        w, t, h, wd, m = hidden.shape
        images = hidden.reshape(w, t, h * wd, m).permute(0, 3, 1, 2)
        weight = F.pad(self.temporal_weight, (0, 0, 0, self.spare)).to(hidden.dtype)
        bias = F.pad(self.temporal_bias, (0, self.spare)).to(hidden.dtype)
        mixed = F.conv2d(images, weight[:, None, :, None], bias, padding=(1, 0), groups=m)
        return mixed.permute(0, 2, 3, 1).reshape(hidden.shape)

    def _position_encoding(self, x: Float[Tensor, "windows t h w C"]) -> Float[Tensor, "windows t h w C"]:
        """Add the depthwise 3 x 3 x 3 convolution of x to x, as three channels-last 2-D ones, one per time offset."""
        identity = F.pad(x.new_ones(1, 1), (1, 1, 1, 1))  # the residual adds 1 to the kernel's centre
        weight = self.dpe_weight.to(x.dtype)
        out = self._spatial_tap(x, weight[:, 1] + identity, self.dpe_bias.to(x.dtype))
        if x.shape[1] > 1:
            out[:, 1:] += self._spatial_tap(x, weight[:, 0], None)[:, :-1]
            out[:, :-1] += self._spatial_tap(x, weight[:, 2], None)[:, 1:]
        return out

    def _spatial_tap(
        self, x: Float[Tensor, "windows t h w C"], weight: Float[Tensor, "C 3 3"], bias: Float[Tensor, " C"] | None
    ) -> Float[Tensor, "windows t h w C"]:
        images = x.flatten(0, 1).permute(0, 3, 1, 2)
        out = F.conv2d(images, weight[:, None], bias, padding=1, groups=images.shape[1])
        return out.permute(0, 2, 3, 1).reshape(x.shape)


def _batch_norm_affine(
    norm: nn.BatchNorm1d, frames: Float[Tensor, "F h w C"]
) -> tuple[Float[Tensor, " C"], Float[Tensor, " C"]]:
    """Return BatchNorm as a scale and a shift.

    In training mode they come from the frames' own statistics, and the running statistics are updated.
    """
    mean, var = norm.running_mean, norm.running_var
    assert mean is not None
    assert var is not None
    if norm.training:
        rows = frames.flatten(0, -2)
        var, mean = torch.var_mean(rows.to(torch.promote_types(rows.dtype, torch.float32)), 0, correction=0)
        _update_running_statistics(norm, mean, var, rows.shape[0])
    scale = norm.weight * torch.rsqrt(var + norm.eps)
    return scale, norm.bias - mean * scale


@torch.no_grad()
def _update_running_statistics(
    norm: nn.BatchNorm1d, mean: Float[Tensor, " C"], var: Float[Tensor, " C"], count: int
) -> None:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert norm.num_batches_tracked is not None
    assert norm.momentum is not None
    norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), norm.momentum)
    norm.running_var.lerp_((var * (count / (count - 1))).to(norm.running_var.dtype), norm.momentum)
    norm.num_batches_tracked.add_(1)
