"""Blocks of tokens that do not see each other: block ids [B, L] as the mask that an attention implementation reads.

Block 0 is shared: every later token sees it. A token of another block sees block 0 and the earlier tokens of its own.
Padding has a block of its own, -1, behind all others.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask

from longpanda.shapes import Bool, Int

TILE = 128
"""Queries and keys that flex attention works on at once."""


def dense_mask(blocks: Int[Tensor, "B L"]) -> Bool[Tensor, "B 1 L L"]:
    """Which tokens see which, as scaled dot product attention reads it: memory grows with the square of L."""
    length = blocks.shape[1]
    seen = (blocks[:, :, None] == blocks[:, None, :]) | (blocks[:, None, :] == 0)
    causal = torch.ones(length, length, dtype=torch.bool, device=blocks.device).tril()
    return (seen & causal)[:, None]


def additive_mask(blocks: Int[Tensor, "B L"], dtype: torch.dtype) -> Tensor:
    """The same [B, 1, L, L] as eager attention reads it: added to the scores."""
    seen = dense_mask(blocks)
    return torch.zeros_like(seen, dtype=dtype).masked_fill_(~seen, torch.finfo(dtype).min)


class _Seen:
    """Which key a query sees, for flex attention, which calls this with numbers of a batch row, a head and tokens."""

    def __init__(self, blocks: Int[Tensor, "B L"]) -> None:
        self._blocks = blocks

    def __call__(self, row: Tensor, _head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        """Whether the query sees the key."""
        own = self._blocks[row, key]
        return (query >= key) & ((own == 0) | (own == self._blocks[row, query]))


def flex_mask(blocks: Int[Tensor, "B L"]) -> BlockMask:
    """The same for flex attention: only the tiles of `TILE` tokens in which something is seen.

    Tiles are judged by the smallest and the largest block of their tokens, so that nothing of the size L x L is made.
    A tile that may hold something is looked at token by token; one that is seen as a whole is not.
    """
    length = blocks.shape[1]
    missing = -length % TILE
    tiles = torch.nn.functional.pad(blocks, (0, missing), value=-1).view(len(blocks), -1, TILE)
    least, most = tiles.amin(-1), tiles.amax(-1)  # [B, tiles]
    place = torch.arange(tiles.shape[1], device=blocks.device)
    before, here = place[:, None] > place, place[:, None] == place
    shares_key = (tiles == 0).any(-1)[:, None, :]
    meets = (most[:, :, None] >= least[:, None, :]) & (least[:, :, None] <= most[:, None, :])
    some = (before | here) & (meets | shares_key)
    one_block = (least[:, :, None] == most[:, :, None]) & (least[:, None, :] == most[:, None, :])
    same = one_block & (least[:, :, None] == least[:, None, :])
    is_shared = (tiles == 0).all(-1)[:, None, :]
    whole = before & (same | is_shared)
    if missing:  # tokens that are not there are seen by none
        whole[:, -1, :] = whole[:, :, -1] = False
    partial = _listed(some & ~whole)
    return BlockMask.from_kv_blocks(
        *partial, *_listed(whole), BLOCK_SIZE=TILE, mask_mod=_Seen(blocks), seq_lengths=(length, length)
    )


def _listed(tiles: Bool[Tensor, "B q k"]) -> tuple[Tensor, Tensor]:
    """For each row of tiles, how many are chosen [B, 1, q] and which, those first [B, 1, q, k]."""
    chosen = tiles[:, None].int()
    return chosen.sum(-1, dtype=torch.int32), chosen.argsort(dim=-1, descending=True, stable=True).int()


def readable(blocks: Int[Tensor, "B L"], attention: str, dtype: torch.dtype) -> Any | None:
    """Block ids as an attention implementation of transformers reads them; None where it reads nothing of the kind."""
    match attention:
        case "sdpa":
            return dense_mask(blocks)
        case "eager":
            return additive_mask(blocks, dtype)
        case "flex_attention":
            return flex_mask(blocks)
    return None
