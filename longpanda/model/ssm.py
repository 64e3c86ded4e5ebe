"""The state-space scan of Mamba-2 in three equivalent forms: a loop, chunked matrix products, and GPU kernels.

Each head has a state of P x N numbers, and a decay and a gain for each token (Dao and Gu, 2024, arXiv 2405.21060):

    state_i = exp(log_decay_i) * state_(i-1) + gain_i * outer(x_i, b_i)
    y_i = state_i @ c_i

Mamba-2 has log_decay = -exp(A_log) * step and gain = step. Here they are two inputs, so that time can pass between
tokens (`mamba.py`). A scan may be cut anywhere: the next piece begins with the state of the previous one.

Letters: B batch, L sequence, H heads, P head width, N state width, K chunks of Q tokens.
"""

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from longpanda.errors import ConfigError
from longpanda.shapes import Float

BLOCK_ELEMENTS = {"cpu": 2**19, "cuda": 2**25}
"""Limit on the elements of the K x H x Q x Q decays, by device. It sets how many chunks are processed together."""

LEAST_DECAY, MOST_DECAY = 1e-6, 64.0
"""Bounds to which -log_decay is clamped. The kernels divide by it. A huge term would cost the sums over a chunk their
last digits, and e^-64 leaves nothing of a state anyway."""


def scan(
    x: Float[Tensor, "B L H P"],
    log_decay: Float[Tensor, "B L H"],
    gain: Float[Tensor, "B L H"],
    b: Float[Tensor, "B L N"],
    c: Float[Tensor, "B L N"],
    state: Float[Tensor, "_ _ _ _"] | None = None,
    chunk: int = 64,
) -> tuple[Float[Tensor, "B L H P"], Float[Tensor, "B H P N"]]:
    """Scan in the fastest form available: GPU kernels where `mamba_ssm` is installed, otherwise chunked.

    Sums are in float32, or in float64 for float64 inputs. Autocast is disabled inside.

    Args:
        x: inputs.
        log_decay: at most 0.
        gain: factor on each token's input.
        b: input vectors, the same for all heads.
        c: output vectors, the same for all heads.
        state: the initial state [B, H, P, N]; None begins with zeros.
        chunk: tokens Q that are processed as one matrix.

    Returns:
        Outputs y in the dtype of x, and the state after the last token.

    Raises:
        ConfigError: the chunk is below 1, or the state's shape is not [B, H, P, N].
    """
    wide = _accumulator(x)
    batch, length, heads, width = x.shape
    if state is None:
        state = x.new_zeros(batch, heads, width, b.shape[-1], dtype=wide)
    _check(chunk, state, (batch, heads, width, b.shape[-1]))
    state = state.to(x.device, wide)
    if not length:
        return x, state
    with _without_autocast(x.device.type):
        kernel = _kernel() if x.is_cuda and wide == torch.float32 else None
        if kernel is not None:
            return _scan_kernel(kernel, x, log_decay, gain, b, c, state, chunk)
        rates = (log_decay.to(wide), gain.to(wide))
        y, last = _Chunked.apply(x, *rates, b, c, state, chunk)  # type: ignore[no-untyped-call]
    return y, last


def scan_reference(
    x: Float[Tensor, "B L H P"],
    log_decay: Float[Tensor, "B L H"],
    gain: Float[Tensor, "B L H"],
    b: Float[Tensor, "B L N"],
    c: Float[Tensor, "B L N"],
    state: Float[Tensor, "B H P N"] | None = None,
) -> tuple[Float[Tensor, "B L H P"], Float[Tensor, "B H P N"]]:
    """Scan token by token, as defined. Slow: tests compare the other forms with it. Arguments as in `scan`."""
    wide = _accumulator(x)
    batch, length, heads, width = x.shape
    now = x.new_zeros(batch, heads, width, b.shape[-1], dtype=wide) if state is None else state.to(wide)
    read = []
    for i in range(length):
        written = (gain[:, i, :, None] * x[:, i]).to(wide)
        now = log_decay[:, i, :, None, None].exp() * now + written[..., None] * b[:, i, None, None].to(wide)
        read.append((now * c[:, i, None, None].to(wide)).sum(-1))
    return (torch.stack(read, 1).to(x.dtype) if read else x), now


def _accumulator(x: Tensor) -> torch.dtype:
    return torch.promote_types(x.dtype, torch.float32)


def _without_autocast(device: str) -> AbstractContextManager[Any]:
    return torch.autocast(device, enabled=False) if torch.amp.is_autocast_available(device) else nullcontext()


