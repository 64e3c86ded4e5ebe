"""Attention masks of blocks of tokens that do not see each other, made from block ids [B, L].

Block 0 is shared: every later token sees it. A token of another block sees block 0 and the earlier tokens of its own
block. Padding is block -1, after all others.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask

from longpanda.shapes import Bool, Int

TILE = 128
"""Side of flex attention's tiles, in tokens."""


def dense_mask(blocks: Int[Tensor, "B L"]) -> Bool[Tensor, "B 1 L L"]:
    """Make the mask for scaled dot product attention, True where a key is seen. Its memory grows with L squared."""
    length = blocks.shape[1]
    seen = (blocks[:, :, None] == blocks[:, None, :]) | (blocks[:, None, :] == 0)
    causal = torch.ones(length, length, dtype=torch.bool, device=blocks.device).tril()
    return (seen & causal)[:, None]


def additive_mask(blocks: Int[Tensor, "B L"], dtype: torch.dtype) -> Tensor:
    """Make the mask [B, 1, L, L] for eager attention, which adds it to the scores."""
    seen = dense_mask(blocks)
    return torch.zeros_like(seen, dtype=dtype).masked_fill_(~seen, torch.finfo(dtype).min)


class _Seen:
    """The mask function for flex attention, called with indices of the batch row, head, query and key."""

    def __init__(self, blocks: Int[Tensor, "B L"]) -> None:
        self._blocks = blocks

    def __call__(self, row: Tensor, _head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        """Return whether the query sees the key."""
        own = self._blocks[row, key]
        return (query >= key) & ((own == 0) | (own == self._blocks[row, query]))


def flex_mask(blocks: Int[Tensor, "B L"]) -> BlockMask:
    """Make the mask for flex attention: a list of the tiles of `TILE` tokens in which something is seen.

    Tiles are classified by the smallest and the largest block id of their tokens, so no tensor of size L x L is made.
    Flex attention checks a partial tile token by token, and a tile that is seen as a whole not at all.
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
    if missing:  # the padding of the last tile must not be seen
        whole[:, -1, :] = whole[:, :, -1] = False
    partial = _listed(some & ~whole)
    return BlockMask.from_kv_blocks(
        *partial, *_listed(whole), BLOCK_SIZE=TILE, mask_mod=_Seen(blocks), seq_lengths=(length, length)
    )


def _listed(tiles: Bool[Tensor, "B q k"]) -> tuple[Tensor, Tensor]:
    """Return how many tiles are chosen in each row [B, 1, q], and the tiles with the chosen ones first [B, 1, q, k]."""
    chosen = tiles[:, None].int()
    return chosen.sum(-1, dtype=torch.int32), chosen.argsort(dim=-1, descending=True, stable=True).int()


def attention_mask(blocks: Int[Tensor, "B L"], attention: str, dtype: torch.dtype) -> Any | None:
    """Make the mask for an attention implementation of transformers, or None where it takes no such mask."""
    match attention:
        case "sdpa":
            return dense_mask(blocks)
        case "eager":
            return additive_mask(blocks, dtype)
        case "flex_attention":
            return flex_mask(blocks)
    return None
