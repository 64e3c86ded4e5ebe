"""Read the letter of an option from a model's answer."""

import re
from dataclasses import dataclass
from typing import Final

from longpanda.longwatch.answers import MOST_LETTERS, AnswerKind, Mark
from longpanda.longwatch.text import normalise

LETTERS: Final = "ABCDEFGH"

_LEAD: Final = r"(?:(?:the|my|final|correct|right|best|answer|option|choice|letter|is|boxed)\b|[^\w])*"
"""What may stand before a letter that is the whole answer: "The answer is (", "**", "\\boxed{"."""
_ALONE: Final = re.compile(rf"{_LEAD}([a-h])[^\w]*", re.IGNORECASE)
_WITH_TEXT: Final = re.compile(rf"{_LEAD}([a-h])\s*[^\w\s]+\s*(.+)", re.IGNORECASE | re.DOTALL)
_NAMED: Final = re.compile(r"(?<![\w'])(?!A +(?!(?:is|and|or|because|since|as)\b)[a-z])([A-H])(?![\w'])")
"""A capital letter that stands alone; "A" before a word in lower case is the article."""


@dataclass(frozen=True)
class Letter(AnswerKind):
    """The letter of one of several options, the only one that the text names. The partial mark equals the exact one.

    As lenient as the extractor of MMBench (Liu et al. 2023) and similar ones: "B", "b", "(B)", "B. 47",
    "The answer is B", or the words of exactly one option and nothing else.

    Args:
        options: the options, in the order of their letters.
    """

    options: tuple[str, ...]

    def mark(self, text: str, target: str) -> Mark:
        """Mark `text` against the letter `target`; "never" is an option like any other."""
        return self._mark(text, target)

    def _mark(self, text: str, target: str) -> Mark:
        value = float(self.read(text) == target)
        return Mark(value, value)

    def read(self, text: str) -> str:
        """Return the letter that a text chooses, or "" if it chooses none or more than one."""
        text = text[:MOST_LETTERS].strip()
        if found := _ALONE.fullmatch(text):
            return self._known(found[1].upper())
        if found := _WITH_TEXT.fullmatch(text):
            letter = self._known(found[1].upper())
            if letter and normalise(found[2]) == normalise(self.options[LETTERS.index(letter)]):
                return letter
        same = [letter for letter, option in zip(LETTERS, self.options, strict=False) if _same(option, text)]
        named = set(same) if len(same) == 1 else set(_NAMED.findall(text))
        return self._known(named.pop()) if len(named) == 1 else ""

    def _known(self, letter: str) -> str:
        return letter if LETTERS.index(letter) < len(self.options) else ""


def _same(option: str, text: str) -> bool:
    return normalise(option) == normalise(text)
