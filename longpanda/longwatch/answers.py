"""Kinds of answers: how each is parsed from a model's text and marked against the true answer."""

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar, Final

from longpanda.longwatch.intervals import (
    RIGHT_IOU,
    TOLERANCE_SECONDS,
    TOLERANCE_SHARE,
    Interval,
    best_constant,
    iou,
    is_near,
)
from longpanda.longwatch.text import normalise

NEVER: Final = "never"
"""The true answer about something that never happens."""

MOST_LETTERS: Final = 2000
"""Number of characters of an answer that are read."""

_TIME: Final = re.compile(r"(?<!\d)(?:(\d{1,3}):)?(\d{1,6}):(\d\d(?:\.\d{1,9})?)(?!\d)")
_UNIT_WORDS: Final = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
sixteen seventeen eighteen nineteen"""
_TEN_WORDS: Final = "twenty thirty forty fifty sixty seventy eighty ninety"
_UNITS: Final = {word: value for value, word in enumerate(_UNIT_WORDS.split())}
_TENS: Final = {word: 10 * value for value, word in enumerate(_TEN_WORDS.split(), 2)}
_RELATIVE_ERRORS: Final = tuple(round(0.5 - 0.05 * step, 2) for step in range(10))
"""1 - theta for theta = 0.50, 0.55, ..., 0.95."""


@dataclass(frozen=True)
class Mark:
    """The marks of one answer.

    Args:
        value: 1.0 for a right answer, 0.0 for a wrong one.
        partial: partial credit, 0 to 1; its definition depends on the kind of answer.
    """

    value: float
    partial: float


class AnswerKind(ABC):
    """A kind of answer.

    Attributes:
        partial: name of its partial mark; "" if it is the same as the exact one.
    """

    partial: ClassVar[str] = ""

    def mark(self, text: str, target: str) -> Mark:
        """Mark `text` against `target`. "never" is right only if `target` is "never"."""
        text = text[:MOST_LETTERS]
        if NEVER in (normalise(target), *normalise(text).split()):
            value = float(normalise(target) == NEVER and NEVER in normalise(text).split())
            return Mark(value, value)
        return self._mark(text, target)

    def most_right(self, targets: Sequence[str]) -> int:
        """Return how many of the targets the best constant answer gets right."""
        return max(Counter(targets).values(), default=0)

    @abstractmethod
    def _mark(self, text: str, target: str) -> Mark:
        """Mark `text` if neither it nor `target` says "never"."""


class Whole(AnswerKind):
    """A whole number, the only one in the text. Partial mark: mean relative accuracy (Yang et al. 2024, VSI-Bench)."""

    partial: ClassVar[str] = "mean relative accuracy"

    def _mark(self, text: str, target: str) -> Mark:
        found, true = set(numbers_in(text)), int(target)
        if len(found) != 1:
            return Mark(0.0, 0.0)
        error = abs(found.pop() - true) / max(1, true)
        return Mark(float(error == 0), sum(error <= most for most in _RELATIVE_ERRORS) / len(_RELATIVE_ERRORS))


@dataclass(frozen=True)
class Choice(AnswerKind):
    """One of a closed set of answers, the only one named in the text. The partial mark equals the exact one."""

    options: tuple[str, ...]

    def _mark(self, text: str, target: str) -> Mark:
        value = float(set(mentioned(text, self.options)) == {normalise(target)})
        return Mark(value, value)


@dataclass(frozen=True)
class TitleList(AnswerKind):
    """Several of a closed set in their true order, each named once. Partial mark: Kendall's tau, at least 0."""

    partial: ClassVar[str] = "Kendall's tau"
    options: tuple[str, ...]

    def _mark(self, text: str, target: str) -> Mark:
        found, true = mentioned(text, self.options), mentioned(target, self.options)
        if sorted(found) != sorted(true):
            return Mark(0.0, 0.0)
        pairs = list(combinations([true.index(item) for item in found], 2))
        tau = sum(1 if one < other else -1 for one, other in pairs) / max(1, len(pairs))
        return Mark(float(found == true), max(0.0, tau))


@dataclass(frozen=True)
class Spelled(AnswerKind):
    """One of a closed set of words, the only one in the text. Partial mark: 1 less the edit distance per letter."""

    partial: ClassVar[str] = "1 less the edit distance per letter"
    options: tuple[str, ...]

    def _mark(self, text: str, target: str) -> Mark:
        value = float(set(mentioned(text, self.options)) == {normalise(target)})
        distance = edits(normalise(text), normalise(target))
        return Mark(value, max(value, 1 - min(1.0, distance / len(target))))


