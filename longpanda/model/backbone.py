"""The capabilities of a language model of transformers, found out by trying it on a few tokens.

transformers has some two hundred causal language models, and more with every version. Most accept embeddings in place
of ids, prompts in pieces and several questions side by side. Some do not, and most of those raise no error but answer
something else. A list of names would be out of date with the next version; a trial is not.
"""

import inspect
import logging
from functools import cached_property
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache, GenerationMixin, PreTrainedModel

from longpanda.errors import ConfigError
from longpanda.model.blocks import attention_mask
from longpanda.model.time_step import keep_limits
from longpanda.model.trial import Trial

_log = logging.getLogger(__name__)

WINDOWS = ("sliding_window", "sliding_window_size", "window_size", "attention_window_size", "attention_chunk_size")
"""Configuration fields for how far back a layer sees."""
_ANOTHER = "choose another one"
_APART = "give each example one question (in a recipe: one family, questions: 1)"


class Backbone:
    """A language model and its capabilities. Every trial runs once, when its result is first needed.

    Args:
        language_model: any causal language model of transformers, or a wrapper of one: PEFT's adapters, torch.compile.
    """

    def __init__(self, language_model: nn.Module) -> None:
        self.model: Any = language_model
        own = next(module for module in language_model.modules() if isinstance(module, PreTrainedModel))
        self._accepted = frozenset(inspect.signature(type(own).forward).parameters)
        _prepare(own)

    @property
    def name(self) -> str:
        """The model type, for messages."""
        return str(self.model.config.model_type)

    @property
    def cache_name(self) -> str:
        """The name of the cache argument of its forward, "" if it has none."""
        return next((name for name in ("past_key_values", "cache_params") if self.takes(name)), "")

    def takes(self, argument: str) -> bool:
        """Whether its forward has an argument. It would silently ignore any other."""
        return argument in self._accepted

    def new_cache(self) -> Any:
        """Return an empty cache. A sliding window as long as the context drops nothing and is treated as none."""
        text = self.model.config
        window, context = (getattr(text, name, None) for name in ("sliding_window", "max_position_embeddings"))
        return DynamicCache() if window and context and window >= context else DynamicCache(config=text)

    def read(self, embeddings: Tensor, cache: Any, start: int) -> None:
        """Pass tokens [1, L, D] through the language model, after the `start` tokens that the cache holds."""
        arguments = {self.cache_name: cache, "use_cache": True}
        if self.takes("position_ids"):  # not every class derives them from the cache
            arguments["position_ids"] = torch.arange(start, start + embeddings.shape[1], device=embeddings.device)[None]
        if self.takes("logits_to_keep"):
            arguments["logits_to_keep"] = 1
        self.model(inputs_embeds=embeddings, **arguments)

    def generate(self, ids: Tensor | None, **settings: Any) -> Any:
        """Call the language model's own `generate`, which accepts embeddings and a cache after `_prepare`."""
        return self.model.generate(ids, **settings)

    def go_on(self, ids: Tensor, cache: Any, **settings: Any) -> Any:
        """Generate after a prompt [1, L] whose beginning the cache holds. The output begins with the prompt."""
        kept = {self.cache_name: cache, "attention_mask": torch.ones_like(ids)}
        return self.generate(ids, use_cache=True, **kept, **settings)

    def check(self) -> None:
        """Try the language model on a few tokens.

        Raises:
            ConfigError: the language model does not accept embeddings, is not causal, or generates with its cache
                something else than without it.
        """
        width, embedding = getattr(self.model.config, "hidden_size", None), self.model.get_input_embeddings()
        weight = getattr(embedding, "weight", None)
        if weight is None or weight.shape[-1] != width or not self.takes("inputs_embeds"):
            self._refuse(f"whose embeddings are not {width} numbers for each token", _ANOTHER)
        try:
            why = self.trial.fault()
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # foreign code may raise anything
            self._refuse(f"that fails when given embeddings ({_summary(error)})", _ANOTHER)
        if why:
            self._refuse(why, f"{_ANOTHER}, or another quantisation if its weights are quantised")

    def _refuse(self, found: str, remedy: str) -> None:
        found = f"a language model of type '{self.name}' {found}"
        raise ConfigError(found, "one that can be given visual tokens in place of text, and keeps to them", remedy)

    @cached_property
    def continues(self) -> bool:
        """Whether a prompt gives the same in pieces as at once. If not, it is read again for every question."""
        return self._works(Trial.in_pieces)

    @cached_property
    def crops(self) -> bool:
        """Whether its cache can be cropped to a prompt's beginning and continued from there."""
        layers = self.new_cache().layers
        kept = all(hasattr(layer, "keys") and not getattr(layer, "is_sliding", False) for layer in layers)
        return kept and self._works(Trial.cut_back)

    @cached_property
    def unexplained(self) -> str:
        """Why evidence for its answers would be wrong, "" if it would be right. Only for a cache that `crops`."""
        try:
            return self.trial.misled()
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # foreign code may raise anything
            _log.debug("the gradients of a '%s' cannot be tried", self.name, exc_info=True)
            return f"whose gradients cannot be tried ({_summary(error)})"

    @cached_property
    def pads(self) -> bool:
        """Whether each prompt of a batch that is padded on the left is answered as it is alone."""
        return self._works(Trial.padded)

    @cached_property
    def separates(self) -> bool:
        """Whether several questions side by side, hidden from each other, have the same logits as alone."""
        return self.takes("position_ids") and self._works(Trial.side_by_side)

    def _works(self, trial: Any) -> bool:
        try:
            return bool(trial(self.trial))
        except torch.OutOfMemoryError:
            raise
        except Exception:  # foreign code may raise anything: it has not this capability
            _log.debug("a trial of a '%s' failed", self.name, exc_info=True)
            return False

    @cached_property
    def trial(self) -> Trial:
        """The trial of this language model."""
        return Trial(self)

    def require_padding(self) -> None:
        """Raise ConfigError if prompts of several lengths in a batch are not answered as alone."""
        if not self.pads:
            found = f"prompts of several lengths for a '{self.name}', which does not keep padding apart"
            raise ConfigError(found, "one prompt at a time, or prompts of one length", "ask them one by one")

    def block_mask(self, blocks: Tensor, dtype: torch.dtype) -> Any:
        """Make the mask of block ids [B, L] (`blocks`) for this language model's attention.

        Raises:
            ConfigError: the attention implementation takes no such mask, or layers would ignore it.
        """
        _check_full_attention(self.model.config, blocks.shape[-1])
        mask = self.untried_block_mask(blocks, dtype)
        if not self.separates:
            found = f"several questions side by side on a '{self.name}', which does not keep them apart"
            raise ConfigError(found, "a language model that respects masks and positions", _APART)
        return mask

    def untried_block_mask(self, blocks: Tensor, dtype: torch.dtype) -> Any:
        """Make the mask as `block_mask` does, without a trial of the language model."""
        attention = self.model.config._attn_implementation
        if attention == "flex_attention" and blocks.device.type == "cpu" and torch.is_grad_enabled():
            found = "questions side by side with attn_implementation='flex_attention', in training on a CPU"
            raise ConfigError(found, "a GPU, or an attention with gradients on a CPU", "use 'sdpa'")
        mask = attention_mask(blocks, attention, dtype)
        if mask is None:
            found = f"several questions side by side with attn_implementation='{attention}'"
            raise ConfigError(found, "'sdpa', 'eager' or 'flex_attention'", f"choose one of them, or {_APART}")
        return mask


