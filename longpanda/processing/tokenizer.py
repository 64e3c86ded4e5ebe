"""A word-level tokenizer for generated worlds: every word, digit and timestamp part is one token."""

from collections.abc import Iterable

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from longpanda.processing.prompt import CHAT_TEMPLATE, VIDEO_TOKEN

SPECIAL = {"pad_token": "<|pad|>", "unk_token": "<|unknown|>", "eos_token": "<|end|>"}
LONGEST_MINUTES = 240
_PIECES = r" ?[a-z]+|\d\d\]|\[\d+:|\d| |[^\w\s]"


def word_tokenizer(words: Iterable[str]) -> PreTrainedTokenizerFast:
    """A tokenizer of lower-case `words`, digits and punctuation marks; anything else is one unknown token.

    A time such as "[61:05]" is two tokens, "[61:" and "05]"; numbers are spelled digit by digit; a word carries the
    space before it, so that decoding is plain joining.
    """
    pieces = [" "]
    for word in sorted(set(words)):
        pieces += [word, " " + word] if word.isalpha() else [word]
    pieces += [f"[{minute}:" for minute in range(LONGEST_MINUTES)] + [f"{second:02d}]" for second in range(60)]
    special = [*SPECIAL.values(), VIDEO_TOKEN, "<|question|>", "<|answer|>"]
    vocabulary = {piece: number for number, piece in enumerate(special + pieces)}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token=SPECIAL["unk_token"]))
    backend.normalizer = normalizers.Lowercase()
    backend.pre_tokenizer = pre_tokenizers.Split(Regex(_PIECES), "isolated")
    backend.decoder = decoders.Fuse()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, additional_special_tokens=[VIDEO_TOKEN, "<|question|>", "<|answer|>"], **SPECIAL
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer
