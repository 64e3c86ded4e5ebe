"""Block ids as masks: in plain words, for every kind of attention, and as large as what is seen."""

import pytest
import torch
from tiny import asked, noise, tiny
from torch.nn.attention.flex_attention import create_mask, flex_attention

from longpanda.errors import ConfigError, PromptError
from longpanda.model.blocks import TILE, attention_mask, dense_mask, flex_mask
from longpanda.types import Example

QUESTIONS = (asked("Where is the key?", "left"), asked("Where is the ball?", "in the middle"))


def in_plain_words(blocks: list[list[int]]) -> list[list[list[bool]]]:
    """A token sees itself, all shared tokens before it, and those of its own block before it."""
    return [[[_sees(row, query, key) for key in range(len(row))] for query in range(len(row))] for row in blocks]


def _sees(row: list[int], query: int, key: int) -> bool:
    return key <= query and (row[key] == 0 or row[key] == row[query])


def rows(length: int, seed: int) -> torch.Tensor:
    """Examples as the processor makes them: shared tokens, questions, padding; and rows of any order."""
    generator = torch.Generator().manual_seed(seed)
    cuts = torch.randint(0, length + 1, (3, 4), generator=generator).sort(1).values
    place = torch.arange(length)[None]
    blocks = (place[:, None] >= cuts[:, :, None]).sum(1)
    blocks = torch.where(blocks == 4, -1, blocks)
    return torch.cat([blocks, torch.randint(-1, 4, (1, length), generator=generator), torch.zeros(1, length).long()])


@pytest.mark.parametrize("length", [1, 5, 40])
def test_who_sees_whom(length):
    blocks = rows(length, length)
    assert dense_mask(blocks)[:, 0].tolist() == in_plain_words(blocks.tolist())


@pytest.mark.parametrize("length", [1, TILE - 1, TILE, 2 * TILE, 3 * TILE + 7, 5 * TILE])
@pytest.mark.parametrize("seed", range(4))
def test_tiles_hold_all_that_is_seen_and_whole_ones_nothing_else(length, seed):
    blocks = rows(length, seed)
    mask, dense = flex_mask(blocks), dense_mask(blocks)
    assert torch.equal(create_mask(mask.mask_mod, len(blocks), 1, length, length, device="cpu"), dense)
    tiles = -(-length // TILE)
    kinds = torch.zeros(len(blocks), tiles, tiles, dtype=torch.long)
    listed = ((1, mask.kv_num_blocks, mask.kv_indices), (2, mask.full_kv_num_blocks, mask.full_kv_indices))
    for kind, counts, indices in listed:
        for row in range(len(blocks)):
            for query in range(tiles):
                chosen = indices[row, 0, query, : counts[row, 0, query]].long()
                assert not kinds[row, query, chosen].any(), "a tile is listed once"
                kinds[row, query, chosen] = kind
    each = kinds.repeat_interleave(TILE, 1).repeat_interleave(TILE, 2)[:, :length, :length]
    assert not (dense[:, 0] & (each == 0)).any(), "seen, and in no tile"
    assert dense[:, 0][each == 2].all(), "not seen, in a whole tile"


def test_tiles_are_left_out():
    blocks = torch.cat([torch.full((1, 4 * TILE), number) for number in range(4)], 1)
    mask = flex_mask(blocks)
    assert mask.kv_num_blocks.sum() + mask.full_kv_num_blocks.sum() == 4 * 10 + 12 * 4  # own, and shared before
    assert (mask.kv_num_blocks == 1).all(), "the diagonal alone is looked at token by token"


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
def test_flex_attention_gives_what_dense_masks_give():
    blocks = rows(2 * TILE + 9, 1)
    query, key, value = torch.randn(3, len(blocks), 2, blocks.shape[1], 16)
    with torch.compiler.set_stance("force_eager"):  # what checks shapes in tests cannot be traced
        got = flex_attention(query, key, value, block_mask=flex_mask(blocks))
    want = torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=dense_mask(blocks))
    torch.testing.assert_close(got, want, atol=1e-5, rtol=1e-5)  # sums of the same terms in another order


@pytest.fixture
def examples():
    return [Example(noise(3), QUESTIONS), Example(noise(2, seed=1), QUESTIONS[:1])]


@torch.no_grad()
@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
def test_logits_are_the_same_with_every_attention(examples):
    model, processor = tiny()
    batch = processor.training_batch(examples)
    asked = batch["block_ids"] >= 0
    logits = {}
    with torch.compiler.set_stance("force_eager"):
        for attention in ("sdpa", "eager", "flex_attention"):
            model.set_attn_implementation(attention)
            logits[attention] = model(**batch).logits[asked]
    for attention in ("eager", "flex_attention"):
        torch.testing.assert_close(logits[attention], logits["sdpa"], atol=1e-4, rtol=1e-4)


def test_nothing_that_crosses_a_border_is_quadratic(examples):
    _, processor = tiny()
    batch = processor.training_batch(examples)
    length = batch["input_ids"].shape[1]
    assert not any(value.shape[-2:] == (length, length) for value in batch.values())
    assert batch["block_ids"].shape == batch["input_ids"].shape


def test_flex_attention_on_a_cpu_has_no_gradients_and_says_so(examples):
    model, processor = tiny()
    model.set_attn_implementation("flex_attention")
    with pytest.raises(ConfigError, match=r"'flex_attention', in training on a CPU; .*; use 'sdpa'"):
        model(**processor.training_batch(examples))


def test_blocks_go_with_no_other_mask(examples):
    model, processor = tiny()
    batch = processor.training_batch(examples)
    with pytest.raises(PromptError, match="block_ids beside an attention_mask or a cache"):
        model(**batch, attention_mask=torch.ones_like(batch["input_ids"]))


def test_an_attention_that_reads_no_such_masks_gets_none():
    assert attention_mask(torch.zeros(1, 4).long(), "flash_attention_2", torch.float32) is None