def _summary(error: Exception) -> str:
    """Return the error's type and the first line of its message."""
    return f"{type(error).__name__}: {next(iter(str(error).strip().splitlines()), '')[:200]}"


def _prepare(language_model: PreTrainedModel) -> None:
    """Work around known faults: a class's own preparation of inputs, and time steps that ignore their limits."""
    keep_limits(language_model)
    own = inspect.signature(type(language_model).prepare_inputs_for_generation).parameters
    if hasattr(language_model.config, "original_max_position_embeddings"):
        # LongRoPE's own method drops the cache when a prompt exceeds that length and its factors switch, and reads the
        # ids again, where placeholders have no meaning. Our factors do not switch (`with_steady_positions`).
        usual = GenerationMixin.prepare_inputs_for_generation
        language_model.prepare_inputs_for_generation = MethodType(usual, language_model)
    elif "inputs_embeds" not in own and "kwargs" in own:
        # transformers looks for the argument by name, but a class may only pass it on in its **kwargs.
        language_model.prepare_inputs_for_generation = MethodType(_with_embeddings, language_model)


def _with_embeddings(model: Any, input_ids: Tensor, inputs_embeds: Tensor | None = None, **kwargs: Any) -> Any:
    given = {} if inputs_embeds is None else {"inputs_embeds": inputs_embeds}
    return type(model).prepare_inputs_for_generation(model, input_ids, **given, **kwargs)


def _check_full_attention(text: Any, length: int) -> None:
    """Raise ConfigError for layers that ignore a mask: recurrent ones, and windows shorter than the sequence."""
    kinds = set(getattr(text, "layer_types", None) or ["full_attention"]) - {"full_attention"}
    windows = [value for name in WINDOWS if isinstance(value := getattr(text, name, None), int)]
    window = min(windows, default=length)
    slides = length > window and getattr(text, "use_sliding_window", True)
    if not slides and kinds <= {"sliding_attention"} and hasattr(text, "num_attention_heads"):
        return
    found = f"{length} tokens of questions side by side on '{text.model_type}' with "
    found += f"a sliding window of {window}" if slides else f"layers of {', '.join(sorted(kinds)) or 'no attention'}"
    raise ConfigError(found, "full attention in every layer", f"{_APART}, or use shorter clips")
