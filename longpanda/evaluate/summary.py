"""The numbers of a report. Nothing is computed after this."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from longpanda.errors import ErrorKind
from longpanda.evaluate.analysis import Averages
from longpanda.evaluate.circular import LetterUse, Rotations
from longpanda.evaluate.metrics import Accuracy
from longpanda.types import Reply, Score

MOST_LETTERS: Final = 400
"""Number of characters of an answer or error that are shown."""
COSTS: Final[tuple[tuple[str, Callable[[Reply], float | None]], ...]] = (
    ("frames", lambda reply: len(reply.frames_seconds) or None),
    ("visual tokens", lambda reply: reply.visual_tokens),
    ("prompt tokens", lambda reply: reply.prompt_tokens),
    ("answer tokens", lambda reply: reply.answer_tokens),
    ("seconds", lambda reply: reply.seconds),
    ("peak memory", lambda reply: reply.peak_memory_bytes),
)
"""Costs of an answer as far as they are reported, in seconds and bytes."""


@dataclass(frozen=True)
class Measure:
    """A measure of a family other than exact marks.

    Args:
        name: name of the measure.
        of: returns the mark of an answer, 0 to 1.
    """

    name: str
    of: Callable[[Score], float]


@dataclass(frozen=True)
class FamilySummary:
    """One family over all lengths.

    Args:
        name: its name, or `EVERYTHING`.
        chance: accuracy of the best constant answers.
        exact: accuracy over all questions.
        cells: accuracy at each length of the summary; None if there are no questions.
        above: the same, rescaled so that chance is 0; None also if chance is 1.
        averages: averages over the lengths.
        effective_minutes: length up to which 0.85 of the way from chance to the score at the shortest length is kept;
            0: none.
        absolute_minutes: length up to which 60 % are right; 0: none.
        partial: mean of each further measure, by name.
        refusals: share refused of absent things, and of others; None if there are no questions about one of them.
        answered: accuracy over the answered questions; None if there are none.
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
        right: accuracy over all questions.
        costs: mean of each of `COSTS` over the answers that report it, for peak memory the maximum; None if none does.
            Errors are not included.
        covered: share of questions with evidence for which the sampled frames show all of it.
        right_covered: accuracy over these.
        right_uncovered: accuracy over the others.
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
        low: start of the part, 0 to 1.
        high: end of the part, 0 to 1.
        cells: accuracy at each length of the summary; None if there is no needle.
    """

    low: float
    high: float
    cells: tuple[Accuracy | None, ...]


@dataclass(frozen=True)
class Failure:
    """A question with a wrong answer or an error.

    Args:
        score: the question with its answer.
        picture: JPEG of the frame in the middle of the last interval of evidence; None if there is none.
        second: time of that frame.
        problem: why the frame cannot be shown, or "".
    """

    score: Score
    picture: bytes | None = None
    second: float = 0.0
    problem: str = ""

    @property
    def said(self) -> str:
        """The answer or the error, shortened."""
        return shortened(self.score.error or self.score.reply.text) or "nothing"


@dataclass(frozen=True)
class OptionsSummary:
    """Results of questions with lettered options in every rotation.

    Args:
        cells: plain and circular accuracy by family and length.
        letters: how often each letter was chosen, and was right.
        unfinished: number of questions with missing rotations.
    """

    cells: tuple[Rotations, ...]
    letters: tuple[LetterUse, ...]
    unfinished: int


@dataclass(frozen=True)
class Summary:
    """One file of results.

    Args:
        name: name of the model or system.
        configuration: configuration of the run.
        minutes: the lengths, shortest first.
        overall: all families together.
        families: the families.
        lengths: the results at each of `minutes`.
        depths: the results by depth of the needle; empty without needles.
        errors: (kind, beginning of the message, number of questions), most frequent first.
        failures: some failures, from all families.
        videos: number of videos.
        missing: number of questions of the suite that were not asked yet, or not in all rotations.
        options: results of the rotations; None for questions without options.
    """

    name: str
    configuration: dict[str, Any]
    minutes: tuple[float, ...]
    overall: FamilySummary
    families: tuple[FamilySummary, ...]
    lengths: tuple[Length, ...]
    depths: tuple[Depth, ...]
    errors: tuple[tuple[str, str, int], ...]
    failures: tuple[Failure, ...]
    videos: int
    missing: int = 0
    options: OptionsSummary | None = None

    @property
    def is_answered(self) -> bool:
        """Whether any question got an answer; otherwise accuracy says nothing about the model."""
        return self.overall.answered is not None

    @property
    def rows(self) -> tuple[FamilySummary, ...]:
        """The families, followed by all families together if there are several."""
        return (*self.families, self.overall) if len(self.families) > 1 else self.families


def kind_shown(score: Score) -> str:
    """Return the kind of a score's error; older results have no kinds."""
    return score.error_kind or ErrorKind.OTHER


def shortened(text: str) -> str:
    """Return the beginning of a text."""
    return text if len(text) <= MOST_LETTERS else f"{text[:MOST_LETTERS]} ..."
