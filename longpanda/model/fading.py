"""A language model that sees less of what lies before: what its layers keep of it, with values that are multiplied."""

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
    """What a layer keeps of a prompt's beginning. What it gives to attention is made anew each time, and not kept.

    So a layer may be run again on the way back, and only the one that is at work has copies of keys and values.

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
        """Keys and values of the beginning, faded, and of what follows it."""
        values = self.values.clone() if self.values.is_inference() else self.values  # autograd keeps no such tensors
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
    """What a language model says behind a beginning of which it sees less, to be differentiated by the factors.

    Args:
        language_model: a causal one of transformers.
        cache: keys and values of the beginning, at least; stays as it is.
        row: the tokens after the beginning.
        factors: of each token of the beginning; attention takes its values times this.
        held: which tokens of the beginning each layer holds; None where all of them.
        in_float32: compute so, whatever type the weights have.
    """
    end, faded = len(factors), DynamicCache()
    for number, layer in enumerate(cache.layers):
        places = slice(None) if held is None or held.is_whole else torch.from_numpy(held.held(number, end))
        mine = factors[places]
        kept = layer.keys[:, :, : len(mine)], layer.values[:, :, : len(mine)]
        faded.layers.append(FadedLayer(*kept, mine, end))
    as_written = torch.compiler.set_stance("force_eager")  # what was compiled knows neither of these two
    around = partial(_around, language_model, faded, in_float32)
    with as_written, around(), _run_again_on_the_way_back(language_model, around):
        logits: Tensor = language_model(row, past_key_values=faded, use_cache=True).logits[0]
    return logits


@contextmanager
def _run_again_on_the_way_back(
    language_model: nn.Module, around: Callable[[], AbstractContextManager[Any]]
) -> Iterator[None]:
    """Each layer keeps what goes into it alone. transformers' own way to do so drops the cache, and is for training."""
    layers = [module for module in language_model.modules() if isinstance(module, GradientCheckpointingLayer)]
    replaced = [vars(layer).get("forward") for layer in layers]  # accelerate puts its own there
    again = partial(checkpoint, use_reentrant=False, preserve_rng_state=False, context_fn=partial(_ways, around))
    try:
        for layer in layers:
            layer.forward = partial(again, layer.forward)
        with set_checkpoint_early_stop(False):  # what loads a layer's weights takes them away at its end
            yield
    finally:
        for layer, forward in zip(layers, replaced, strict=True):
            if forward is None:
                del layer.forward
            else:
                layer.forward = forward


def _ways(
    around: Callable[[], AbstractContextManager[Any]],
) -> tuple[AbstractContextManager[Any], AbstractContextManager[Any]]:
    """Around a layer on the way there, where `faded_logits` has seen to it, and on the way back."""
    return nullcontext(), around()


@contextmanager
def _around(language_model: nn.Module, faded: DynamicCache, in_float32: bool) -> Iterator[None]:
    """Masks as long as what each layer holds, and the arithmetic that was asked for."""
    with InFloat32() if in_float32 else nullcontext(), masks_by_layer(language_model, faded):
        yield
