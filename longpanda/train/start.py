"""Starts a new model from the weights of a saved one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from longpanda.errors import ConfigError, counted
from longpanda.inference.load import LongPanda
from longpanda.model.configuration import LongPandaConfig
from longpanda.model.modeling import LongPandaForConditionalGeneration
from longpanda.train.training_model import HEADS

OPTIONAL_PARTS = ("temporal",)
"""Parts that a saved model need not have."""


@dataclass(frozen=True)
class Start:
    """Which weights a new model took over from a saved one.

    Args:
        name: the saved model.
        taken: number of tensors taken over, by part.
        new: number of newly initialised tensors, by part.
        new_words: tokens that the saved model did not have.
        rope: the rotary positions of both models, if they differ; otherwise "".
    """

    name: str
    taken: dict[str, int]
    new: dict[str, int]
    new_words: tuple[str, ...]
    rope: str = ""

    def __str__(self) -> str:
        new = _counts(self.new) or "nothing"
        words = (
            f" and {counted(len(self.new_words), 'word')} ({', '.join(map(repr, self.new_words))})"
            if self.new_words
            else ""
        )
        return f"started from '{self.name}': took over {_counts(self.taken)}; {new}{words} started new{self.rope}"


def start_from(model: LongPandaForConditionalGeneration, old: LongPanda, tokenizer: PreTrainedTokenizerBase) -> Start:
    """Copy the weights of a saved model to a new one. A compressor that the saved model lacks, and heads, stay new.

    Embeddings are copied word by word if the vocabularies differ.

    Args:
        model: the new model.
        old: the saved model.
        tokenizer: the new model's tokenizer.

    Raises:
        ConfigError: the saved model has other parts or sizes.
    """
    name = old.name
    saved, rope = old.model.state_dict(), _rope_change(old.model, model)
    own = {key: value for key, value in model.state_dict().items() if _part(key) != HEADS}
    by_word = _vocabulary_tensors(model)
    _check_same(name, saved, own, by_word)
    known: dict[str, int] = old.processor.tokenizer.get_vocab()
    words = tokenizer.get_vocab()
    for key in by_word & saved.keys():
        if known != words or saved[key].shape != own[key].shape:
            saved[key] = _by_word(saved[key], own[key], known, words)
    model.load_state_dict(saved, strict=False)
    fresh = sorted(set(words) - set(known), key=words.__getitem__)
    return Start(name, _by_part(saved), _by_part(own.keys() - saved.keys()), tuple(fresh), rope)


def check_fits(config: LongPandaConfig, old: LongPanda) -> None:
    """Check that a saved model fits a configuration, before the new model takes memory: default sizes may be huge.

    Raises:
        ConfigError: as `start_from`.
    """
    with torch.device("meta"):
        shape = LongPandaForConditionalGeneration(config)
    _check_same(old.name, old.model.state_dict(), shape.state_dict(), _vocabulary_tensors(shape))


def _rope_change(old: LongPandaForConditionalGeneration, new: LongPandaForConditionalGeneration) -> str:
    """Describe how rotary positions differ, in which case the same weights attend differently over a distance."""
    before, after = (getattr(one.config.text_config, "rope_parameters", None) or {} for one in (old, new))
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    said = ", ".join(f"{name} {before.get(name)} -> {after.get(name)}" for name in names)
    return f"; rotary positions: {said}" if said else ""


def _check_same(name: str, saved: Mapping[str, Tensor], own: Mapping[str, Tensor], by_word: set[str]) -> None:
    """Raise ConfigError if a tensor has another size, is left over, or is missing outside `OPTIONAL_PARTS`."""
    remedy = "change `model` to fit, or leave out `start`"
    for key, value in own.items():
        here = list(value.shape)
        there = list(saved[key].shape) if key in saved else None
        if there is None and _part(key) not in OPTIONAL_PARTS:
            raise ConfigError(f"start = '{name}', a model of other parts or sizes: no {key}", f"{here}", remedy)
        if there is not None and there[key in by_word :] != here[key in by_word :]:
            found = f"start = '{name}', a model of other parts or sizes: {key} {there}"
            raise ConfigError(found, f"{here}, as this recipe's `model` describes", remedy)
    for key in saved:
        if key not in own:
            found = f"start = '{name}', a model of other parts or sizes: it has {key}"
            raise ConfigError(found, "no other parts than this recipe's `model` describes", remedy)


def _vocabulary_tensors(model: LongPandaForConditionalGeneration) -> set[str]:
    """Return the names of the tensors with a row for each token of the vocabulary."""
    layers = [model.get_input_embeddings(), model.get_output_embeddings()]
    weights = {id(weight) for layer in layers if isinstance(layer, nn.Module) for weight in layer.parameters()}
    return {name for name, weight in model.named_parameters(remove_duplicate=False) if id(weight) in weights}


def _by_word(saved: Tensor, own: Tensor, known: Mapping[str, int], words: Mapping[str, int]) -> Tensor:
    """Return the new model's rows, with those of shared words copied from the saved model."""
    shared = [word for word in words if word in known]
    rows = own.clone()
    rows[torch.tensor([words[word] for word in shared])] = saved[torch.tensor([known[word] for word in shared])]
    return rows


def _part(key: str) -> str:
    return key.partition(".")[0]


def _by_part(keys: Iterable[str]) -> dict[str, int]:
    parts = [_part(key) for key in keys]
    return {part: parts.count(part) for part in sorted(set(parts))}


def _counts(parts: dict[str, int]) -> str:
    return ", ".join(f"{part} ({counted(count, 'tensor')})" for part, count in parts.items())
