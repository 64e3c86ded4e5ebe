"""The fast form of STAB against the plain one, and what our own configuration promises about padding and windows."""

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from longpanda.model.configuration import StabConfig
from longpanda.model.stab import CLIP_MEAN, CLIP_STD, Stab
from longpanda.model.stab_reference import reference_forward

SIZES = {"width": 24, "heads": 3, "patch_px": 4, "image_px": 32, "lste_width": 10, "gstra_ratio": 2}
PAPER = {"norm": "batch", "masked": False, "head_scale": False, "window_positions": False, "split_tokens": True}
KINDS = {
    "ours": {},
    "paper": PAPER | {"single_frame_bypass": True},
    "paper without the image path": PAPER,
    "ours with batch norm and rows": {"norm": "batch", "split_tokens": True, "single_frame_bypass": True},
}
CLIPS = [[1], [2], [3], [4], [5], [9], [8], [3, 1, 6], [4, 4]]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def make(kind: str, dtype: torch.dtype = torch.float64, seed: int = 0) -> Stab:
    """A small block whose every parameter and statistic is random, so that no term hides."""
    generator = torch.Generator().manual_seed(seed)
    stab = Stab(StabConfig(**SIZES, **KINDS[kind])).to(dtype).eval()
    for name, tensor in [*stab.named_parameters(), *stab.local.named_buffers()]:
        if tensor.is_floating_point():
            noise = 0.4 * torch.randn(tensor.shape, generator=generator, dtype=dtype)
            tensor.data.copy_(noise.abs() + 0.5 if name.endswith("running_var") else noise)
    return stab