@dataclass(frozen=True)
class Slots(AnswerKind):
    """Several of a closed set, each in its place. Partial mark: F1 of the places that are right."""

    partial: ClassVar[str] = "F1 of the slots"
    options: tuple[str, ...]

    def _mark(self, text: str, target: str) -> Mark:
        found, true = mentioned(text, self.options), mentioned(target, self.options)
        right = sum(one == other for one, other in zip(found, true, strict=False))
        return Mark(float(found == true), 2 * right / (len(found) + len(true)))


class Span(AnswerKind):
    """An interval, the first two times in the text; right if its IoU is at least 0.5. Partial mark: the IoU."""

    partial: ClassVar[str] = "intersection over union"
    near: ClassVar[str] = f"both ends within {TOLERANCE_SECONDS:g} s, or {TOLERANCE_SHARE:.1%} of the video"
    """Name of the mark of `mark_near`."""

    def _mark(self, text: str, target: str) -> Mark:
        found, true = interval_in(text), interval_in(target)
        if found is None or true is None:
            return Mark(0.0, 0.0)
        alike = iou(found, true)
        return Mark(float(alike >= RIGHT_IOU), alike)

    def mark_near(self, text: str, target: str, duration_seconds: float) -> float:
        """Return 1.0 if both ends are within the tolerance or "never" is right, else 0.0.

        Args:
            text: the answer.
            target: the true answer.
            duration_seconds: duration of the video.
        """
        found, true = interval_in(text[:MOST_LETTERS]), interval_in(target)
        if found is None or true is None or NEVER in normalise(text[:MOST_LETTERS]).split():
            return self.mark(text, target).value
        return float(is_near(found, true, duration_seconds))

    def most_right(self, targets: Sequence[str]) -> int:
        """Return how many of the targets the best constant answer gets right; one interval may be right for several."""
        spans = [span for target in targets if (span := interval_in(target)) is not None]
        blind = best_constant(spans) if spans else None
        by_interval = 0 if blind is None else sum(iou(blind, span) >= RIGHT_IOU for span in spans)
        return max(super().most_right(targets), by_interval)


def mentioned(text: str, options: tuple[str, ...]) -> list[str]:
    """Return the options that a text names as whole words, in order; a longer option wins over one that it contains."""
    names = sorted({normalise(option) for option in options}, key=len, reverse=True)
    return re.findall(rf"\b(?:{'|'.join(map(re.escape, names))})\b", normalise(text))


def edits(text: str, target: str) -> int:
    """Return the edit distance of two texts (Levenshtein 1966)."""
    costs = list(range(len(target) + 1))
    for row, letter in enumerate(text, 1):
        before, costs[0] = costs[0], row
        for column, wanted in enumerate(target, 1):
            changed = before + (letter != wanted)
            before, costs[column] = costs[column], min(costs[column] + 1, costs[column - 1] + 1, changed)
    return costs[-1]


def numbers_in(text: str) -> list[float]:
    """Return all numbers of a text: those in digits, also if separated ("4 7"), otherwise those in words up to 99."""
    digits = re.findall(r"-?\d{1,9}(?:[.,]\d{1,9})?(?!\d)", re.sub(r"(?<=\b\d) (?=\d\b)", "", text))
    if re.search(r"\d", text):
        return [float(number.replace(",", ".")) for number in digits]
    words = re.findall(r"[a-z]+", text.lower())
    found, tens = [], 0
    for word in words:
        if word in _TENS:
            tens = _TENS[word]
            found.append(tens)
        elif word in _UNITS:
            found += [found.pop() + _UNITS[word]] if tens and _UNITS[word] < 10 else [_UNITS[word]]
            tens = 0
        else:
            tens = 0
    return [float(number) for number in found]


def seconds_in(text: str) -> list[float]:
    """Return all times h:mm:ss or mm:ss in a text, in seconds."""
    return [int(h or 0) * 3600 + int(m) * 60 + float(s) for h, m, s in _TIME.findall(text)]


def interval_in(text: str) -> Interval | None:
    """Return the first two times of a text, or None if there are fewer or the second is not later."""
    found = seconds_in(text)[:2]
    return (found[0], found[1]) if len(found) == 2 and found[0] < found[1] else None


def clock(seconds: float, tenths: bool = False) -> str:
    """Format as mm:ss, rounded to a second or a tenth; minutes may exceed 59."""
    whole = round(seconds * 10) if tenths else round(seconds) * 10
    rest = f".{whole % 10}" if tenths else ""
    return f"{whole // 600:02d}:{whole // 10 % 60:02d}{rest}"
