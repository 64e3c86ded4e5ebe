"""Positions as in a long prompt for clips that are short: what a language model has never seen, it does not attend to.

Skips before some of the written times (as PoSE does between chunks, Zhu et al., 2309.10400) show it distances of tens
of thousands of tokens at the price of hundreds. Within a stretch, and from a question to its answer, nothing changes.
"""

import zlib
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from longpanda.shapes import Int
from longpanda.types import Example

MOST_SKIPS = 8


def from_mask(attention_mask: Int[Tensor, "B L"]) -> Int[Tensor, "B L"]:
    """The position_ids that a language model gives to rows padded on the right, 0 for padding."""
    return (attention_mask.cumsum(1) - 1) * attention_mask


def spread(
    position_ids: Int[Tensor, "B L"],
    input_ids: Int[Tensor, "B L"],
    examples: Sequence[Example],
    placeholder_id: int,
    positions: int,
) -> Int[Tensor, "B L"]:
    """Positions with 1 to 8 random skips between stretches of frames, in three of four examples.

    The skips follow from the times of an example's frames alone, so that a resumed run sees the same.

    Args:
        position_ids: of a batch of examples.
        input_ids: of the same.
        examples: what the rows were made of.
        placeholder_id: stands for visual tokens.
        positions: the most that there are: the last one of a row may come anywhere up to here.
    """
    rows = zip(position_ids, input_ids == placeholder_id, examples, strict=True)
    return torch.stack([_skipped(ids, visual, example, positions) for ids, visual, example in rows])


def _skipped(ids: Int[Tensor, " L"], visual: Tensor, example: Example, positions: int) -> Int[Tensor, " L"]:
    """One row. Stretches begin where a visual token is followed by text that is followed by visual tokens."""
    rng = np.random.Generator(np.random.PCG64((0x905E, zlib.crc32(example.clip.pts_seconds.tobytes()))))
    shown = visual.nonzero().flatten()
    starts = ids[shown[:-1][shown.diff() > 1] + 1].tolist()
    room = positions - 1 - int(ids.max())
    if not starts or room < 1 or rng.random() < 1 / 4:
        return ids
    count = int(rng.integers(1, min(MOST_SKIPS, len(starts)) + 1))
    chosen = np.sort(rng.choice(starts, count, replace=False))
    shares = np.diff(np.sort(rng.random(count)), prepend=0.0)
    skips = (shares * rng.random() * room).astype(np.int64)
    table = np.zeros(int(ids.max()) + 1, np.int64)
    table[chosen] = skips
    return ids + torch.from_numpy(table.cumsum())[ids]
