"""Layers that hold a part of what was read: positions, masks, cutting back and evidence, against plain words."""

import numpy as np
import pytest
import torch
from tiny import tiny
from transformers import DynamicCache

from longpanda.errors import ConfigError
from longpanda.inference import LongPanda
from longpanda.inference.prefix import PrefixCache
from longpanda.model.fading import faded_logits
from longpanda.model.token_map import TokenMap, cut_back, masks_by_layer, part_of
from longpanda.video import Sampling

READ = 12
CLOSE = {"atol": 1e-5, "rtol": 1e-5}
"""Eager attention computes its softmax in float32."""
HELD = (np.array([0, 1, 3, 4, 7, 11]), np.array([0, 2, 3, 4, 5, 6, 8, 9, 10, 11]))
MAPS = {
    "first layer short": HELD,
    "first layer long": HELD[::-1],
    "same": (HELD[0], HELD[0]),
    "all": None,
    "nothing in one": (np.arange(0), HELD[1]),
}
IDS = list(range(20, 20 + READ))


@pytest.fixture(params=["sdpa", "eager"])
def model(request):
    found = tiny()[0].language_model.double()
    found.set_attn_implementation(request.param)
    return found


def read(model, held) -> tuple[DynamicCache, TokenMap]:
    cache = DynamicCache()
    with torch.no_grad():
        model(torch.tensor([IDS]), past_key_values=cache)
    found = TokenMap(tuple(IDS), held)
    return (cache if held is None else part_of(cache, found)), found


def in_plain_words(model, held, more: list[int]) -> torch.Tensor:
    """Logits of the tokens behind, when each layer's attention to what it does not hold is forbidden, key by key."""
    length = READ + len(more)
    masks = []
    for layer in range(2):
        seen = torch.ones(length, length, dtype=torch.bool).tril()
        if held is not None:
            out = [place for place in range(READ) if place not in held[layer]]
            seen[READ:, out] = False
        masks.append(seen[None, None])
    additive = [torch.zeros(mask.shape).double().masked_fill(~mask, torch.finfo(torch.float64).min) for mask in masks]
    hooks = [
        layer.self_attn.register_forward_pre_hook(
            lambda _, args, kwargs, mask=mask: (args, kwargs | {"attention_mask": mask}), with_kwargs=True
        )
        for layer, mask in zip(model.model.layers, additive, strict=True)
    ]
    with torch.no_grad():
        logits = model(torch.tensor([IDS + more]), use_cache=False).logits[0, READ:]
    for hook in hooks:
        hook.remove()
    return logits


@torch.no_grad()
@pytest.mark.parametrize("name", MAPS)
def test_what_is_held_is_what_is_seen(model, name):
    more = [50, 51, 52, 53]
    want = in_plain_words(model, MAPS[name], more)
    cache, _ = read(model, MAPS[name])
    with masks_by_layer(model, cache):
        together = model(torch.tensor([more]), past_key_values=cache).logits[0]
    torch.testing.assert_close(together, want, **CLOSE)
    cache, _ = read(model, MAPS[name])
    with masks_by_layer(model, cache):
        steps = [model(torch.tensor([[token]]), past_key_values=cache).logits[0, 0] for token in more]
    torch.testing.assert_close(torch.stack(steps), want, **CLOSE)
    assert cache.get_seq_length() == READ + len(more), "positions go on behind what was read"


@torch.no_grad()
@pytest.mark.parametrize("name", MAPS)
def test_cut_back_is_never_read(model, name):
    cache, found = read(model, MAPS[name])
    more = [50, 51, 52]
    with masks_by_layer(model, cache):
        before = model(torch.tensor([more]), past_key_values=cache).logits
    found = found.and_read(more)
    cut_back(cache, found, READ)
    found = found.cut(READ)
    assert cache.get_seq_length() == len(found) == READ
    assert [layer.keys.shape[2] for layer in cache.layers] == [len(found.held(layer)) for layer in range(2)]
    with masks_by_layer(model, cache):
        assert torch.equal(model(torch.tensor([more]), past_key_values=cache).logits, before)


