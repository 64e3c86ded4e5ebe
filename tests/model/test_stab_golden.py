"""Both forms of STAB against outputs of the original Video-Panda code (recipe and tolerances in golden.py)."""

import functools

import golden
import numpy as np
import pytest
import torch

from longpanda.model.configuration import StabConfig
from longpanda.model.legacy import chunk_windows, content_boxes, grid_of, load_tower, reference_tokens
from longpanda.model.stab import Stab
from longpanda.model.stab_reference import reference_forward

CASES = {
    "c1_b1t4_full": ("c1", 4, None),
    "c1_mlp2x_gelu": ("c1", 4, None),
    "c2_b1t4_252x448": ("c2", 4, (84, 336, 0, 448)),
    "c3_b1t8_chunked": ("c3", 8, None),
    "c4_t1_image": ("c4", 1, None),
    "c4_mlp2x_gelu": ("c4", 1, None),
    "c4z_t1_zero_mask": ("c4z", 1, None),
}


@functools.cache
def tower() -> dict[str, np.ndarray]:
    return golden.tower_state_dict()


def case_input(case: str) -> tuple[np.ndarray, np.ndarray]:
    name, frames, box_px = CASES[case]
    pixels, mask = golden.frames(name, frames, box_px)
    return pixels, mask * 0 if "zero_mask" in case else mask


def assert_golden(case: str, outputs: list[np.ndarray], grids: list[list[int]]) -> None:
    worst = golden.errors(case, outputs, grids)
    assert all(error <= golden.TOLERANCES[key] for key, error in worst.items()), worst


def test_the_recipe_rebuilds_the_published_arrays() -> None:
    pixels, mask = golden.frames("c2", 4, (84, 336, 0, 448))
    projector = golden.projector_state_dict()
    assert golden.digest(tower()) == "152700e7869a1d0d3c0feabf0d8bf9291ddb27eed5cc4a75bd69d67832c92388"
    assert golden.digest(projector) == "a2197ccff41c97d35d99a48c8b084e615b6eb134e1a066fe3238706b79c1a8f0"
    frames = np.concatenate([pixels, mask[:, :, None]], 2)
    assert golden.digest({"c2": frames}) == "648261f1e68e6155f5e54925f88a532efbfad4eb6f1f0c57157a4d12acd6f13f"


@pytest.mark.parametrize("case", CASES)
def test_fast_form_agrees_with_the_original(case: str) -> None:
    projector = golden.projector_state_dict() if "mlp2x" in case else None
    assert_golden(case, *reference_tokens(tower(), *case_input(case), projector))


@pytest.mark.parametrize("case", ["c2_b1t4_252x448", "c3_b1t8_chunked", "c4z_t1_zero_mask"])
def test_plain_form_agrees_with_the_original(case: str) -> None:
    pixels, mask = (torch.from_numpy(array[0]) for array in case_input(case))
    stab = Stab(StabConfig.paper()).eval()
    load_tower(stab, tower())
    boxes = content_boxes(mask, stab.config.patch_px)
    with torch.no_grad():
        tokens = reference_forward(stab, pixels, boxes, chunk_windows(len(pixels)))
    assert_golden(case, [frame.numpy() for frame in tokens], grid_of(boxes).tolist())


def test_a_wrong_token_fails_the_comparison() -> None:
    pixels, mask = case_input("c4z_t1_zero_mask")
    state = dict(tower())
    state["split_embedding"] = state["split_embedding"] + np.float32(1e-3)
    worst = golden.errors("c4z_t1_zero_mask", *reference_tokens(state, pixels, mask))
    assert worst["full"] > golden.TOLERANCES["full"]