def inputs(frames: int, height: int = 8, width: int = 6, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Random pixels on a canvas of height x width patches, and a random box of at least 2 x 2 patches per frame."""
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randn(frames, 3, 4 * height, 4 * width, generator=generator, dtype=torch.float64)

    def edges(side: int) -> tuple[int, int]:
        first = int(torch.randint(0, side - 1, (), generator=generator))
        return first, int(torch.randint(first + 2, side + 1, (), generator=generator))

    return pixels, torch.tensor([[*edges(height), *edges(width)] for _ in range(frames)])


def full_boxes(frames: int, height: int = 8, width: int = 6) -> Tensor:
    return torch.tensor([[0, height, 0, width]] * frames)


def fast_forward(stab: Stab, pixels: Tensor, boxes: Tensor, windows: Tensor) -> list[Tensor]:
    out = stab(pixels, boxes, windows)
    return [values[mask] for values, mask in zip(out.values, out.mask, strict=True)]


def assert_same(got: list[Tensor], want: list[Tensor], tolerance: float = 1e-11) -> None:
    assert [len(frame) for frame in got] == [len(frame) for frame in want]
    torch.testing.assert_close(torch.cat(got), torch.cat(want), rtol=tolerance, atol=tolerance)


def gradients(stab: Stab, tokens: list[Tensor], pixels: Tensor) -> dict[str, Tensor]:
    """Of a random projection of all tokens, by parameter and for the pixels; zeros where nothing flows."""
    flat = torch.cat(tokens)
    loss = (flat * torch.randn(flat.shape, generator=torch.Generator().manual_seed(1), dtype=flat.dtype)).sum()
    named = dict(stab.named_parameters()) | {"pixels": pixels}
    found = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
    return {
        name: torch.zeros_like(tensor) if gradient is None else gradient
        for (name, tensor), gradient in zip(named.items(), found, strict=True)
    }


@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("clips", CLIPS, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_fast_equals_plain_in_outputs_and_gradients(kind: str, clips: list[int], training: bool) -> None:
    stab = make(kind).train(training)
    plain = make(kind).train(training)
    pixels, boxes = inputs(sum(clips))
    pixels.requires_grad_(True)
    windows = torch.tensor(stab.config.windows(clips))
    got, want = fast_forward(stab, pixels, boxes, windows), reference_forward(plain, pixels, boxes, windows)
    assert_same(got, want)
    fast_gradients, plain_gradients = gradients(stab, got, pixels), gradients(plain, want, pixels)
    for name, gradient in plain_gradients.items():
        torch.testing.assert_close(fast_gradients[name], gradient, rtol=1e-9, atol=1e-10, msg=lambda m, n=name: n + m)
    for (name, buffer), (_, expected) in zip(stab.named_buffers(), plain.named_buffers(), strict=True):
        torch.testing.assert_close(buffer, expected, msg=lambda m, n=name: n + m)


@pytest.mark.parametrize("length", [1, 2, 3, 6, 7])
@pytest.mark.parametrize("kind", KINDS)
def test_fast_equals_plain_for_windows_of_any_length(kind: str, length: int) -> None:
    stab = make(kind)
    pixels, boxes = inputs(2 * length)
    windows = torch.arange(2 * length).view(2, length)
    with torch.no_grad():
        assert_same(fast_forward(stab, pixels, boxes, windows), reference_forward(stab, pixels, boxes, windows))


def test_cells_beyond_one_block_are_read_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    stab = make("ours")
    pixels, boxes = inputs(5)
    windows = torch.tensor(stab.config.windows([5]))
    want = stab(pixels, boxes, windows).values
    monkeypatch.setattr("longpanda.model.attention.FOLDED_BYTES", 7 * 3 * 24 * 8)
    torch.testing.assert_close(stab(pixels, boxes, windows).values, want, rtol=1e-12, atol=1e-12)


def test_batch_norm_statistics_leave_out_the_padding_of_windows() -> None:
    padded, short = make("paper without the image path").train(), make("paper without the image path").train()
    pixels, boxes = inputs(3)
    got = fast_forward(padded, pixels, boxes, torch.tensor([[0, 1, 2, -1]]))
    assert_same(got, fast_forward(short, pixels, boxes, torch.tensor([[0, 1, 2]])))
    torch.testing.assert_close(padded.local.batch_norm.running_var, short.local.batch_norm.running_var)


def test_what_is_around_the_picture_changes_nothing() -> None:
    stab = make("ours")
    pixels, _ = inputs(5, 5, 4)
    windows = torch.tensor(stab.config.windows([5]))
    canvas = torch.randn(5, 3, 4 * 9, 4 * 8, dtype=torch.float64)
    canvas[:, :, 8:28, 12:28] = pixels
    boxes = torch.tensor([[2, 7, 3, 7]] * 5)
    assert_same(fast_forward(stab, canvas, boxes, windows), fast_forward(stab, pixels, full_boxes(5, 5, 4), windows))


def test_the_paper_sees_its_letterbox() -> None:
    stab = make("paper")
    pixels, _ = inputs(4)
    boxes, windows = torch.tensor([[2, 6, 0, 6]] * 4), torch.tensor([[0, 1, 2, 3]])
    changed = pixels.clone()
    changed[:, :, :8] += 1
    before, after = (torch.cat(fast_forward(stab, x, boxes, windows)) for x in (pixels, changed))
    assert (before - after).abs().max() > 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_clips_in_a_batch_equal_clips_one_by_one(kind: str) -> None:
    stab, clips = make(kind), [3, 1, 6, 4]
    pixels, boxes = inputs(sum(clips))
    together = fast_forward(stab, pixels, boxes, torch.tensor(stab.config.windows(clips)))
    ends = [0, *torch.tensor(clips).cumsum(0).tolist()]
    alone = [
        fast_forward(stab, pixels[a:b], boxes[a:b], torch.tensor(stab.config.windows([b - a])))
        for a, b in pairwise(ends)
    ]
    assert_same(together, [frame for clip in alone for frame in clip])


@pytest.mark.parametrize("frames", [1, 2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_a_padded_window_equals_a_short_one(kind: str, frames: int) -> None:
    stab = make(kind)
    pixels, boxes = inputs(frames)
    padded = torch.tensor([[*range(frames), *[-1] * (4 - frames)]])
    want = fast_forward(stab, pixels, boxes, torch.arange(frames)[None])
    assert_same(fast_forward(stab, pixels, boxes, padded), want)


@pytest.mark.parametrize("kind", KINDS)
def test_frames_of_another_window_change_nothing(kind: str) -> None:
    stab = make(kind)
    pixels, boxes = inputs(9)
    windows = torch.tensor(stab.config.windows([9]))
    changed = pixels.clone()
    changed[4:] = -changed[4:]
    before, after = (fast_forward(stab, x, boxes, windows) for x in (pixels, changed))
    assert_same(after[:4], before[:4])
    assert all((a - b).abs().max() > 1e-3 for a, b in zip(after[4:], before[4:], strict=True))


def test_a_smaller_grid_drops_only_padding() -> None:
    stab = make("paper")
    pixels, _ = inputs(4)
    boxes, windows = (
        torch.tensor([[1, 5, 0, 6], [0, 4, 2, 6], [0, 2, 0, 6], [3, 7, 0, 2]]),
        torch.tensor([[0, 1, 2, 3]]),
    )
    small = stab(pixels, boxes, windows, grid=(2, 3))
    assert small.values.shape[1] == stab.config.tokens_per_frame(2, 3)
    want = fast_forward(stab, pixels, boxes, windows)
    assert_same([v[m] for v, m in zip(small.values, small.mask, strict=True)], want)


def test_bytes_equal_normalised_floats() -> None:
    stab = make("ours")
    raw = torch.randint(0, 256, (4, 3, 32, 24), dtype=torch.uint8)
    mean, std = (torch.tensor(x, dtype=torch.float64).view(3, 1, 1) for x in (CLIP_MEAN, CLIP_STD))
    boxes, windows = full_boxes(4), torch.tensor([[0, 1, 2, 3]])
    want = fast_forward(stab, (raw.double() / 255 - mean) / std, boxes, windows)
    assert_same(fast_forward(stab, raw, boxes, windows), want, tolerance=1e-5)  # mean and deviation are float32 buffers


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("windows", [[[0, 1, 2, 3]], [[0, 1, 2, -1], [3, -1, -1, -1]], [[0], [1], [2], [3]]], ids=str)
def test_nothing_is_read_back_from_the_device(kind: str, windows: list[list[int]]) -> None:
    stab = make(kind).to("meta").train()
    pixels = torch.empty(4, 3, 32, 24, device="meta", dtype=torch.float64)
    out = stab(pixels, full_boxes(4).to("meta"), torch.tensor(windows, device="meta"))
    assert out.values.device.type == "meta"
    assert out.values.shape == (4, stab.config.tokens_per_frame(4, 3), 24)


@pytest.mark.parametrize("mode", ["weights", "autocast"])
@pytest.mark.parametrize("config", [StabConfig.paper(), StabConfig.of_size("nano")], ids=["paper", "nano"])
def test_bfloat16_is_close_to_float32(config: StabConfig, mode: str) -> None:
    """Root mean square error below 2 % of the tokens' root mean square; bfloat16 rounds by up to 0.4 % each time."""
    torch.manual_seed(0)
    stab = Stab(config).eval()
    pixels, windows = torch.randn(4, 3, 112, 112), torch.tensor([[0, 1, 2, 3]])
    side = 112 // config.patch_px
    boxes = full_boxes(4, side, side)
    with torch.no_grad():
        want = stab(pixels, boxes, windows).values
        if mode == "weights":
            got = stab.bfloat16()(pixels.bfloat16(), boxes, windows).values
            assert got.dtype == torch.bfloat16
        else:
            with torch.autocast("cpu", torch.bfloat16):
                got = stab(pixels, boxes, windows).values
    error = (got.float() - want).square().mean().sqrt() / want.square().mean().sqrt()
    assert error < 0.02


def test_autocast_trains() -> None:
    stab = make("ours", torch.float32).train()
    pixels, boxes = inputs(5)
    with torch.autocast("cpu", torch.bfloat16):
        tokens = fast_forward(stab, pixels.float(), boxes, torch.tensor(stab.config.windows([5])))
    torch.cat(tokens).float().square().mean().backward()
    without = {n for n, p in stab.named_parameters() if p.grad is None}
    assert not without, "data-parallel training waits for the gradient of every parameter"
    # The bias of GSTRA's key adds the same to every score of a softmax: its gradient is rounding, or nothing.
    assert {n for n, p in stab.named_parameters() if not p.grad.any()} <= {"video.key.bias"}
