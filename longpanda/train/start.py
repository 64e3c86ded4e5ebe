"""What a new model takes over from a saved one, and what of it starts new."""

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

NEW_PARTS = ("temporal",)
"""Parts that a saved model may lack."""


@dataclass(frozen=True)
class Start:
    """What became of a model's weights.

    Args:
        name: the saved model.
        taken: tensors taken over, by part.
        new: tensors that start new, by part.
        new_words: tokens that the saved model did not have.
        turned: what no weight shows, the rotary positions of both, where they differ; else "".
    """

    name: str
    taken: dict[str, int]
    new: dict[str, int]
    new_words: tuple[str, ...]
    turned: str = ""

    def __str__(self) -> str:
        new = _counts(self.new) or "nothing"
        words = (
            f" and {counted(len(self.new_words), 'word')} ({', '.join(map(repr, self.new_words))})"
            if self.new_words
            else ""
        )
        return f"started from '{self.name}': took over {_counts(self.taken)}; {new}{words} started new{self.turned}"


def start_from(model: LongPandaForConditionalGeneration, old: LongPanda, tokenizer: PreTrainedTokenizerBase) -> Start:
    """Give a new model the weights of a saved one. A compressor that has none starts new, and so do heads.

    Embeddings are taken over word by word where the two do not have the same words.

    Args:
        model: the new one.
        old: the saved one.
        tokenizer: the new one's.

    Raises:
        ConfigError: it has other parts or sizes.
    """
    name = old.name
    saved, turned = old.model.state_dict(), _turned(old.model, model)
    own = {key: value for key, value in model.state_dict().items() if _part(key) != HEADS}
    lexical = _lexical(model)
    _check_same(name, saved, own, lexical)
    known: dict[str, int] = old.processor.tokenizer.get_vocab()
    words = tokenizer.get_vocab()
    for key in lexical & saved.keys():
        if known != words or saved[key].shape != own[key].shape:
            saved[key] = _by_word(saved[key], own[key], known, words)
    model.load_state_dict(saved, strict=False)
    fresh = sorted(set(words) - set(known), key=words.__getitem__)
    return Start(name, _by_part(saved), _by_part(own.keys() - saved.keys()), tuple(fresh), turned)


def check_fits(config: LongPandaConfig, old: LongPanda) -> None:
    """Refuse a start for a model of another shape before that takes any memory: sizes that are not said may be huge.

    Raises:
        ConfigError: as `start_from`.
    """
    with torch.device("meta"):
        shape = LongPandaForConditionalGeneration(config)
    _check_same(old.name, old.model.state_dict(), shape.state_dict(), _lexical(shape))


def _turned(old: LongPandaForConditionalGeneration, new: LongPandaForConditionalGeneration) -> str:
    """How rotary positions differ: the same weights then mean something else at a distance."""
    before, after = (getattr(one.config.text_config, "rope_parameters", None) or {} for one in (old, new))
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    said = ", ".join(f"{name} {before.get(name)} -> {after.get(name)}" for name in names)
    return f"; rotary positions: {said}" if said else ""


def _check_same(name: str, saved: Mapping[str, Tensor], own: Mapping[str, Tensor], lexical: set[str]) -> None:
    """Raises ConfigError where a tensor has another size, is left over, or is missing outside `NEW_PARTS`."""
    remedy = "correct `model`, or start from none"
    for key, value in own.items():
        here = list(value.shape)
        there = list(saved[key].shape) if key in saved else None
        if there is None and _part(key) not in NEW_PARTS:
            raise ConfigError(f"start = '{name}', a model of other parts or sizes: no {key}", f"{here}", remedy)
        if there is not None and there[key in lexical :] != here[key in lexical :]:
            found = f"start = '{name}', a model of other parts or sizes: {key} {there}"
            raise ConfigError(found, f"{here}, as this recipe's `model` describes", remedy)
    for key in saved:
        if key not in own:
            found = f"start = '{name}', a model of other parts or sizes: it has {key}"
            raise ConfigError(found, "no other parts than this recipe's `model` describes", remedy)


def _lexical(model: LongPandaForConditionalGeneration) -> set[str]:
    """Names of the tensors with a row for each token."""
    layers = [model.get_input_embeddings(), model.get_output_embeddings()]
    weights = {id(weight) for layer in layers if isinstance(layer, nn.Module) for weight in layer.parameters()}
    return {name for name, weight in model.named_parameters(remove_duplicate=False) if id(weight) in weights}


def _by_word(saved: Tensor, own: Tensor, known: Mapping[str, int], words: Mapping[str, int]) -> Tensor:
    """The new model's rows, with those of the words that both know taken over."""
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
