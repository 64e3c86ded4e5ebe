"""Mamba-2 blocks (Dao and Gu, 2024) whose state decays with true time as well as with every token.

Weights have the names and shapes of transformers' Mamba-2, so that they can be exchanged. Ours has one more,
`time_rate`: how fast each head decays between frames.

Letters: B batch, L sequence, C width, I inner channels (expand * C), H heads, P head width, N state width, K taps.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import initialization as init

from longpanda.model.configuration import TemporalConfig
from longpanda.model.panda_module import PandaModule
from longpanda.model.ssm import scan
from longpanda.shapes import Float

SHORTEST_TOKENS, LONGEST_TOKENS = 4, 8192
"""Initial memory of the first and the last head: tokens after which 1/e of the state is left."""


@dataclass(frozen=True)
class BlockState:
    """The state of a block between two pieces of a sequence.

    Args:
        conv: [B, K - 1, I + 2N], the convolution's last inputs.
        ssm: [B, H, P, N], the state of the heads; float32 or wider.
    """

    conv: Float[Tensor, "B taps channels"]
    ssm: Float[Tensor, "B H P N"]


class Mamba2Mixer(PandaModule):
    """The mixer of a block: input projection, short causal convolution, scan, gated norm, output projection.

    Initially the output is zero (`out_proj`), and the memory of the heads ranges from a few tokens to thousands: A = 1,
    and steps are evenly spaced in their logarithm, so each head is a running mean of its inputs. Time decays the state
    at the same rates: a reference second without frames counts as one token.
    """

    def __init__(self, config: TemporalConfig) -> None:
        super().__init__()
        self.inner, self.state_width = config.expand * config.width, config.state_width
        self.heads, self.chunk = self.inner // config.head_width, config.chunk
        channels = self.inner + 2 * self.state_width
        self.in_proj = nn.Linear(config.width, self.inner + channels + self.heads, bias=False)
        self.conv1d = nn.Conv1d(channels, channels, config.conv_kernel, groups=channels)
        self.dt_bias = nn.Parameter(torch.empty(self.heads))
        self.time_rate = nn.Parameter(torch.empty(self.heads))
        self.A_log = nn.Parameter(torch.empty(self.heads))
        self.D = nn.Parameter(torch.empty(self.heads))
        self.norm = nn.RMSNorm(self.inner, eps=1e-5)
        self.out_proj = nn.Linear(self.inner, config.width, bias=False)
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Set the initial values that the class describes."""
        tokens = torch.logspace(0, 1, self.heads, base=LONGEST_TOKENS / SHORTEST_TOKENS) * SHORTEST_TOKENS
        inverse_softplus = torch.expm1(1 / tokens).log()
        init.copy_(self.dt_bias, inverse_softplus)
        init.copy_(self.time_rate, inverse_softplus)
        init.zeros_(self.A_log)
        init.ones_(self.D)
        init.ones_(self.norm.weight)
        init.normal_(self.in_proj.weight, std=0.02)
        bound = self.conv1d.kernel_size[0] ** -0.5
        init.uniform_(self.conv1d.weight, -bound, bound)
        init.zeros_(self.conv1d.bias)
        init.zeros_(self.out_proj.weight)

    def forward(
        self, x: Float[Tensor, "B L C"], elapsed: Float[Tensor, "B L"] | None = None, state: BlockState | None = None
    ) -> tuple[Float[Tensor, "B L C"], BlockState]:
        """Mix one piece of a sequence.

        Args:
            x: tokens.
            elapsed: time since the previous token, in reference seconds; None means no time passes.
            state: the state after the previous piece; None begins a sequence.

        Returns:
            The mixed tokens and the state after them.
        """
        gate, mixed, step = torch.split(self.in_proj(x), [self.inner, self.conv1d.in_channels, self.heads], -1)
        mixed, conv = self._convolve(mixed, None if state is None else state.conv)
        values, b, c = torch.split(mixed, [self.inner, self.state_width, self.state_width], -1)
        values = values.reshape(*x.shape[:2], self.heads, -1)
        wide = torch.promote_types(x.dtype, torch.float32)
        step = F.softplus(step.to(wide) + self.dt_bias)
        fading = step
        if elapsed is not None:
            fading = step + F.softplus(self.time_rate.to(wide)) * elapsed[..., None].to(wide)
        log_decay = -self.A_log.to(wide).exp() * fading
        y, ssm = scan(values, log_decay, step, b, c, None if state is None else state.ssm, self.chunk)
        y = torch.addcmul(y, values, self.D.to(y.dtype)[:, None])
        gated = self.norm((y.flatten(2) * F.silu(gate)).to(self.norm.weight.dtype))  # weights' dtype, even in autocast
        return self.out_proj(gated.to(x.dtype)), BlockState(conv, ssm)

    def _convolve(
        self, x: Float[Tensor, "B L channels"], before: Float[Tensor, "B taps channels"] | None
    ) -> tuple[Float[Tensor, "B L channels"], Float[Tensor, "B taps channels"]]:
        """Convolve each channel over its last K tokens and apply SiLU. Return also the inputs the next piece needs.

        A 2-D convolution of one row runs in channels-last order: on a CPU 3 times as fast as a 1-D convolution.
        """
        taps = self.conv1d.kernel_size[0]
        if before is None:
            before = x.new_zeros(x.shape[0], taps - 1, x.shape[2])
        padded = torch.cat([before.to(x), x], 1)
        weight, bias = self.conv1d.weight[:, :, None].to(x.dtype), self.conv1d.bias
        bias = None if bias is None else bias.to(x.dtype)
        y = F.conv2d(padded.mT[:, :, None], weight, bias, groups=weight.shape[0])[:, :, 0].mT
        return F.silu(y), padded[:, x.shape[1] :].clone()


class Mamba2Block(nn.Module):
    """A residual block: x + mixer(norm(x))."""

    def __init__(self, config: TemporalConfig) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(config.width, eps=1e-5)
        self.mixer = Mamba2Mixer(config)

    def forward(
        self, x: Float[Tensor, "B L C"], elapsed: Float[Tensor, "B L"] | None = None, state: BlockState | None = None
    ) -> tuple[Float[Tensor, "B L C"], BlockState]:
        """Return x + mixer(norm(x)) and the state. Arguments as in `Mamba2Mixer.forward`."""
        change, state = self.change(x, elapsed, state)
        return x + change, state

    def change(
        self, x: Float[Tensor, "B L C"], elapsed: Float[Tensor, "B L"] | None = None, state: BlockState | None = None
    ) -> tuple[Float[Tensor, "B L C"], BlockState]:
        """Return what the block adds to x, and the state. Arguments as in `Mamba2Mixer.forward`."""
        change, state = self.mixer(self.norm(x), elapsed, state)
        return change, state
