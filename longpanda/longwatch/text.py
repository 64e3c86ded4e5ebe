"""Text of questions and answers: its words, and the normalised form by which answers are compared."""

import re
from typing import Final

_WORD: Final = re.compile(r"[a-z]+|\d|[^\w\s]")
_NUMBER_WORDS: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_AS_DIGITS: Final = {word: str(value) for value, word in enumerate(_NUMBER_WORDS)}
_ARTICLES: Final = ("the", "a", "an")


def split_words(text: str) -> tuple[str, ...]:
    """Return the lower-case words, single digits and punctuation marks of a text."""
    return tuple(_WORD.findall(text.lower()))


def normalise(text: str) -> str:
    """Return a text in lower case, without articles, punctuation and extra spaces, with numbers as joined digits."""
    words = re.findall(r"[^\W\d_]+|\d+", text.lower())
    kept = " ".join(_AS_DIGITS.get(word, word) for word in words if word not in _ARTICLES)
    return re.sub(r"(?<=\d) (?=\d)", "", kept)