def _check(chunk: int, state: Tensor, shape: tuple[int, ...]) -> None:
    if chunk < 1:
        raise ConfigError(f"chunk={chunk}", "at least 1 token", "use 64")
    if tuple(state.shape) != shape:
        remedy = "pass the state of a scan with the same batch and sizes"
        raise ConfigError(f"a state of shape {tuple(state.shape)}", f"{shape}: batch, heads, head and state", remedy)


@functools.cache
def _kernel() -> Callable[..., Any] | None:
    """Return `mamba_ssm`'s scan, or None if the package is not installed."""
    try:
        from mamba_ssm.ops.triton.ssd_combined import mamba_chunk_scan_combined
    except ImportError:
        return None
    kernel: Callable[..., Any] = mamba_chunk_scan_combined
    return kernel


def _scan_kernel(
    kernel: Callable[..., Any],
    x: Tensor,
    log_decay: Tensor,
    gain: Tensor,
    b: Tensor,
    c: Tensor,
    state: Tensor,
    chunk: int,
) -> tuple[Tensor, Tensor]:
    """Scan by the kernels. They have one step for decay and gain, so it is the decay's, and x is scaled to match."""
    step = (-log_decay.float()).clamp(LEAST_DECAY, MOST_DECAY)
    scaled = (x * (gain.float() / step)[..., None]).to(x.dtype)
    rate = torch.full((x.shape[2],), -1.0, device=x.device)
    groups = (b.to(x.dtype)[:, :, None].contiguous(), c.to(x.dtype)[:, :, None].contiguous())
    y, last = kernel(scaled, step, rate, *groups, chunk, initial_states=state, return_final_states=True)
    return y, last


