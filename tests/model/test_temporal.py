"""The temporal compressor: streamed, appended, batched, cropped alike; nothing of what is to come; how many tokens."""

import copy
import math
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from longpanda.errors import ConfigError
from longpanda.model import temporal
from longpanda.model.configuration import LongPandaConfig, StabConfig, TemporalConfig
from longpanda.model.modeling import LongPandaForConditionalGeneration
from longpanda.model.pooling import SpatialPool, windows_of
from longpanda.model.temporal import TemporalCompressor
from longpanda.model.tokens import ClipTokens, CompressorState, TokenGroups

SIZES = {"width": 24, "layers": 2, "state_width": 6, "head_width": 6, "chunk": 8, "grid": (2, 2), "pool_frames": 3}
KINDS = {
    "mean": {"spatial": "mean"},
    "learned": {"pooling": "learned", "frame_token": True},
    "cells as they are": {"grid": None, "pool_frames": 1},
    "pooling alone": {"layers": 0, "pooling": "learned"},
}
TEXT = {"model_type": "llama", "vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1}
TEXT |= {"num_attention_heads": 2, "num_key_value_heads": 2}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def make(kind: str = "learned", **changes: object) -> TemporalCompressor:
    """A small compressor whose every parameter is random, so that no term hides."""
    torch.manual_seed(0)
    compressor = TemporalCompressor(TemporalConfig(**SIZES | KINDS[kind] | changes)).double().eval()
    for parameter in compressor.parameters():
        parameter.data.copy_(0.4 * torch.randn_like(parameter))
    return compressor


def clip(frames: int = 14, rows: int = 3, columns: int = 4, seed: int = 0) -> ClipTokens:
    """Random tokens at irregular times."""
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(frames, 1 + rows * columns, 24, generator=generator, dtype=torch.float64)
    seconds = 5 + torch.rand(frames, generator=generator, dtype=torch.float64).mul(4).cumsum(0)
    return ClipTokens(values, (rows, columns), seconds)


def streamed(compressor: TemporalCompressor, given: ClipTokens, cuts: list[int]) -> TokenGroups:
    """The whole of a clip given in pieces, its state written to tensors and read back after each."""
    state, done = None, []
    for start, end in pairwise([0, *cuts, len(given.seconds)]):
        groups, state = compressor.compress(given.piece(start, end), state)
        state = CompressorState.from_tensors(state.to_tensors())
        done.append(groups)
    if (rest := compressor.tail(state)) is not None:
        done.append(rest)
    return TokenGroups(torch.cat([one.values for one in done]), torch.cat([one.spans_seconds for one in done]))


def assert_same(got: TokenGroups, want: TokenGroups, tolerance: float = 1e-10) -> None:
    torch.testing.assert_close(got.values, want.values, rtol=tolerance, atol=tolerance)
    assert torch.equal(got.spans_seconds, want.spans_seconds)


@pytest.mark.parametrize("cuts", [[1], [6], [2, 3, 4, 11], list(range(1, 14))], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_pieces_equal_the_whole(kind: str, cuts: list[int]) -> None:
    compressor = make(kind)
    with torch.no_grad():
        want = compressor.forward([clip()])[0]
        assert_same(compressor.whole(clip()), want)
        assert_same(streamed(compressor, clip(), cuts), want)


def test_memory_is_bounded_by_pieces_that_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    compressor, want, lengths = make(), make().whole(clip()), []
    monkeypatch.setattr(temporal, "PIECE_TOKENS", 4 * 13)
    for block in compressor.blocks:
        block.register_forward_pre_hook(lambda _, given: lengths.append(given[0].shape[1]))
    assert_same(compressor.whole(clip()), want)
    assert max(lengths) == 4 * 5


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_of_pieces_are_those_of_the_whole(kind: str) -> None:
    compressor = make(kind)
    found = []
    for groups in (compressor.forward([clip()])[0], compressor.whole(clip())):
        used = [parameter for parameter in compressor.parameters() if parameter.requires_grad]
        found.append(torch.autograd.grad(groups.values.square().sum(), used, allow_unused=True) if used else ())
    for got, want in zip(*found, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("direction", ["causal", "bidirectional"])
def test_clips_in_a_batch_equal_clips_one_by_one(direction: str) -> None:
    compressor = make(direction=direction)
    clips = [clip(7), clip(5, 2, 4, seed=1), clip(7, seed=2), clip(1), clip(5, 2, 4, seed=3), clip(4, 1, 1)]
    together = compressor.forward(clips)
    for got, one in zip(together, clips, strict=True):
        assert_same(got, compressor.whole(one))
    assert [len(one.values) for one in together] == [3, 2, 3, 1, 2, 2]


def test_frames_to_come_change_nothing() -> None:
    compressor, given = make(pool_frames=1), clip()
    changed = ClipTokens(torch.cat([given.values[:9], -given.values[9:]]), given.grid, given.seconds)
    before, after = (compressor.forward([one])[0].values for one in (given, changed))
    torch.testing.assert_close(after[:9], before[:9], rtol=1e-10, atol=1e-10)
    assert (after[9:] - before[9:]).abs().amax((1, 2)).min() > 1e-3


def test_bidirectional_sees_frames_to_come_and_reads_alike_both_ways() -> None:
    compressor, given = make(pool_frames=1, direction="bidirectional", frame_token=False, grid=None), clip(6, 1, 1)
    changed = ClipTokens(torch.cat([given.values[:5], -given.values[5:]]), given.grid, given.seconds)
    before, after = (compressor.whole(one).values for one in (given, changed))
    assert (after[0] - before[0]).abs().max() > 1e-4
    mirrored = copy.deepcopy(compressor)
    mirrored.blocks, mirrored.backward_blocks = compressor.backward_blocks, compressor.blocks
    back = ClipTokens(given.values.flip(0), given.grid, 20 - given.seconds.flip(0))
    torch.testing.assert_close(mirrored.whole(back).values.flip(0), before, rtol=1e-10, atol=1e-10)


def test_bidirectional_refuses_to_stream_and_names_causal() -> None:
    with pytest.raises(ConfigError, match="direction='causal'"):
        make(direction="bidirectional").compress(clip())


def test_the_tail_changes_nothing() -> None:
    compressor = make()
    _, state = compressor.compress(clip().piece(0, 5))
    before = {name: tensor.clone() for name, tensor in state.to_tensors().items()}
    first, second = compressor.tail(state), compressor.tail(state)
    assert first is not None
    assert second is not None
    assert_same(first, second, tolerance=0)
    assert all(torch.equal(tensor, before[name]) for name, tensor in state.to_tensors().items())
    assert first.spans_seconds.tolist() == [clip().seconds[[3, 4]].tolist()]
    assert compressor.tail(compressor.compress(clip().piece(0, 6))[1]) is None


def test_a_state_on_disk_is_the_state(tmp_path: Path) -> None:
    compressor = make()
    _, state = compressor.compress(clip().piece(0, 8))
    save_file(state.to_tensors(), tmp_path / "state.safetensors")
    loaded = CompressorState.from_tensors(load_file(tmp_path / "state.safetensors"))
    assert loaded.last_second == float(clip().seconds[7])
    rest = clip().piece(8, 14)
    got, want = compressor.compress(rest, loaded)[0], compressor.compress(rest, state)[0]
    assert_same(got, want, tolerance=0)


def test_a_state_is_as_large_after_many_frames_as_after_few() -> None:
    compressor, state, sizes = make(), None, []
    for seed in range(4):
        given = clip(6, seed=seed)
        _, state = compressor.compress(ClipTokens(given.values, given.grid, given.seconds + 100 * seed), state)
        sizes.append(sum(tensor.numel() for tensor in state.to_tensors().values()))
    assert len(set(sizes)) == 1


def test_the_moment_at_which_a_stream_begins_does_not_matter_but_its_gaps_do() -> None:
    compressor, given = make(pool_frames=1), clip()
    want = compressor.whole(given).values
    later = compressor.whole(ClipTokens(given.values, given.grid, given.seconds + 3600)).values
    torch.testing.assert_close(later, want, rtol=1e-8, atol=1e-8)
    pause = given.seconds + 3600.0 * (torch.arange(14) >= 7)
    after = compressor.whole(ClipTokens(given.values, given.grid, pause)).values
    torch.testing.assert_close(after[:7], want[:7], rtol=1e-10, atol=1e-10)
    assert (after[7] - want[7]).abs().max() > 1e-3


def test_seconds_count_in_the_configured_unit() -> None:
    given = clip()
    minutes = ClipTokens(given.values, given.grid, given.seconds * 60)
    want, got = make().whole(given).values, make(reference_seconds=60.0).whole(minutes).values
    torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("split_tokens", [False, True])
def test_padding_and_row_ends_change_nothing(kind: str, split_tokens: bool) -> None:
    compressor, given = make(kind), clip(5, 2, 3)
    extra = 1 + int(split_tokens)
    padded = torch.full((5, 3, 4 + extra - 1, 24), torch.nan, dtype=torch.float64)
    padded[:, :2, :3] = given.values[:, 1:].view(5, 2, 3, 24)
    mask = torch.zeros(5, 3, 4 + extra - 1, dtype=torch.bool)
    mask[:, :2, :3] = True
    values, mask = torch.cat([given.values[:, :1], padded.flatten(1, 2)], 1), mask.flatten(1)
    framed = ClipTokens(values, (3, 4), given.seconds, torch.cat([torch.ones(5, 1, dtype=torch.bool), mask], 1))
    assert_same(compressor.whole(framed), compressor.whole(given))


@pytest.mark.parametrize(
    ("fields", "cells", "tokens"),
    [
        ({"width": 192, "grid": (2, 2)}, (3, 3), 4),
        ({"width": 192, "grid": (1, 1)}, (3, 3), 1),
        ({"width": 192, "grid": (1, 1), "pool_frames": 4}, (3, 3), 0.25),
        ({"width": 192, "grid": None, "frame_token": True}, (3, 3), 10),
        ({"width": 192, "grid": (4, 4)}, (3, 3), 9),
        ({"grid": (4, 4)}, (16, 16), 16),
        ({"grid": (4, 4)}, (9, 16), 16),
        ({"grid": (4, 4), "pool_frames": 4}, (16, 16), 4),
        ({"grid": (4, 4), "frame_token": True, "pool_frames": 4}, (9, 16), 17 / 4),
    ],
)
def test_tokens_per_frame(fields: dict[str, object], cells: tuple[int, int], tokens: float) -> None:
    config = TemporalConfig(layers=0, **fields)
    values = torch.zeros(8, 1 + cells[0] * cells[1], config.width)
    groups = TemporalCompressor(config).whole(ClipTokens(values, cells, torch.arange(8.0)))
    assert groups.values.shape == (-(-8 // config.pool_frames), config.tokens_per_group(*cells), config.width)
    assert groups.values[..., 0].numel() == 8 * tokens


def test_cells_that_were_never_pooled_are_pooled_by_their_mean_or_not_at_all() -> None:
    every = {"width": 192, "grid": None, "layers": 0}
    mean = TemporalCompressor(TemporalConfig(**every, spatial="mean"))
    assert mean.resized(mean.config.with_tokens_per_frame(4, 3, 3)).config.pooled_grid(3, 3) == (2, 2)
    with pytest.raises(ConfigError, match="4 tokens per frame for a compressor that keeps every cell"):
        TemporalConfig(**every, spatial="learned").with_tokens_per_frame(4, 3, 3)


def test_learned_weights_of_a_group_keep_it_at_every_rate() -> None:
    config = TemporalConfig(width=192, layers=0, grid=(2, 2), pool_frames=4, pooling="learned")
    for wanted in (0.25, 0.5, 1, 2.25):
        got = config.with_tokens_per_frame(wanted, 3, 3)
        assert got.pool_frames == 4
        assert got.tokens_per_group(3, 3) == 4 * wanted or wanted == 0.5
    with pytest.raises(ConfigError, match=r"0\.2 tokens per frame for .* groups of 4 frames with learned weights"):
        config.with_tokens_per_frame(0.2, 3, 3)


@pytest.mark.parametrize("tokens", [0.0, -1.0, 1e-320, math.inf, math.nan])
def test_rates_that_are_none_are_refused(tokens: float) -> None:
    with pytest.raises(ConfigError, match="tokens per frame; expected a number of at least 1/4096"):
        TemporalConfig(width=192).with_tokens_per_frame(tokens, 3, 3)


def test_a_new_compressor_is_its_poolings() -> None:
    given = clip()
    values = given.values.float()
    learned = TemporalCompressor(TemporalConfig(**SIZES | {"pooling": "learned", "frame_token": True}))
    mean = TemporalCompressor(TemporalConfig(**SIZES | {"layers": 0, "spatial": "mean", "frame_token": True}))
    got, want = (one.whole(ClipTokens(values, given.grid, given.seconds)) for one in (learned, mean))
    assert_same(got, want, tolerance=1e-6)


@pytest.mark.parametrize("cells", range(1, 20))
def test_every_cell_is_in_a_window(cells: int) -> None:
    for tokens in range(1, cells + 1):
        windows = windows_of(cells, tokens)
        assert len(windows) == tokens
        assert {len(window) for window in windows} == {-(-cells // tokens)}
        assert {cell for window in windows for cell in window} == set(range(cells))


def symbols_right(config: TemporalConfig, steps: int = 200) -> float:
    """The share of the 9 symbols on 3 x 3 cells that a linear map names from the pooled tokens, after some training."""
    torch.manual_seed(0)
    pool, width = SpatialPool(config), config.width
    pictures, head = torch.randn(6, width), nn.Linear(config.tokens_per_group(3, 3) * width, 9 * 6)
    optimizer = torch.optim.Adam([*pool.parameters(), *head.parameters()], lr=5e-3)
    for _ in range(steps):
        names = torch.randint(6, (128, 3, 3))
        shown: Tensor = head(pool(pictures[names]).flatten(1)).view(-1, 6)
        optimizer.zero_grad()
        nn.functional.cross_entropy(shown, names.flatten()).backward()
        optimizer.step()
    return float((shown.argmax(1) == names.flatten()).float().mean())


@pytest.mark.parametrize(("grid", "least", "most_of_mean"), [((2, 2), 0.98, 0.85), ((1, 1), 0.9, 0.5)])
def test_learned_pooling_keeps_what_the_mean_mixes_up(grid: tuple[int, int], least: float, most_of_mean: float) -> None:
    sizes = {"width": 48, "head_width": 6, "grid": grid}
    assert symbols_right(TemporalConfig(**sizes, spatial="learned")) > least
    assert symbols_right(TemporalConfig(**sizes, spatial="mean")) < most_of_mean


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"grid": (3, 5)}, "13 tokens per frame"),
        ({"seconds": torch.zeros(3, dtype=torch.float64)}, "3 times of 14 frames"),
        ({"values": torch.zeros(0, 13, 24), "seconds": torch.zeros(0)}, "without frames"),
        ({"seconds": torch.arange(14, 0, -1.0)}, "times .*14.0, 13.0"),
        ({"seconds": torch.full((14,), torch.nan)}, "nan"),
    ],
)
def test_frames_that_do_not_belong_together_are_refused(change: dict[str, object], found: str) -> None:
    given = clip()
    fields = {"values": given.values, "grid": given.grid, "seconds": given.seconds}
    with pytest.raises(ConfigError, match=found):
        ClipTokens(**fields | change)


def test_a_mask_that_is_no_picture_is_refused() -> None:
    given, mask = clip(), torch.ones(14, 13, dtype=torch.bool)
    mask[3, 12] = False
    with pytest.raises(ConfigError, match="one rectangle"):
        make().whole(ClipTokens(given.values, given.grid, given.seconds, mask))


def test_a_state_that_does_not_fit_is_refused() -> None:
    compressor = make()
    _, state = compressor.compress(clip(4))
    with pytest.raises(ConfigError, match="begin a new stream"):
        compressor.compress(clip(4), state)
    later = ClipTokens(clip(4).values, (3, 4), torch.arange(4.0) + 100)
    with pytest.raises(ConfigError, match="2 blocks; expected 3"):
        make(layers=3).compress(later, state)
    with pytest.raises(ConfigError, match="4 tokens after frames of 5"):
        make(frame_token=False).compress(later, state)
    with pytest.raises(ConfigError, match="a compressor's state of"):
        CompressorState.from_tensors({"frames": torch.tensor(1)})


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"spatial": "max"}, "spatial='max'"),
        ({"pooling": "meen"}, "did you mean 'mean'"),
        ({"direction": "both"}, "direction='both'"),
        ({"layers": -1}, "layers=-1"),
        ({"pool_frames": 0}, "pool_frames=0"),
        ({"width": 100}, "multiple of head_width"),
        ({"grid": (0, 2)}, r"grid=\(0, 2\)"),
        ({"reference_seconds": 0.0}, "reference_seconds=0.0"),
        ({"state_widht": 8}, "did you mean 'state_width'"),
    ],
)
def test_impossible_configurations_are_refused(fields: dict[str, object], found: str) -> None:
    with pytest.raises(ConfigError, match=found):
        TemporalConfig(**fields)


def test_the_width_is_stabs() -> None:
    config = LongPandaConfig(StabConfig.of_size("nano"), TEXT, temporal_config={"layers": 1})
    assert config.temporal_config is not None
    assert config.temporal_config.width == 192
    with pytest.raises(ConfigError, match="width 1024 behind a STAB of width 192"):
        LongPandaConfig(StabConfig.of_size("nano"), TEXT, temporal_config=TemporalConfig())


def test_a_model_with_a_compressor_is_saved_and_loaded_whole(tmp_path: Path) -> None:
    fields = {"layers": 1, "state_width": 8, "grid": (2, 2), "pool_frames": 2, "pooling": "learned"}
    model = LongPandaForConditionalGeneration(LongPandaConfig(StabConfig.of_size("nano"), TEXT, temporal_config=fields))
    torch.testing.assert_close(model.temporal.blocks[0].mixer.out_proj.weight, torch.zeros(192, 384))
    assert model.temporal.blocks[0].mixer.dt_bias.diff().max().item() < 0
    for parameter in model.temporal.parameters():
        parameter.data.normal_()
    model.save_pretrained(tmp_path)
    loaded = LongPandaForConditionalGeneration.from_pretrained(tmp_path)
    assert loaded.config.temporal_config.to_dict() | {"dtype": None} == model.config.temporal_config.to_dict()
    for (name, tensor), (_, want) in zip(loaded.state_dict().items(), model.state_dict().items(), strict=True):
        assert torch.equal(tensor, want), name
    assert LongPandaForConditionalGeneration(LongPandaConfig(StabConfig.of_size("nano"), TEXT)).temporal is None


def test_under_autocast_tokens_stay_close_and_keep_their_type() -> None:
    compressor, given = make().float(), clip()
    rounded = ClipTokens(given.values.float(), given.grid, given.seconds)
    want = compressor.whole(rounded).values
    with torch.autocast("cpu", torch.bfloat16):
        got = compressor.whole(rounded).values
    assert got.dtype == torch.float32
    assert (got - want).square().mean() < (0.03 * want.square().mean().sqrt()) ** 2


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_close(dtype: torch.dtype) -> None:
    """Root mean square error below 3 % of the tokens' root mean square, streamed and whole."""
    given, want = clip(), make().whole(clip()).values
    half = ClipTokens(given.values.to(dtype), given.grid, given.seconds)
    for got in (make().to(dtype).whole(half), streamed(make().to(dtype), half, [4, 9])):
        assert got.values.dtype == dtype
        assert (got.values.double() - want).square().mean() < (0.03 * want.square().mean().sqrt()) ** 2
