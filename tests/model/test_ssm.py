"""The forms of the scan against one another and against transformers' Mamba-2, however a sequence is cut."""

from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import Mamba2Config
from transformers.cache_utils import DynamicCache
from transformers.models.mamba2.modeling_mamba2 import Mamba2Block as TheirBlock
from transformers.models.mamba2.modeling_mamba2 import Mamba2Mixer as TheirMixer

from longpanda.errors import ConfigError
from longpanda.model import ssm
from longpanda.model.configuration import TemporalConfig
from longpanda.model.mamba import BlockState, Mamba2Block, Mamba2Mixer

SIZES = {"width": 24, "layers": 2, "state_width": 10, "head_width": 6, "chunk": 8}
NAMES = ("x", "log_decay", "gain", "b", "c", "state")


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def inputs(length: int, batch: int = 2, dtype: torch.dtype = torch.float64, seed: int = 0) -> list[Tensor]:
    """Random x, log_decay, gain, b, c and state of 3 heads, 4 wide, with states of 5."""
    generator = torch.Generator().manual_seed(seed)
    shapes = [(batch, length, 3, 4), (batch, length, 3), (batch, length, 3), (batch, length, 5), (batch, length, 5)]
    x, decay, gain, b, c = (torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes)
    state = torch.randn(batch, 3, 4, 5, generator=generator, dtype=torch.float64)
    return [tensor.to(dtype) for tensor in (x, -F.softplus(decay), F.softplus(gain), b, c, state)]


def random_mixer(config: TemporalConfig, kind: type = Mamba2Mixer, dtype: torch.dtype = torch.float64) -> Mamba2Mixer:
    """A mixer, or a block, whose every parameter is random, so that no term hides."""
    torch.manual_seed(0)
    module = kind(config).to(dtype)
    for parameter in module.parameters():
        parameter.data.copy_(0.4 * torch.randn_like(parameter))
    return module


def assert_close(got: Tensor, want: Tensor, tolerance: float) -> None:
    torch.testing.assert_close(got, want, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("blocks_of", [1, 3, 100], ids="{} chunks".format)
@pytest.mark.parametrize("length", [1, 7, 8, 16, 61])
def test_chunked_equals_the_loop_in_outputs_and_gradients(
    length: int, blocks_of: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ssm.BLOCK_ELEMENTS, "cpu", blocks_of * 2 * 3 * 8**2)
    given = [tensor.requires_grad_() for tensor in inputs(length)]
    outcomes = []
    for outputs in (ssm.scan(*given, chunk=8), ssm.scan_reference(*given)):
        loss = sum((out * torch.linspace(-1, 1, out.numel()).view_as(out)).sum() for out in outputs)
        outcomes.append((*outputs, *torch.autograd.grad(loss, given)))
    for name, got, want in zip(("y", "last", *NAMES), *outcomes, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-11, atol=1e-11, msg=lambda m, n=name: f"{n}: {m}")


@pytest.mark.parametrize("cuts", [[0, 1, 61], [0, 8, 16, 61], [0, 5, 5, 40, 61], list(range(62))], ids=str)
def test_a_scan_may_be_cut_anywhere(cuts: list[int]) -> None:
    *tokens, state = [tensor.requires_grad_() for tensor in inputs(61)]
    whole, last = ssm.scan(*tokens, state, chunk=8)
    pieces, now = [], state
    for start, end in pairwise(cuts):
        y, now = ssm.scan(*(tensor[:, start:end] for tensor in tokens), now, chunk=8)
        pieces.append(y)
    cut = torch.cat(pieces, 1)
    assert_close(cut, whole, 1e-11)
    assert_close(now, last, 1e-11)
    want = torch.autograd.grad(whole.square().sum() + last.sum(), [*tokens, state])
    for mine, theirs in zip(torch.autograd.grad(cut.square().sum() + now.sum(), [*tokens, state]), want, strict=True):
        assert_close(mine, theirs, 1e-10)


def test_float32_over_many_tokens_stays_near_float64() -> None:
    """Relative error in root mean square below 1e-5 after 12,000 tokens, for heads that never forget too."""
    exact = inputs(12_000, batch=1)
    exact[1] = exact[1] * torch.tensor([1.0, 1e-3, 0.0])
    exact[2] = exact[2] * torch.tensor([1.0, 1e-3, 1e-4])
    rounded = [tensor.float() for tensor in exact]
    for got, want in zip(ssm.scan(*rounded), ssm.scan(*exact), strict=True):
        assert (got - want).square().mean().sqrt() < 1e-5 * want.square().mean().sqrt()


def test_extreme_decays_give_no_infinities() -> None:
    given = inputs(64, dtype=torch.float32)
    given[1] = torch.where(torch.arange(64)[:, None] % 3 == 0, -1e6, 0.0).expand(2, 64, 3).clone()
    given = [tensor.requires_grad_() for tensor in given]
    y, last = ssm.scan(*given, chunk=16)
    assert_close(y, ssm.scan_reference(*given)[0], 1e-5)
    assert all(gradient.isfinite().all() for gradient in torch.autograd.grad(y.sum() + last.sum(), given))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_sums_in_float32(dtype: torch.dtype) -> None:
    """The output's rounding is the only error: half a unit of its last place."""
    given = inputs(300, dtype=dtype)
    want, last = ssm.scan_reference(*(tensor.float() for tensor in given))
    got, state = ssm.scan(*given)
    assert got.dtype == dtype
    assert state.dtype == torch.float32
    torch.testing.assert_close(got.float(), want, rtol=torch.finfo(dtype).eps, atol=1e-3)
    assert_close(state, last, 1e-3)


def test_autocast_does_not_reach_into_the_scan() -> None:
    given = inputs(100, dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        got = ssm.scan(*given)[0]
    assert torch.equal(got, ssm.scan(*given)[0])


def test_what_training_keeps_does_not_grow_with_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond inputs, one state for each block; no chunk's matrices."""
    monkeypatch.setitem(ssm.BLOCK_ELEMENTS, "cpu", 4 * 2 * 3 * 8**2)
    given = [tensor.requires_grad_() for tensor in inputs(64)]
    kept: list[Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor) or tensor, lambda tensor: tensor):
        ssm.scan(*given, chunk=8)
    held = sum(tensor.numel() for tensor in kept) - sum(tensor.numel() for tensor in given[:5])
    assert held == 2 * given[5].numel()


@pytest.mark.parametrize(
    ("change", "found"), [({"chunk": 0}, "chunk=0"), ({"state": torch.zeros(2, 3, 5, 4)}, r"\(2, 3, 5, 4\)")]
)
def test_what_a_scan_cannot_use_is_refused(change: dict[str, object], found: str) -> None:
    with pytest.raises(ConfigError, match=found):
        ssm.scan(**dict(zip(NAMES, inputs(8), strict=True)) | change)


def published(x: Tensor, dt: Tensor, a: Tensor, b: Tensor, c: Tensor, chunk_size: int, **options: object) -> object:
    """What `mamba_chunk_scan_combined` is documented to compute, by the loop."""
    assert options["return_final_states"]
    assert (x.shape[2], b.shape[2], chunk_size) == (3, 1, 64)
    return ssm.scan_reference(x, dt * a, dt, b[:, :, 0], c[:, :, 0], options["initial_states"])


def test_the_kernels_are_given_what_they_expect() -> None:
    given = inputs(50, dtype=torch.float32)
    given[1][:, ::7] = 0.0  # a decay of nothing, by which nothing may be divided
    got, want = ssm._scan_kernel(published, *given, 64), ssm.scan_reference(*given)
    for mine, theirs in zip(got, want, strict=True):
        assert_close(mine, theirs, 1e-4)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_on_a_gpu_chunks_and_kernels_equal_the_loop(dtype: torch.dtype) -> None:
    shapes = {"x": (2, 300, 4, 64), "log_decay": (2, 300, 4), "gain": (2, 300, 4), "b": (2, 300, 64), "c": (2, 300, 64)}
    x, decay, gain, b, c = (torch.randn(shape, device="cuda") for shape in shapes.values())
    given = [x.to(dtype), -F.softplus(decay), F.softplus(gain), b.to(dtype), c.to(dtype)]
    want, last = ssm.scan_reference(*given)
    forms = [ssm._Chunked.apply(*given, torch.zeros_like(last), 64)]
    if ssm._kernel() is not None:
        forms.append(ssm.scan(*given))
    for y, state in forms:
        assert (y.float() - want.float()).square().mean().sqrt() < 0.02 * want.float().square().mean().sqrt()
        assert (state - last).square().mean().sqrt() < 0.02 * last.square().mean().sqrt()


def theirs(kind: type = TheirMixer) -> tuple[torch.nn.Module, SimpleNamespace]:
    config = Mamba2Config(
        hidden_size=24, num_heads=8, head_dim=6, state_size=10, n_groups=1, conv_kernel=4, chunk_size=8,
        num_hidden_layers=1, use_bias=False, residual_in_fp32=False,
    )  # fmt: skip
    return kind(config, layer_idx=0).eval(), config


@pytest.mark.parametrize("kinds", [(Mamba2Mixer, TheirMixer), (Mamba2Block, TheirBlock)], ids=["mixer", "block"])
def test_without_time_it_is_transformers_mamba2_with_the_same_weights(kinds: tuple[type, type]) -> None:
    ours, (reference, _) = random_mixer(TemporalConfig(**SIZES), kinds[0], torch.float32), theirs(kinds[1])
    weights = {name: tensor for name, tensor in ours.state_dict().items() if not name.endswith("time_rate")}
    reference.load_state_dict(weights)
    x = torch.randn(2, 45, 24, requires_grad=True)
    got, want = ours(x)[0], reference(x)
    assert_close(got, want, 2e-5)
    for mine, other in zip(*(torch.autograd.grad(out.square().sum(), x) for out in (got, want)), strict=True):
        assert_close(mine, other, 5e-4)


def test_token_by_token_it_is_transformers_mamba2_with_a_cache() -> None:
    ours, (reference, config) = random_mixer(TemporalConfig(**SIZES), dtype=torch.float32), theirs()
    weights = {name: tensor for name, tensor in ours.state_dict().items() if name != "time_rate"}
    reference.load_state_dict(weights)
    x, cache, state = torch.randn(1, 20, 24), DynamicCache(config=config), None
    for start, end in [(0, 13), *pairwise(range(13, 21))]:
        got, state = ours(x[:, start:end], state=state)
        assert_close(got, reference(x[:, start:end], cache_params=cache), 2e-5)


@pytest.mark.parametrize("cuts", [[0, 1, 2, 30], [0, 11, 30]], ids=str)
def test_a_block_goes_on_where_it_was_left(cuts: list[int]) -> None:
    block = random_mixer(TemporalConfig(**SIZES), Mamba2Block)
    x, elapsed = torch.randn(2, 30, 24, dtype=torch.float64), torch.rand(2, 30, dtype=torch.float64)
    want, last = block(x, elapsed)
    pieces, state = [], None
    for start, end in pairwise(cuts):
        y, state = block(x[:, start:end], elapsed[:, start:end], state)
        pieces.append(y)
    assert_close(torch.cat(pieces, 1), want, 1e-10)
    assert isinstance(state, BlockState)
    assert_close(state.ssm, last.ssm, 1e-10)
    assert_close(state.conv, last.conv, 1e-12)


def test_tokens_to_come_change_nothing() -> None:
    block = random_mixer(TemporalConfig(**SIZES), Mamba2Block)
    x = torch.randn(1, 30, 24, dtype=torch.float64)
    changed = torch.cat([x[:, :17], torch.randn(1, 13, 24, dtype=torch.float64)], 1)
    assert_close(block(changed)[0][:, :17], block(x)[0][:, :17], 1e-11)
    assert (block(changed)[0][:, 17] - block(x)[0][:, 17]).abs().max() > 1e-3


def test_time_that_passes_in_two_steps_passes_as_in_one() -> None:
    """A token that writes nothing, put into a gap, leaves what is read afterwards as it was."""
    x, decay, gain, b, c, state = inputs(20)
    whole = decay.clone()
    whole[:, 10] -= 0.3 + 0.9
    gap = torch.zeros_like(x[:, :1])
    split = decay.clone()
    split[:, 10] -= 0.9
    parts = [(x, gap), (split, -0.3 + gap[..., 0]), (gain, gap[..., 0]), (b, b[:, :1]), (c, c[:, :1])]
    longer = [torch.cat([old[:, :10], new, old[:, 10:]], 1) for old, new in parts]
    want, last = ssm.scan(x, whole, gain, b, c, state)
    got, end = ssm.scan(*longer, state)
    assert_close(torch.cat([got[:, :10], got[:, 11:]], 1), want, 1e-11)
    assert_close(end, last, 1e-11)


def test_a_long_time_forgets_and_a_new_block_passes_tokens_on() -> None:
    mixer, x = random_mixer(TemporalConfig(**SIZES)), torch.randn(1, 30, 24, dtype=torch.float64)
    elapsed = torch.zeros(1, 30, dtype=torch.float64)
    elapsed[0, 20] = 1e9
    after = mixer(x, elapsed)[0][:, 20:]
    conv = BlockState(mixer(x[:, :20])[1].conv, torch.zeros(1, 8, 6, 10, dtype=torch.float64))
    assert_close(after, mixer(x[:, 20:], state=conv)[0], 1e-10)
    new = Mamba2Block(TemporalConfig(**SIZES))
    assert torch.equal(new(x.float())[0], x.float())


def test_heads_of_a_new_mixer_remember_from_a_few_tokens_to_thousands() -> None:
    mixer = Mamba2Mixer(TemporalConfig(width=64, head_width=8))
    tokens = 1 / (F.softplus(mixer.dt_bias) * mixer.A_log.exp())
    assert tokens[0].item() == pytest.approx(4, rel=1e-3)
    assert tokens[-1].item() == pytest.approx(8192, rel=1e-2)
    ratios = tokens[1:] / tokens[:-1]
    assert ratios.max() < 1.02 * ratios.min()
