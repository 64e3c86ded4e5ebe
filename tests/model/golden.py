"""The recipe of the golden files: weights and inputs rebuilt from names and shapes, and the comparison."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

FIXTURES = Path(__file__).parents[1] / "fixtures" / "stab"
MEAN = np.array([0.48145466, 0.4578275, 0.40821073])
STD = np.array([0.26862954, 0.26130258, 0.27577711])
LETTERBOX = (((MEAN * 255).astype(np.int64) / 255.0 - MEAN) / STD).astype(np.float32)
TOLERANCES = {"cls": 1e-4, "rows": 1e-4, "full": 1e-4, "l2": 1e-3, "sketch": 2e-3}
"""Largest absolute difference per array, for float32 against the float32 original."""


def normal(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Standard normal float32 numbers that depend on `name` alone."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
    count = int(np.prod(shape, dtype=np.int64))
    return np.random.Generator(np.random.PCG64(seed)).standard_normal(count, dtype=np.float32).reshape(shape)


def weight(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The array of one state-dict key of the original."""
    leaf = name.rsplit(".", 1)[-1]
    if leaf == "num_batches_tracked":
        return np.zeros((), np.int64)
    noise = normal(name, shape)
    if leaf == "running_mean" or leaf.endswith("bias"):
        return np.float32(0.02) * noise
    if leaf == "running_var":
        return np.float32(1) + np.abs(np.float32(0.1) * noise)
    if not leaf.endswith("weight"):
        return noise
    if len(shape) == 1:
        return np.float32(1) + np.float32(0.02) * noise
    return noise * np.float32(int(np.prod(shape[1:])) ** -0.5)


def tower_state_dict() -> dict[str, np.ndarray]:
    """All keys of the original's tower, `lmhra2` included."""
    shapes = json.loads((FIXTURES / "tower_shapes.json").read_text())
    return {name: weight(name, tuple(shape)) for name, (shape, _) in shapes.items()}


def projector_state_dict(visual_width: int = 1024, model_width: int = 4096) -> dict[str, np.ndarray]:
    """The original's mlp2x_gelu projector."""
    shapes: dict[str, tuple[int, ...]] = {
        "0.weight": (model_width, visual_width),
        "0.bias": (model_width,),
        "2.weight": (model_width, model_width),
        "2.bias": (model_width,),
    }
    return {name: weight(f"video_projector.{name}", shape) for name, shape in shapes.items()}


def frames(name: str, time: int, box_px: tuple[int, int, int, int] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Pixels [1, T, 3, 448, 448] with the letterbox's colour outside the box, and the mask [1, T, 448, 448]."""
    pixels = normal(f"input:{name}", (1, time, 3, 448, 448))
    row0, row1, column0, column1 = box_px or (0, 448, 0, 448)
    mask = np.zeros((1, time, 448, 448), np.float32)
    mask[..., row0:row1, column0:column1] = 1
    return np.where(mask[:, :, None] > 0, pixels, LETTERBOX[:, None, None]), mask


def digest(arrays: dict[str, np.ndarray]) -> str:
    """sha256 over the arrays' bytes in the order of their sorted keys."""
    state = hashlib.sha256()
    for _, array in sorted(arrays.items()):
        state.update(np.ascontiguousarray(array).tobytes())
    return state.hexdigest()


def errors(case: str, outputs: list[np.ndarray], grids: list[list[int]]) -> dict[str, float]:
    """Largest absolute difference to each array of a golden file; AssertionError for other token counts or grids."""
    want: dict[str, Any] = load_file(FIXTURES / f"{case}.safetensors")
    assert [len(frame) for frame in outputs] == want["lens"].tolist()
    assert grids == want["hw"].tolist()
    tokens = np.concatenate(outputs)
    every = 64 if case.endswith("mlp2x_gelu") else 16
    exact = tokens.astype(np.float64)
    got = {
        "cls": np.stack([frame[0] for frame in outputs]),
        "rows": tokens[::every],
        "l2": np.linalg.norm(exact, axis=1),
        "sketch": exact @ normal(f"sketch.{tokens.shape[1]}x32", (tokens.shape[1], 32)).astype(np.float64),
        "full": tokens,
    }
    return {key: float(np.abs(got[key] - want[key]).max()) for key in TOLERANCES if key in want}