class _Chunked(torch.autograd.Function):
    """The chunked scan (SSD): matrix products over chunks of Q tokens, in blocks of K chunks that pass on the state.

    The backward pass goes through the blocks in reverse and recomputes them from their initial states, which are all
    that is saved besides the inputs. Peak memory depends on the size of a block, not on L.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, log_decay: Tensor, gain: Tensor, b: Tensor, c: Tensor, state: Tensor, chunk: int
    ) -> tuple[Tensor, Tensor]:
        y = torch.empty_like(x, memory_format=torch.contiguous_format)
        keep = any(ctx.needs_input_grad)
        starts, pieces = [], _pieces(x, chunk)
        for start, end, count in pieces:
            if keep:
                starts.append(state)
            block = _Block([t[:, start:end] for t in (x, log_decay, gain, b, c)], state, count)
            y[:, start:end] = block.output()
            state = block.end
        if keep:
            ctx.save_for_backward(x, log_decay, gain, b, c, *starts)
            ctx.pieces = pieces
        return y, state

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_y: Tensor, grad_state: Tensor) -> tuple[Tensor | None, ...]:
        inputs, starts = list(ctx.saved_tensors[:5]), ctx.saved_tensors[5:]
        gradients = [torch.empty_like(t, memory_format=torch.contiguous_format) for t in inputs]
        with _without_autocast(grad_y.device.type):
            for (start, end, count), state in zip(reversed(ctx.pieces), reversed(starts), strict=True):
                block = _Block([t[:, start:end] for t in inputs], state, count)
                *parts, grad_state = block.gradients(grad_y[:, start:end], grad_state)
                for gradient, part in zip(gradients, parts, strict=True):
                    gradient[:, start:end] = part
        return *gradients, grad_state, None


def _pieces(x: Tensor, chunk: int) -> list[tuple[int, int, int]]:
    """Return blocks as (first token, end, chunks): as many whole chunks as fit, then the remainder as a short chunk."""
    batch, length, heads, _ = x.shape
    budget = BLOCK_ELEMENTS["cuda" if x.is_cuda else "cpu"]
    most = max(1, budget // (batch * heads * chunk**2))
    whole = length // chunk
    blocks = [(k * chunk, min(k + most, whole) * chunk, min(most, whole - k)) for k in range(0, whole, most)]
    return blocks + ([(whole * chunk, length, 1)] if length % chunk else [])


class _Block:
    """K chunks of Q tokens: [B, K, Q, ...] views of their inputs, and terms that output and gradients share."""

    def __init__(self, inputs: list[Tensor], state: Tensor, count: int) -> None:
        x, log_decay, gain, b, c = inputs
        wide = state.dtype
        shape = (x.shape[0], count, -1)
        self.x = x.to(wide).reshape(*shape, *x.shape[2:])
        self.gain = gain.reshape(*shape, gain.shape[-1])
        self.b, self.c = (t.to(wide).reshape(*shape, t.shape[-1]) for t in (b, c))
        sums = log_decay.clamp(min=-MOST_DECAY).reshape(*shape, log_decay.shape[-1]).cumsum(2)  # [B, K, Q, H]
        self.written = self.x * self.gain[..., None]
        self.from_start = sums.exp()
        self.to_end = (sums[:, :, -1:] - sums).exp()
        by_head = sums.transpose(2, 3)
        # Pairs with i < j have positive differences and zero scores: clamping avoids the exponential of a large number.
        self.decays = (by_head[..., :, None] - by_head[..., None, :]).clamp_(max=0).exp_()  # [B, K, H, Q, Q]
        self.scores = (self.c @ self.b.mT).tril_()[:, :, None]
        self.starts, self.end = self._carry(state)

    def _carry(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return the state before each chunk [B, K, H*P, N], and after the last one [B, H, P, N]."""
        new = (self.written * self.to_end[..., None]).flatten(3).mT @ self.b
        through = self.from_start[:, :, -1, :, None, None]
        starts = []
        for k in range(new.shape[1]):
            starts.append(state)
            state = torch.addcmul(new[:, k].view_as(state), state, through[:, k])
        return torch.stack(starts, 1).flatten(2, 3), state

    def _remembered(self) -> Tensor:
        """Return what the state before each chunk contributes to its outputs [B, K, Q, H, P]."""
        return (self.c @ self.starts.mT).view_as(self.x).mul_(self.from_start[..., None])

    def output(self) -> Tensor:
        """Return the outputs y [B, K*Q, H, P]."""
        inside = self.decays.mul_(self.scores) @ self.written.transpose(2, 3)
        return self._remembered().add_(inside.transpose(2, 3)).flatten(1, 2)

    def gradients(self, grad_y: Tensor, grad_end: Tensor) -> tuple[Tensor, ...]:
        """Return the gradients of x, log_decay, gain, b, c and the initial state.

        Args:
            grad_y: gradient of the outputs.
            grad_end: gradient of the state after the block.
        """
        grad_y = grad_y.to(self.x.dtype).reshape(self.x.shape)
        decayed = (grad_y * self.from_start[..., None]).flatten(3)  # as the state before the chunk sees it
        grad_ends, grad_start = self._carry_back(decayed, grad_end)
        fading = (self.b @ grad_ends.mT).view_as(self.x).mul_(self.to_end[..., None])  # of `written`, by the state
        grad_mixed = grad_y.transpose(2, 3) @ self.written.transpose(2, 3).mT  # [B, K, H, Q, Q]
        grad_scores = torch.einsum("bkhij,bkhij->bkij", grad_mixed, self.decays).tril_()
        mixed = self.decays.mul_(self.scores)
        grad_written = (mixed.mT @ grad_y.transpose(2, 3)).transpose(2, 3) + fading
        kept = (self.written * self.to_end[..., None]).flatten(3)
        grad_b = grad_scores.mT @ self.c + kept @ grad_ends
        grad_c = grad_scores @ self.b + decayed @ self.starts
        grad_sums = self._gradient_of_sums(grad_mixed.mul_(mixed), grad_y, fading, grad_ends)
        grad_decay = grad_sums.flip(2).cumsum(2).flip(2)
        grad_gain = (grad_written * self.x).sum(-1)
        grad_x = grad_written * self.gain[..., None]
        parts = (grad_x, grad_decay, grad_gain, grad_b, grad_c)
        return *(part.flatten(1, 2) for part in parts), grad_start

    def _carry_back(self, decayed: Tensor, grad: Tensor) -> tuple[Tensor, Tensor]:
        """Return the gradients of the state after each chunk [B, K, H*P, N], and before the first [B, H, P, N]."""
        read = decayed.mT @ self.c
        through = self.from_start[:, :, -1, :, None, None]
        ends = []
        for k in reversed(range(read.shape[1])):
            ends.append(grad)
            grad = torch.addcmul(read[:, k].view_as(grad), grad, through[:, k])
        return torch.stack(ends[::-1], 1).flatten(2, 3), grad

    def _gradient_of_sums(self, by_pair: Tensor, grad_y: Tensor, fading: Tensor, grad_ends: Tensor) -> Tensor:
        """Return the gradient of the cumulative log decays [B, K, Q, H].

        Each sum enters with a plus where the state is read, and with a minus where it is written.
        """
        pairs = (by_pair.sum(-1) - by_pair.sum(-2)).transpose(2, 3)
        lost = (fading * self.written).sum(-1)
        grad = pairs + (grad_y * self._remembered()).sum(-1) - lost
        heads = (*grad_ends.shape[:2], grad.shape[-1], -1)
        passed = (grad_ends * self.starts).reshape(heads).sum(-1) * self.from_start[:, :, -1]
        grad[:, :, -1] += lost.sum(2) + passed
        return grad
