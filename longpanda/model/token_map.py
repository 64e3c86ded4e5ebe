"""Token maps: which tokens of a prompt each layer's cache holds, and caches that hold only some of them.

So far every layer holds every token. A method that leaves tokens out, layer by layer, describes that in a token map.
Positions, masks, evidence and the cropping of a cache then follow the map, not the length of a tensor.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from longpanda.errors import ConfigError

Places = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class TokenMap:
    """Which tokens of a prompt a cache holds.

    Args:
        ids: the tokens that were read, from the first on.
        layers: for each layer of the language model, int64 [K], increasing: the places in the prompt of the tokens that
            it holds. Layers that hold the same tokens may share an array. None if every layer holds every token.

    Raises:
        ConfigError: the places are not in order, or lie beyond the tokens that were read.
    """

    ids: tuple[int, ...]
    layers: tuple[Places, ...] | None = None

    def __post_init__(self) -> None:
        for places in {id(one): one for one in self.layers or ()}.values():
            if len(places) and (places[0] < 0 or places[-1] >= len(self.ids) or np.any(np.diff(places) < 1)):
                found = f"places {places[:4].tolist()} ... of {len(self.ids)} tokens that were read"
                raise ConfigError(found, "increasing places from 0 to the last token", "sort them")

    def __repr__(self) -> str:
        sizes = sorted({len(places) for places in self.layers or ()})
        held = f"{len(self.layers or ())} layers hold {sizes[0]} to {sizes[-1]}" if sizes else "all held by every layer"
        return f"TokenMap({len(self.ids)} tokens read, {held})"

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def is_whole(self) -> bool:
        """Whether every layer holds every token."""
        return self.layers is None

    def held(self, layer: int, end: int | None = None) -> Places:
        """Return the places of the tokens before `end` that a layer holds."""
        places = np.arange(len(self.ids)) if self.layers is None else self.layers[layer]
        return places if end is None else places[: np.searchsorted(places, end)]

    def cut(self, end: int) -> "TokenMap":
        """Return the map of the first `end` tokens only."""
        return TokenMap(self.ids[:end], self._each(lambda places: places[: np.searchsorted(places, end)]))

    def and_read(self, ids: Sequence[int]) -> "TokenMap":
        """Return the map after reading more tokens, which every layer holds."""
        more = np.arange(len(self.ids), len(self.ids) + len(ids))
        return TokenMap((*self.ids, *ids), self._each(lambda places: np.concatenate([places, more])))

    def shared(self, prompt: Sequence[int]) -> int:
        """Return the length of the common beginning of `prompt` and the tokens that were read."""
        pairs = zip(self.ids, prompt, strict=False)
        return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(self.ids), len(prompt)))

    def _each(self, change: Callable[[Places], Places]) -> tuple[Places, ...] | None:
        """Change every layer's places; an array that several layers share is changed once."""
        if self.layers is None:
            return None
        done = {id(places): change(places) for places in {id(one): one for one in self.layers}.values()}
        return tuple(done[id(places)] for places in self.layers)


class PartLayer(DynamicLayer):
    """A layer's cache that holds only some of the tokens that were read; the positions of later tokens are unchanged.

    Args:
        keys: [1, H, K, C].
        values: [1, H, K, V].
        read: tokens that were read so far; at least K.
    """

    def __init__(self, keys: Tensor, values: Tensor, read: int) -> None:
        super().__init__()
        self.keys, self.values, self.left_out = keys, values, read - keys.shape[2]
        self.dtype, self.device, self.is_initialized = keys.dtype, keys.device, True

    def get_seq_length(self) -> int:
        """Return the number of tokens that were read, held or not: positions continue from there."""
        return int(self.keys.shape[2]) + self.left_out

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Return the number of keys for a query, and the offset from their index in the cache to their position."""
        return int(self.keys.shape[2]) + query_length, self.left_out


def part_of(cache: Any, token_map: TokenMap) -> DynamicCache:
    """Return a cache of the tokens that a map names, from a cache of all tokens that were read."""
    part = DynamicCache()
    for number, layer in enumerate(cache.layers):
        places = torch.from_numpy(token_map.held(number)).to(layer.keys.device)
        keys, values = layer.keys.index_select(2, places), layer.values.index_select(2, places)
        part.layers.append(PartLayer(keys, values, len(token_map)))
    return part


def cut_back(cache: Any, before: TokenMap, end: int) -> None:
    """Crop a cache in place to the tokens before `end`."""
    if before.is_whole:
        cache.crop(end - cache.get_seq_length())
        return
    for number, layer in enumerate(cache.layers):
        count = len(before.held(number, end))
        layer.keys, layer.values = layer.keys[:, :, :count], layer.values[:, :, :count]
        layer.left_out = end - count


@contextmanager
def masks_by_layer(language_model: nn.Module, cache: Any) -> Iterator[None]:
    """Give every layer of a language model a mask as long as its own cache.

    transformers makes one mask for all layers, from the first layer's cache. Every query sees all that a layer holds,
    so a mask that is too long loses its first columns, and one that is too short gets more columns that are seen.
    """
    hooks = []
    if any(isinstance(layer, PartLayer) and layer.left_out for layer in getattr(cache, "layers", ())):
        layers = [one for one in language_model.modules() if isinstance(getattr(one, "layer_idx", None), int)]
        hooks = [one.register_forward_pre_hook(_Fit(cache, one), with_kwargs=True) for one in layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


class _Fit:
    """A pre-hook of a layer or its attention that fits the mask to the number of its keys."""

    def __init__(self, cache: Any, module: Any) -> None:
        self._cache, self._layer = cache, module.layer_idx

    def __call__(self, _module: nn.Module, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Return the module's arguments with a mask of the right length."""
        states = kwargs["hidden_states"] if "hidden_states" in kwargs else args[0]
        queries, mask = states.shape[1], kwargs.get("attention_mask")
        keys = self._cache.layers[self._layer].keys.shape[2] + queries
        if mask is None and queries > 1:  # None stands for a causal mask with as many keys as queries
            mask = torch.ones(queries, queries, dtype=torch.bool, device=states.device).tril()[None, None]
        if mask is not None:
            kwargs["attention_mask"] = _fitted(mask, keys)
        return args, kwargs


def _fitted(mask: Tensor, keys: int) -> Tensor:
    """Fit a mask [B, 1, queries, any] to the last `keys` keys."""
    missing = keys - mask.shape[-1]
    seen = True if mask.dtype == torch.bool else 0.0
    return mask[..., -missing:] if missing < 0 else nn.functional.pad(mask, (missing, 0), value=seen)
