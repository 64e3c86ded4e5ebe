"""Logits of a language model whose cached values are scaled by a factor per token, differentiable by the factors."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint, set_checkpoint_early_stop
from transformers import DynamicCache
from transformers.modeling_layers import GradientCheckpointingLayer

from longpanda.model.precision import InFloat32
from longpanda.model.token_map import PartLayer, TokenMap, masks_by_layer
from longpanda.shapes import Float, Int


class FadedLayer(PartLayer):
    """A layer's cache of a prompt's beginning that scales its values. Updates return new tensors and store nothing.

    A layer can therefore run again in the backward pass, and only the running layer has copies of keys and values.

    Args:
        keys: [1, H, L, K].
        values: [1, H, L, V].
        factors: what the values of each token are multiplied by.
        read: tokens that were read, of which the layer holds L.
    """

    def __init__(
        self, keys: Float[Tensor, "1 H L K"], values: Float[Tensor, "1 H L V"], factors: Float[Tensor, " L"], read: int
    ) -> None:
        super().__init__(keys, values, read)
        self._factors = factors

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Return keys and scaled values of the beginning, followed by the new ones."""
        values = self.values.clone() if self.values.is_inference() else self.values  # autograd cannot save those
        faded = values * self._factors.to(values.device, values.dtype)[:, None]
        return torch.cat([self.keys, key_states], -2), torch.cat([faded, value_states], -2)


@torch.inference_mode(False)
@torch.enable_grad()
def faded_logits(
    language_model: Any,
    cache: Any,
    row: Int[Tensor, "1 T"],
    factors: Float[Tensor, " L"],
    held: TokenMap | None = None,
    in_float32: bool = False,
) -> Float[Tensor, "T V"]:
    """Compute the logits of `row` behind a prompt's beginning whose values are scaled by `factors`.

    The logits can be differentiated by the factors.

    Args:
        language_model: a causal language model of transformers.
        cache: keys and values of at least the beginning; it is not changed.
        row: the tokens after the beginning.
        factors: for each token of the beginning, the factor on its values in attention.
        held: which tokens of the beginning each layer holds; None if all of them.
        in_float32: compute in float32, whatever dtype the weights have.
    """
    end, faded = len(factors), DynamicCache()
    for number, layer in enumerate(cache.layers):
        places = slice(None) if held is None or held.is_whole else torch.from_numpy(held.held(number, end))
        mine = factors[places]
        kept = layer.keys[:, :, : len(mine)], layer.values[:, :, : len(mine)]
        faded.layers.append(FadedLayer(*kept, mine, end))
    as_written = torch.compiler.set_stance("force_eager")  # compiled code supports neither of the other two
    around = partial(_around, language_model, faded, in_float32)
    with as_written, around(), _recompute_in_backward(language_model, around):
        logits: Tensor = language_model(row, past_key_values=faded, use_cache=True).logits[0]
    return logits


@contextmanager
def _recompute_in_backward(
    language_model: nn.Module, around: Callable[[], AbstractContextManager[Any]]
) -> Iterator[None]:
    """Checkpoint each layer: keep only its inputs. transformers' own checkpointing drops the cache."""
    layers = [module for module in language_model.modules() if isinstance(module, GradientCheckpointingLayer)]
    replaced = [vars(layer).get("forward") for layer in layers]  # accelerate sets its own there
    again = partial(checkpoint, use_reentrant=False, preserve_rng_state=False, context_fn=partial(_contexts, around))
    try:
        for layer in layers:
            layer.forward = partial(again, layer.forward)
        with set_checkpoint_early_stop(False):  # a hook that loads a layer's weights removes them at its end
            yield
    finally:
        for layer, forward in zip(layers, replaced, strict=True):
            if forward is None:
                del layer.forward
            else:
                layer.forward = forward


def _contexts(
    around: Callable[[], AbstractContextManager[Any]],
) -> tuple[AbstractContextManager[Any], AbstractContextManager[Any]]:
    """Return a layer's contexts: none in the forward pass, where `faded_logits` has entered it, and one in backward."""
    return nullcontext(), around()


@contextmanager
def _around(language_model: nn.Module, faded: DynamicCache, in_float32: bool) -> Iterator[None]:
    """Give each layer a mask as long as its cache, and compute in float32 if asked for."""
    with InFloat32() if in_float32 else nullcontext(), masks_by_layer(language_model, faded):
        yield
