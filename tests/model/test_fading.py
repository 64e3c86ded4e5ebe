"""What a language model says behind a beginning that it sees less of, and what is kept to differentiate that."""

import pytest
import torch
from tiny import tiny
from torch.nn.functional import linear

from longpanda.model.fading import faded_logits
from longpanda.model.precision import InFloat32

BEGINNING = 500


@pytest.fixture
def begun():
    """A language model, and its cache of a beginning."""
    model = tiny()[0].language_model.eval()
    with torch.inference_mode():
        cache = model(torch.arange(BEGINNING)[None] % 200, use_cache=True).past_key_values
    return model, cache


def test_a_beginning_that_is_seen_in_full_changes_nothing(begun) -> None:
    model, cache = begun
    row = torch.tensor([[3, 4, 5]])
    before = [(layer.keys.clone(), layer.values.clone()) for layer in cache.layers]
    faded = faded_logits(model, cache, row, torch.ones(BEGINNING))
    for layer, (keys, values) in zip(cache.layers, before, strict=True):
        assert torch.equal(layer.keys, keys)
        assert torch.equal(layer.values, values)
    assert not any("forward" in vars(layer) for layer in model.model.layers)
    with torch.inference_mode():
        torch.testing.assert_close(faded, model(row, past_key_values=cache).logits[0])
    less = faded_logits(model, cache, row, torch.full((BEGINNING,), 0.5))
    assert (less - faded).abs().max() > 0.1


def test_no_copy_of_keys_and_values_is_kept_for_the_way_back(begun) -> None:
    model, cache = begun
    factors = torch.ones(BEGINNING).requires_grad_()
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda one: kept.append(one.shape) or one, lambda one: one):
        logits = faded_logits(model, cache, torch.tensor([[3, 4, 5]]), factors)
    assert kept, "what goes into the layers is"
    assert not [shape for shape in kept if {BEGINNING, BEGINNING + 3} & {*shape}]
    (slopes,) = torch.autograd.grad(logits.sum(), factors)
    assert (slopes != 0).float().mean() > 0.9


def test_what_accelerate_put_before_a_layer_stays(begun) -> None:
    model, cache = begun
    layer, seen = model.model.layers[0], []
    usual = layer.forward
    layer.forward = own = lambda *given, **named: seen.append(1) or usual(*given, **named)
    factors = torch.ones(BEGINNING).requires_grad_()
    faded_logits(model, cache, torch.tensor([[3]]), factors).sum().backward()
    assert layer.forward is own
    assert len(seen) == 2, "there, and on the way back"


def test_sums_are_of_float32_with_weights_in_half_precision() -> None:
    weight = torch.nn.Parameter(torch.full((1, 64), 0.1).bfloat16())
    given = torch.linspace(1, 2, 64).bfloat16()[None]
    exact = (given.double() @ weight.double().T).detach()
    with InFloat32():
        sums = linear(given, weight).to(torch.bfloat16)
    assert sums.dtype == torch.float32
    torch.testing.assert_close(sums.detach().double(), exact, rtol=1e-6, atol=0)
    assert (linear(given, weight).double() - exact).abs() > 1e-3
    assert weight.dtype == torch.bfloat16
