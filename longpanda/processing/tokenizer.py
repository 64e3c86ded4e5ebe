"""A word-level tokenizer for generated suites: every word, digit and part of a written time is one token."""

import json
from collections.abc import Iterable
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from longpanda.errors import ConfigError
from longpanda.processing.prompt import CHAT_TEMPLATE
from longpanda.types import VIDEO_TOKEN

SPECIAL = {"pad_token": "<|pad|>", "unk_token": "<|unknown|>", "eos_token": "<|end|>"}
LONGEST_MINUTES = 240
_LOWER = normalizers.Lowercase()
_SPLIT = pre_tokenizers.Split(Regex(r" ?[a-z]+|\d\d\]|\[\d+:|\d| |[^\w\s]"), "isolated")


def word_tokenizer(words: Iterable[str]) -> PreTrainedTokenizerFast:
    """Make a tokenizer of the words, digits and punctuation marks in `words`. Any other word is the unknown token.

    Texts and `words` are split alike: they become lower-case, and "ice cream" and "it?" are two tokens each.

    A time such as "[61:05]" is two tokens, "[61:" and "05]". Numbers are split into digits. A word includes the space
    before it, so decoding only joins tokens.
    """
    pieces = [" "] + [piece for word in sorted(set(words)) for piece in _pieces_of(word)]
    pieces += [f"[{minute}:" for minute in range(LONGEST_MINUTES)] + [f"{second:02d}]" for second in range(60)]
    special = [*SPECIAL.values(), VIDEO_TOKEN, "<|question|>", "<|answer|>"]
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(special + pieces))}
    return _tokenizer(vocabulary)


def with_words(tokenizer: Any, words: Iterable[str]) -> PreTrainedTokenizerFast:
    """Add words to a `word_tokenizer`. All other words keep their ids, as a trained model needs.

    Raises:
        ConfigError: the tokenizer is of another kind, which needs no more words.
    """
    model = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    if model["type"] != "WordLevel":
        found = f"words for a tokenizer of type {model['type']}"
        raise ConfigError(found, "a tokenizer of whole words", "leave them out: it can spell every word")
    vocabulary: dict[str, int] = model["vocab"]
    for piece in (piece for word in words for piece in _pieces_of(word)):
        vocabulary.setdefault(piece, len(vocabulary))
    return _tokenizer(vocabulary)


def unknown_words(tokenizer: Any, text: str) -> list[str]:
    """Return the words of a text with an unknown token, or the whole text if only its white space is unknown."""
    unknown = _unknown_id(tokenizer)
    if unknown is None or unknown not in tokenizer.encode(text, add_special_tokens=False):
        return []
    words = dict.fromkeys(text.split())
    return [word for word in words if unknown in tokenizer.encode(word, add_special_tokens=False)] or [text]


def require_known_words(tokenizer: Any, input_ids: torch.Tensor, texts: Iterable[str]) -> None:
    """Check that the texts of a training batch have no unknown words.

    Args:
        tokenizer: the tokenizer.
        input_ids: the batch. Texts are only read if it has an unknown token, which may also be the chat format's.
        texts: questions, answers and times.

    Raises:
        ConfigError: they have.
    """
    unknown = _unknown_id(tokenizer)
    if unknown is None or not (input_ids == unknown).any():
        return
    words = dict.fromkeys(word for text in texts for word in unknown_words(tokenizer, text))
    if not words:
        return
    found = f"training on words that the tokenizer does not know: {', '.join(map(repr, words))}"
    remedy = "add them to vocabulary() of the stage's data, or to `words` in the recipe"
    raise ConfigError(found, "words of its vocabulary", remedy)


def _unknown_id(tokenizer: Any) -> int | None:
    """Return the id of unknown words. None if there is none, or if the same token also has another meaning."""
    others = (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id)
    return None if tokenizer.unk_token_id in others else tokenizer.unk_token_id


def _pieces_of(word: str) -> list[str]:
    """Split a word as the tokenizer splits texts. A piece of letters may also follow a space."""
    split = (piece.strip() for piece, _ in _SPLIT.pre_tokenize_str(_LOWER.normalize_str(word)))
    return [form for piece in split if piece for form in ([piece, " " + piece] if piece.isalpha() else [piece])]


def _tokenizer(vocabulary: dict[str, int]) -> PreTrainedTokenizerFast:
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token=SPECIAL["unk_token"]))
    backend.normalizer, backend.pre_tokenizer = _LOWER, _SPLIT
    backend.decoder = decoders.Fuse()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, additional_special_tokens=[VIDEO_TOKEN, "<|question|>", "<|answer|>"], **SPECIAL
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer
