"""What a language model of transformers can do with a prompt, found out by trying it on a few tokens.

transformers knows some two hundred causal language models, and more with every version. Most can be given embeddings in
place of ids, be read in pieces and be asked several questions side by side. Some cannot, and most of those say nothing:
they answer something else. A list of names would be out of date with the next version; a trial is not.
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
from longpanda.model.blocks import readable
from longpanda.model.time_step import keep_limits
from longpanda.model.trial import Trial

_log = logging.getLogger(__name__)

WINDOWS = ("sliding_window", "sliding_window_size", "window_size", "attention_window_size", "attention_chunk_size")
"""Fields for how far a layer sees."""
_ANOTHER = "choose another one"
_APART = "give each example one question (in a recipe: one family, questions: 1)"


class Backbone:
    """A language model and what it was found able to do; every trial is made once, when its result is first needed.

    Args:
        language_model: any causal language model of transformers, or what wraps one: PEFT's adapters, torch.compile.
    """

    def __init__(self, language_model: nn.Module) -> None:
        self.model: Any = language_model
        own = next(module for module in language_model.modules() if isinstance(module, PreTrainedModel))
        self._accepted = frozenset(inspect.signature(type(own).forward).parameters)
        _prepare(own)

    @property
    def name(self) -> str:
        """For messages."""
        return str(self.model.config.model_type)

    @property
    def cache_name(self) -> str:
        """What its forward calls what it keeps of tokens, "" where it keeps nothing that could be handed to it."""
        return next((name for name in ("past_key_values", "cache_params") if self.takes(name)), "")

    def takes(self, argument: str) -> bool:
        """Does its forward know an argument? Others it would take without a word and ignore."""
        return argument in self._accepted

    def new_cache(self) -> Any:
        """An empty cache; windows as long as the context forget nothing."""
        text = self.model.config
        window, context = (getattr(text, name, None) for name in ("sliding_window", "max_position_embeddings"))
        return DynamicCache() if window and context and window >= context else DynamicCache(config=text)

    def read(self, embeddings: Tensor, cache: Any, start: int) -> None:
        """Pass some tokens [1, L, D] through the language model, behind those that the cache holds: `start` of them."""
        arguments = {self.cache_name: cache, "use_cache": True}
        if self.takes("position_ids"):  # not every class counts what a cache holds by itself
            arguments["position_ids"] = torch.arange(start, start + embeddings.shape[1], device=embeddings.device)[None]
        if self.takes("logits_to_keep"):
            arguments["logits_to_keep"] = 1
        self.model(inputs_embeds=embeddings, **arguments)

    def generate(self, ids: Tensor | None, **settings: Any) -> Any:
        """The language model's own `generate`, which takes embeddings and a cache now."""
        return self.model.generate(ids, **settings)

    def go_on(self, ids: Tensor, cache: Any, **settings: Any) -> Any:
        """`generate` behind a prompt [1, L] whose beginning the cache holds. The output begins with the prompt."""
        kept = {self.cache_name: cache, "attention_mask": torch.ones_like(ids)}
        return self.generate(ids, use_cache=True, **kept, **settings)

    def check(self) -> None:
        """Try the language model on a few tokens.

        Raises:
            ConfigError: it cannot be given embeddings, reads what comes later, or what it generates with its cache is
                not what it says to the whole text.
        """
        width, embedding = getattr(self.model.config, "hidden_size", None), self.model.get_input_embeddings()
        weight = getattr(embedding, "weight", None)
        if weight is None or weight.shape[-1] != width or not self.takes("inputs_embeds"):
            self._refuse(f"whose embeddings are not {width} numbers for each token", _ANOTHER)
        try:
            why = self.trial.fault()
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # whatever its code does not expect
            self._refuse(f"that fails when given embeddings ({_line(error)})", _ANOTHER)
        if why:
            self._refuse(why, f"{_ANOTHER}, or another quantisation where its weights are quantised")

    def _refuse(self, found: str, remedy: str) -> None:
        found = f"a language model of type '{self.name}' {found}"
        raise ConfigError(found, "one that can be given visual tokens in place of text, and keeps to them", remedy)

    @cached_property
    def continues(self) -> bool:
        """Is a prompt read in pieces the whole prompt? If not, it has to be read anew for every question."""
        return self._works(Trial.in_pieces)

    @cached_property
    def crops(self) -> bool:
        """Can what it keeps be cut back to the prompt's beginning, and gone on with from there?"""
        layers = self.new_cache().layers
        kept = all(hasattr(layer, "keys") and not getattr(layer, "is_sliding", False) for layer in layers)
        return kept and self._works(Trial.cut_back)

    @cached_property
    def unexplained(self) -> str:
        """Why evidence of what it says would be wrong, of one that can be cut back; "" where it would be right."""
        try:
            return self.trial.misled()
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # whatever its code does not expect
            _log.debug("the gradients of a '%s' cannot be tried", self.name, exc_info=True)
            return f"whose gradients cannot be tried ({_line(error)})"

    @cached_property
    def pads(self) -> bool:
        """Is each prompt of a batch, padded on the left, answered as it would be alone?"""
        return self._works(Trial.padded)

    @cached_property
    def separates(self) -> bool:
        """Do several questions side by side, each hidden from the others, have the logits they would have alone?"""
        return self.takes("position_ids") and self._works(Trial.side_by_side)

    def _works(self, trial: Any) -> bool:
        try:
            return bool(trial(self.trial))
        except torch.OutOfMemoryError:
            raise
        except Exception:  # whatever its code does not expect: it cannot do that
            _log.debug("a trial of a '%s' failed", self.name, exc_info=True)
            return False

    @cached_property
    def trial(self) -> Trial:
        """What is tried."""
        return Trial(self)

    def require_padding(self) -> None:
        """Raises ConfigError where prompts of several lengths in a batch are not answered as alone."""
        if not self.pads:
            found = f"prompts of several lengths for a '{self.name}', which does not keep padding apart"
            raise ConfigError(found, "one prompt at a time, or prompts of one length", "ask them one by one")

    def block_mask(self, blocks: Tensor, dtype: torch.dtype) -> Any:
        """Block ids [B, L] (`blocks`) as the mask that this language model's attention reads.

        Raises:
            ConfigError: an attention that knows no such masks, or layers that would not keep to it.
        """
        _check_full_attention(self.model.config, blocks.shape[-1])
        mask = self.readable(blocks, dtype)
        if not self.separates:
            found = f"several questions side by side on a '{self.name}', which does not keep them apart"
            raise ConfigError(found, "a mask and positions that it keeps to", _APART)
        return mask

    def readable(self, blocks: Tensor, dtype: torch.dtype) -> Any:
        """As `block_mask`, not tried yet."""
        attention = self.model.config._attn_implementation
        if attention == "flex_attention" and blocks.device.type == "cpu" and torch.is_grad_enabled():
            found = "questions side by side with attn_implementation='flex_attention', learned from on a CPU"
            raise ConfigError(found, "a GPU, or attention that has gradients there", "use 'sdpa'")
        mask = readable(blocks, attention, dtype)
        if mask is None:
            found = f"several questions side by side with attn_implementation='{attention}'"
            raise ConfigError(found, "'sdpa', 'eager' or 'flex_attention'", f"choose one of them, or {_APART}")
        return mask


