"""What a page of results says, as numbers: nothing is computed from here on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from longpanda.errors import ErrorKind
from longpanda.evaluate.analysis import Averages
from longpanda.evaluate.circular import LetterUse, Rotations
from longpanda.evaluate.metrics import Accuracy
from longpanda.types import Reply, Score

MOST_LETTERS: Final = 400
"""Of an answer or an error that are shown."""
COSTS: Final[tuple[tuple[str, Callable[[Reply], float | None]], ...]] = (
    ("frames", lambda reply: len(reply.frames_seconds) or None),
    ("visual tokens", lambda reply: reply.visual_tokens),
    ("prompt tokens", lambda reply: reply.prompt_tokens),
    ("answer tokens", lambda reply: reply.answer_tokens),
    ("seconds", lambda reply: reply.seconds),
    ("peak memory", lambda reply: reply.peak_memory_bytes),
)
"""What an answer costs, as far as the answerer tells; seconds and bytes."""


@dataclass(frozen=True)
class Measure:
    """What is told of a family beside exact marks.

    Args:
        name: what it is.
        of: an answer's mark, 0 to 1.
    """

    name: str
    of: Callable[[Score], float]


@dataclass(frozen=True)
class Family:
    """One family over all lengths.

    Args:
        name: its name, or `EVERYTHING`.
        chance: what the best constant answers earn.
        exact: accuracy over all questions.
        cells: accuracy at each length of the summary; None where nothing was asked.
        above: the same on a scale on which guessing is 0; None also where guessing gets all.
        averages: over the lengths.
        effective_minutes: up to where 0.85 of the way from chance to the score at the shortest length is kept; 0: none.
        absolute_minutes: up to where 60 % are right; 0: none.
        partial: the mean of each measure that is told beside exact marks, by its name.
        refusals: share refused of absent things, and of others; None where one kind was not asked about.
        answered: accuracy over the questions that got an answer; None where none did.
    """

    name: str
    chance: float
    exact: Accuracy
    cells: tuple[Accuracy | None, ...]
    above: tuple[Accuracy | None, ...]
    averages: Averages
    effective_minutes: float
    absolute_minutes: float
    partial: tuple[tuple[str, Accuracy], ...]
    refusals: tuple[Accuracy, Accuracy] | None
    answered: Accuracy | None


@dataclass(frozen=True)
class Length:
    """All families at one length.

    Args:
        minutes: the length.
        right: of all questions.
        costs: mean of each of `COSTS` over the answers that tell it, of peak memory the largest; None if none does.
            What was spent on errors is not in it.
        covered: share of questions with evidence of which the frames that were looked at show all of it.
        right_covered: accuracy where they do.
        right_uncovered: accuracy where they do not.
    """

    minutes: float
    right: Accuracy
    costs: tuple[float | None, ...]
    covered: Accuracy | None
    right_covered: Accuracy | None
    right_uncovered: Accuracy | None


@dataclass(frozen=True)
class Depth:
    """Needles in one part of their videos.

    Args:
        low: where the part starts, 0 to 1.
        high: where it ends.
        cells: accuracy at each length of the summary; None where there is no needle.
    """

    low: float
    high: float
    cells: tuple[Accuracy | None, ...]


@dataclass(frozen=True)
class Failure:
    """A question answered wrongly.

    Args:
        score: what was asked and said.
        picture: JPEG of the middle of the last piece of evidence; None where there is none to show.
        second: when it is shown.
        problem: why it cannot be shown, or "".
    """

    score: Score
    picture: bytes | None = None
    second: float = 0.0
    problem: str = ""

    @property
    def said(self) -> str:
        """The answer, or the error instead of one; not more of it than anybody reads."""
        return shortened(self.score.error or self.score.reply.text) or "nothing"


@dataclass(frozen=True)
class Options:
    """Questions with lettered options, asked in every rotation of them.

    Args:
        cells: plain and circular accuracy by family and length.
        letters: how often each was chosen and right.
        unfinished: questions of which rotations are missing.
    """

    cells: tuple[Rotations, ...]
    letters: tuple[LetterUse, ...]
    unfinished: int


@dataclass(frozen=True)
class Summary:
    """One file of results.

    Args:
        name: of what was measured.
        configuration: of the results.
        minutes: the lengths, the shortest first.
        overall: all families together.
        families: each.
        lengths: each of `minutes`.
        depths: of needles; empty where none was asked about.
        errors: (kind, beginning of the message, questions), the most frequent first.
        failures: some, of every family in turn.
        videos: how many were asked about.
        missing: questions of the suite that were not asked yet, or not in all rotations.
        options: what was said to the rotations of questions with options; None for questions without.
    """

    name: str
    configuration: dict[str, Any]
    minutes: tuple[float, ...]
    overall: Family
    families: tuple[Family, ...]
    lengths: tuple[Length, ...]
    depths: tuple[Depth, ...]
    errors: tuple[tuple[str, str, int], ...]
    failures: tuple[Failure, ...]
    videos: int
    missing: int = 0
    options: Options | None = None

    @property
    def is_answered(self) -> bool:
        """Whether any question got an answer; where none did, shares of right ones say nothing of the model."""
        return self.overall.answered is not None

    @property
    def rows(self) -> tuple[Family, ...]:
        """The families, then all of them where there are several."""
        return (*self.families, self.overall) if len(self.families) > 1 else self.families


def kind_shown(score: Score) -> str:
    """The kind of a score's error, also where results are from before kinds were kept."""
    return score.error_kind or ErrorKind.OTHER


def shortened(text: str) -> str:
    """The beginning of a text that may be of any length."""
    return text if len(text) <= MOST_LETTERS else f"{text[:MOST_LETTERS]} ..."
