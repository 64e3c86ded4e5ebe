"""Positions of long prompts for short clips: a language model does not attend over distances it was not trained on.

Positions skip before some of the written times (as in PoSE between chunks, Zhu et al., 2309.10400). So training covers
distances of tens of thousands of tokens at the cost of hundreds. Distances within a stretch, and from a question to its
answer, do not change.
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
    """Return the position_ids that a language model gives to rows padded on the right, 0 for padding."""
    return (attention_mask.cumsum(1) - 1) * attention_mask


def spread(
    position_ids: Int[Tensor, "B L"],
    input_ids: Int[Tensor, "B L"],
    examples: Sequence[Example],
    placeholder_id: int,
    positions: int,
) -> Int[Tensor, "B L"]:
    """Add 1 to 8 random skips between stretches of frames, in three of four examples.

    The random seed is the times of an example's frames, so that a resumed run has the same skips.

    Args:
        position_ids: positions of a batch of examples.
        input_ids: ids of the same batch.
        examples: the examples of the rows.
        placeholder_id: id of the placeholder of visual tokens.
        positions: number of positions; the last token of a row may be anywhere below it.
    """
    rows = zip(position_ids, input_ids == placeholder_id, examples, strict=True)
    return torch.stack([_skipped(ids, visual, example, positions) for ids, visual, example in rows])


def _skipped(ids: Int[Tensor, " L"], visual: Tensor, example: Example, positions: int) -> Int[Tensor, " L"]:
    """Add skips to one row. A stretch begins at text between visual tokens."""
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
