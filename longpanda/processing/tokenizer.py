"""A word-level tokenizer for generated suites: every word, digit and part of a written time is one token."""

import json
from collections.abc import Iterable
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from longpanda.errors import ConfigError
from longpanda.processing.prompt import CHAT_TEMPLATE
from longpanda.types import VIDEO_TOKEN

SPECIAL = {"pad_token": "<|pad|>", "unk_token": "<|unknown|>", "eos_token": "<|end|>"}
LONGEST_MINUTES = 240
_PIECES = r" ?[a-z]+|\d\d\]|\[\d+:|\d| |[^\w\s]"


def word_tokenizer(words: Iterable[str]) -> PreTrainedTokenizerFast:
    """Make a tokenizer of lower-case `words`, digits and punctuation marks. Any other word is the unknown token.

    A time such as "[61:05]" is two tokens, "[61:" and "05]". Numbers are split into digits. A word includes the space
    before it, so decoding only joins tokens.
    """
    pieces = [" "]
    for word in sorted(set(words)):
        pieces += _pieces_of(word)
    pieces += [f"[{minute}:" for minute in range(LONGEST_MINUTES)] + [f"{second:02d}]" for second in range(60)]
    special = [*SPECIAL.values(), VIDEO_TOKEN, "<|question|>", "<|answer|>"]
    vocabulary = {piece: number for number, piece in enumerate(special + pieces)}
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


def _pieces_of(word: str) -> list[str]:
    return [word, " " + word] if word.isalpha() else [word]


def _tokenizer(vocabulary: dict[str, int]) -> PreTrainedTokenizerFast:
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token=SPECIAL["unk_token"]))
    backend.normalizer = normalizers.Lowercase()
    backend.pre_tokenizer = pre_tokenizers.Split(Regex(_PIECES), "isolated")
    backend.decoder = decoders.Fuse()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, additional_special_tokens=[VIDEO_TOKEN, "<|question|>", "<|answer|>"], **SPECIAL
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer
