"""Loading released weights, the original's chunks of frames, and its content boxes."""

import functools

import golden
import numpy as np
import pytest
import torch

from longpanda.errors import LongPandaError, ModelError
from longpanda.model.configuration import StabConfig
from longpanda.model.legacy import chunk_windows, content_boxes, load_projector, load_tower, reference_tokens
from longpanda.model.stab import Stab


@functools.cache
def tower() -> dict[str, np.ndarray]:
    return golden.tower_state_dict()


@pytest.fixture(scope="module")
def stab() -> Stab:
    torch.set_num_threads(1)
    return Stab(StabConfig.paper()).eval()


def clip(videos: int, frames: int, height: int = 84, width: int = 112) -> tuple[np.ndarray, np.ndarray]:
    pixels = golden.normal("input:legacy", (videos, frames, 3, height, width))
    return pixels, np.ones((videos, frames, height, width), np.float32)


def test_every_weight_arrives(stab: Stab) -> None:
    load_tower(stab, tower())
    packed = torch.from_numpy(tower()["dec.attn.in_proj_weight"])
    assert torch.equal(torch.cat([stab.video.query.weight, stab.video.key.weight, stab.video.value.weight]), packed)
    assert torch.equal(stab.local.batch_norm.running_var, torch.from_numpy(tower()["lmhra1.pos_embed.0.running_var"]))
    assert torch.equal(stab.downsample.value.weight, torch.from_numpy(tower()["local_attention.kv.1.weight"][1024:]))
    loaded = [tensor.double().sum() for key, tensor in stab.state_dict().items() if "batches_tracked" not in key]
    used = [array for key, array in tower().items() if "lmhra2" not in key and "batches_tracked" not in key]
    want = sum(array.sum(dtype=np.float64) for array in used)
    assert float(sum(loaded)) == pytest.approx(want, rel=1e-6)


@pytest.mark.parametrize("prefix", ["model.video_tower.", "model.vision_tower."])
def test_whole_checkpoints_are_accepted_under_either_name(stab: Stab, prefix: str) -> None:
    checkpoint: dict[str, object] = {prefix + key: torch.from_numpy(array) for key, array in tower().items()}
    checkpoint |= {"lm_head.weight": torch.zeros(2, 2), "model.video_teacher.video_tower.x": torch.zeros(1)}
    torch.nn.init.zeros_(stab.balance)
    load_tower(stab, checkpoint)
    assert torch.equal(stab.balance, torch.from_numpy(tower()["balance"]))


def test_the_unused_branch_may_be_missing(stab: Stab) -> None:
    load_tower(stab, {key: array for key, array in tower().items() if not key.startswith("lmhra2")})


def test_missing_and_unexpected_keys_are_named(stab: Stab) -> None:
    state = dict(tower())
    state["dpe.wieght"] = state.pop("dpe.weight")
    with pytest.raises(ModelError, match=r"missing keys \['dpe.weight'\] and unexpected keys \['dpe.wieght'\]"):
        load_tower(stab, state)


def test_wrong_shapes_are_named_and_nothing_is_loaded(stab: Stab) -> None:
    state = dict(tower()) | {"balance": np.zeros(512, np.float32), "class_embedding": np.zeros(1024, np.float32)}
    before = stab.frame_query.clone()
    with pytest.raises(ModelError, match=r"'balance' \[512\].*\[1024\]"):
        load_tower(stab, state)
    assert torch.equal(stab.frame_query, before)


def test_a_tower_of_other_width_is_refused(stab: Stab) -> None:
    with pytest.raises(ModelError, match="wrong shapes"):
        load_tower(Stab(StabConfig(**StabConfig.paper().to_diff_dict() | {"width": 64})), tower())


@pytest.mark.parametrize("prefix", ["", "model.video_projector.", "model.mm_projector."])
def test_projector_is_sized_by_its_weights(prefix: str) -> None:
    state = {prefix + key: array for key, array in golden.projector_state_dict(32, 48).items()}
    projector = load_projector(state)
    got = projector(torch.ones(1, 32)).detach().numpy()
    first = np.ones((1, 32)) @ state[prefix + "0.weight"].T + state[prefix + "0.bias"]
    gelu = torch.nn.functional.gelu(torch.from_numpy(first)).numpy()
    assert got == pytest.approx(gelu @ state[prefix + "2.weight"].T + state[prefix + "2.bias"], abs=1e-5)


@pytest.mark.parametrize("change", [{"0.weight": np.zeros(3)}, {"2.bias": np.zeros(3)}, {"4.weight": np.zeros((2, 2))}])
def test_other_projectors_are_refused(change: dict[str, np.ndarray]) -> None:
    with pytest.raises(ModelError):
        load_projector(golden.projector_state_dict(32, 48) | change)