def test_a_mask_is_put_back_as_it_was(model):
    cache, _ = read(model, HELD)
    with masks_by_layer(model, cache):
        pass
    assert not any(module._forward_pre_hooks for module in model.modules())


@pytest.mark.parametrize("name", ["first layer short", "first layer long", "same"])
def test_seen_less_of_is_what_is_held(model, name):
    cache, found = read(model, MAPS[name])
    factors = torch.linspace(0.2, 1.0, READ, dtype=torch.float64).requires_grad_()
    row = torch.tensor([[50, 51, 52]])
    logits = faded_logits(model, cache, row, factors, found)
    (effects,) = torch.autograd.grad(logits.sum(), factors)
    held_by_any = np.union1d(*MAPS[name])
    assert set(np.flatnonzero(effects.numpy())) == set(held_by_any.tolist())
    with torch.no_grad():
        for layer, places in zip(cache.layers, MAPS[name], strict=True):
            layer.values = layer.values * factors[torch.from_numpy(places)][:, None]
        with masks_by_layer(model, cache):
            want = model(row, past_key_values=cache).logits[0]
    torch.testing.assert_close(logits.detach(), want, **CLOSE)


def halved(found: TokenMap) -> TokenMap:
    """The first layer holds every second token, the second two of three, and both the first and the last."""
    places = np.arange(len(found))
    ends = (places == 0) | (places == len(found) - 1)
    return TokenMap(found.ids, (places[ends | (places % 2 == 0)], places[ends | (places % 3 > 0)]))


def test_another_map_goes_through_generate_evidence_and_crop(film):
    panda = LongPanda("tiny", *tiny())
    session = panda.watch(film, Sampling(frames=6))
    questions = ["Where is the key?", "What number is on the red circle?", "Where is the key?"]
    settings = {"max_new_tokens": 4, "do_sample": False}
    counts = session.timeline.group_tokens
    part = PrefixCache(panda.model, session._embeddings, halved)
    answers = {}
    for question in questions:
        ids = session.prompt_ids(question)
        fresh = PrefixCache(panda.model, session._embeddings, halved)
        new = part.generate(ids, **settings)
        assert new == fresh.generate(ids, **settings), "a kept prefix that was cut back is one that was read anew"
        assert answers.setdefault(question, new) == new
        effects = part.effects([*ids, *new], len(new), counts)
        np.testing.assert_allclose(effects, fresh.effects([*ids, *new], len(new), counts), rtol=1e-5, atol=1e-7)
        assert part.generate(ids, **settings) == new, "evidence leaves the prefix as it was"
        whole = session._prefix.effects([*ids, *new], len(new), counts)
        assert np.abs(whole - effects).max() > 1e-3, "what is not held has no effect"
    assert not part._held.is_whole
    sizes = [layer.keys.shape[2] for layer in part._cache.layers]
    assert sizes == [len(part._held.held(layer)) for layer in range(2)]
    assert sizes[0] != sizes[1]


def test_a_part_of_a_prefix_is_not_kept(film, tmp_path):
    panda = LongPanda("tiny", *tiny())
    session = panda.watch(film, Sampling(frames=6))
    part = PrefixCache(panda.model, session._embeddings, halved)
    part.prepare(session.prompt_ids("Where is the key?"))
    with pytest.raises(ConfigError, match="layers that hold a part of a prefix"):
        part.save(tmp_path / "prefix.safetensors", "key")


@pytest.mark.parametrize("places", [[3, 2], [0, 0], [-1, 2], [0, READ]])
def test_places_that_cannot_be_are_refused(places):
    with pytest.raises(ConfigError, match="increasing places from 0 to the last token"):
        TokenMap(tuple(IDS), (np.array(places),))


def test_a_map_says_what_it_is():
    assert repr(TokenMap(tuple(IDS))) == "TokenMap(12 tokens read, all held by every layer)"
    assert repr(TokenMap(tuple(IDS), HELD)) == "TokenMap(12 tokens read, 2 layers hold 6 to 10)"
    assert TokenMap((1, 2, 3)).shared([1, 2, 4]) == TokenMap((1, 2)).shared([1, 2, 4]) == 2
