"""Text of questions and answers: how it is split into words, and when two answers are the same."""

import re
from typing import Final

_WORD: Final = re.compile(r"[a-z]+|\d|[^\w\s]")
_NUMBER_WORDS: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_AS_DIGITS: Final = {word: str(value) for value, word in enumerate(_NUMBER_WORDS)}
_ARTICLES: Final = ("the", "a", "an")


def split_words(text: str) -> tuple[str, ...]:
    """The lower-case words, single digits and punctuation marks of a text."""
    return tuple(_WORD.findall(text.lower()))


def normalise(text: str) -> str:
    """An answer without case, articles, punctuation and spare spaces, with numbers as digits written together."""
    words = re.findall(r"[^\W\d_]+|\d+", text.lower())
    kept = " ".join(_AS_DIGITS.get(word, word) for word in words if word not in _ARTICLES)
    return re.sub(r"(?<=\d) (?=\d)", "", kept)