@pytest.mark.parametrize(
    ("frames", "shape"),
    [(1, (1, 1)), (4, (1, 4)), (6, (1, 6)), (7, (1, 7)), (8, (2, 4)), (10, (2, 5)), (15, (3, 5)), (25, (5, 5))],
)
def test_chunks_follow_the_original(frames: int, shape: tuple[int, int]) -> None:
    windows = chunk_windows(frames)
    assert windows.shape == shape
    assert windows.flatten().tolist() == list(range(frames))


@pytest.mark.parametrize("frames", [2, 3, 9, 11, 14])
def test_lengths_that_the_original_cannot_chunk_are_refused(frames: int) -> None:
    with pytest.raises(LongPandaError, match=f"{frames} frames"):
        reference_tokens(tower(), *clip(1, frames))


def test_no_information_crosses_a_chunk() -> None:
    pixels, mask = clip(1, 8)
    whole, _ = reference_tokens(tower(), pixels, mask)
    second, _ = reference_tokens(tower(), pixels[:, 4:], mask[:, 4:])
    for got, want in zip(whole[4:], second, strict=True):
        np.testing.assert_allclose(got, want, atol=1e-5)


def test_several_videos_equal_one_by_one_and_tensors_equal_arrays() -> None:
    pixels, mask = clip(2, 4)
    mask[1, :, :28] = 0
    mask[0, 2, :, 56:] = 0  # boxes may differ from frame to frame
    tokens, grids = reference_tokens(tower(), torch.from_numpy(pixels), torch.from_numpy(mask).bool())
    assert grids == [[3, 4], [3, 4], [3, 2], [3, 4]] + [[2, 4]] * 4
    assert [len(frame) for frame in tokens] == [1 + h * (w + 1) for h, w in grids]
    alone = [frame for i in range(2) for frame in reference_tokens(tower(), pixels[i : i + 1], mask[i : i + 1])[0]]
    for got, want in zip(tokens, alone, strict=True):
        np.testing.assert_allclose(got, want, atol=1e-5)


@pytest.mark.parametrize(("height", "width", "grid"), [(448, 448, [16, 16]), (100, 230, [3, 8]), (70, 98, [2, 3])])
def test_other_frame_sizes_drop_what_fills_no_window(height: int, width: int, grid: list[int]) -> None:
    tokens, grids = reference_tokens(tower(), *clip(1, 1, height, width))
    assert grids == [grid]
    assert tokens[0].dtype == np.float32
    assert tokens[0].shape == (1 + grid[0] * (grid[1] + 1), 1024)


def test_whole_checkpoints_with_projector() -> None:
    checkpoint = {f"model.video_tower.{key}": array for key, array in tower().items()}
    checkpoint |= {f"model.mm_projector.{key}": array for key, array in golden.projector_state_dict().items()}
    pixels, mask = clip(1, 1)
    got, _ = reference_tokens(checkpoint, pixels, mask, checkpoint)
    want, _ = reference_tokens(tower(), pixels, mask, golden.projector_state_dict())
    assert got[0].shape == (1 + 3 * 5, 4096)
    assert np.array_equal(got[0], want[0])


def boxes_of(mask: np.ndarray) -> list[int]:
    return content_boxes(torch.from_numpy(mask)[None], 14)[0].tolist()


def test_a_partly_covered_patch_is_content() -> None:
    mask = np.zeros((112, 112), np.float32)
    mask[15:70, 27:57] = 1
    assert boxes_of(mask) == [1, 5, 1, 5]


@pytest.mark.parametrize(("side", "box"), [(448, [0, 16, 0, 16]), (112, [0, 8, 0, 8])])
def test_a_frame_without_content_has_the_top_left_square(side: int, box: list[int]) -> None:
    assert boxes_of(np.zeros((side, side), np.float32)) == box


def test_boxes_run_from_the_first_to_the_last_patch_in_reading_order() -> None:
    mask = np.zeros((112, 112), np.float32)
    mask[14:28, 14:28] = mask[28:98, 0:112] = 1  # the first patch stands in column 1, though later rows begin in 0
    assert boxes_of(mask) == [1, 7, 1, 8]


def test_less_than_one_window_of_content_is_refused() -> None:
    pixels, mask = clip(1, 1)
    mask[..., 14:, :] = 0
    with pytest.raises(LongPandaError, match="at least 2 x 2 patches"):
        reference_tokens(tower(), pixels, mask)


def test_a_mask_left_in_the_frames_is_refused() -> None:
    pixels, mask = clip(1, 4)
    with pytest.raises(LongPandaError, match="mask separately from the three colours"):
        reference_tokens(tower(), np.concatenate([pixels, mask[:, :, None]], 2), mask)


def test_a_mask_of_another_size_is_refused() -> None:
    pixels, mask = clip(1, 4)
    with pytest.raises(LongPandaError, match=r"mask \[1, 4, 84, 56\]"):
        reference_tokens(tower(), pixels, mask[..., :56])