def _line(error: Exception) -> str:
    """What kind it is, and what it says first."""
    return f"{type(error).__name__}: {next(iter(str(error).strip().splitlines()), '')[:200]}"


def _prepare(language_model: PreTrainedModel) -> None:
    """Mend what stands in the way: a class's own preparation of inputs, and time steps without their limits."""
    keep_limits(language_model)
    own = inspect.signature(type(language_model).prepare_inputs_for_generation).parameters
    if hasattr(language_model.config, "original_max_position_embeddings"):
        # LongRoPE's own forgets the cache where a prompt passes that length and its factors turn, and reads ids again,
        # which placeholders are not words of. Ours do not turn (`with_steady_positions`).
        usual = GenerationMixin.prepare_inputs_for_generation
        language_model.prepare_inputs_for_generation = MethodType(usual, language_model)
    elif "inputs_embeds" not in own and "kwargs" in own:
        # transformers looks for the argument's name, which a class that passes on whatever comes need not have.
        language_model.prepare_inputs_for_generation = MethodType(_with_embeddings, language_model)


def _with_embeddings(model: Any, input_ids: Tensor, inputs_embeds: Tensor | None = None, **kwargs: Any) -> Any:
    given = {} if inputs_embeds is None else {"inputs_embeds": inputs_embeds}
    return type(model).prepare_inputs_for_generation(model, input_ids, **given, **kwargs)


def _check_full_attention(text: Any, length: int) -> None:
    """Refuse layers that a mask between tokens does not reach: recurrent ones, and windows shorter than a sequence."""
    kinds = set(getattr(text, "layer_types", None) or ["full_attention"]) - {"full_attention"}
    windows = [value for name in WINDOWS if isinstance(value := getattr(text, name, None), int)]
    window = min(windows, default=length)
    slides = length > window and getattr(text, "use_sliding_window", True)
    if not slides and kinds <= {"sliding_attention"} and hasattr(text, "num_attention_heads"):
        return
    found = f"{length} tokens of questions side by side on '{text.model_type}' with "
    found += f"a sliding window of {window}" if slides else f"layers of {', '.join(sorted(kinds)) or 'no attention'}"
    raise ConfigError(found, "full attention in every layer", f"{_APART}, or use shorter clips")
