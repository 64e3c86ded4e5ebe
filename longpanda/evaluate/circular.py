"""Circular evaluation: questions asked once for every rotation of their lettered options, and the letters chosen."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from longpanda.errors import ConfigError
from longpanda.evaluate.analysis import grouped
from longpanda.evaluate.metrics import Accuracy, accuracy
from longpanda.types import Score

NO_LETTER: Final = "none"
"""Stands for an error, or an answer that chose no option or several."""


@dataclass(frozen=True)
class Rotated:
    """Scores of the rotations of each question combined into one, whose sample is the question without options.

    Args:
        plain: one score per question, the share of its rotations that were right.
        circular: one score per question, 1 if all rotations were right, else 0; its reply is the first wrong one.
        unfinished: number of questions with missing rotations, which are in neither.
    """

    plain: tuple[Score, ...]
    circular: tuple[Score, ...]
    unfinished: int


def by_question(scores: Sequence[Score]) -> Rotated:
    """Combine the rotations of each question into one score.

    They must not count separately: asking a question eight times does not make the accuracy more certain.

    Raises:
        ConfigError: a question has no options.
    """
    if not has_options(scores):
        raise ConfigError(
            "answers to questions without options", "results of run --choices", "choose another file of results"
        )
    groups = grouped(scores, lambda score: score.sample.id).values()
    whole = [group for group in groups if len(group) == len(group[0].sample.choices)]
    return Rotated(
        tuple(_as_one(group, sum(score.value for score in group) / len(group)) for group in whole),
        tuple(_as_one(group, float(all(score.value == 1 for score in group))) for group in whole),
        len(groups) - len(whole),
    )


def has_options(scores: Sequence[Score]) -> bool:
    """Return whether all scores are answers to questions with options."""
    return bool(scores) and all(score.sample.rotation is not None for score in scores)


def judged(scores: Sequence[Score]) -> Sequence[Score]:
    """Return one score per question: the circular ones for questions with options, else the scores unchanged.

    Raises:
        ConfigError: no question has been asked in all its rotations.
    """
    if not has_options(scores):
        return scores
    if whole := by_question(scores).circular:
        return whole
    raise ConfigError("no question with an answer to all its rotations", "at least one", "resume the run")


def _as_one(rotations: Sequence[Score], value: float) -> Score:
    shown = min(rotations, key=lambda score: (score.value, score.sample.rotation))
    error, kind = next(((score.error, score.error_kind) for score in rotations if score.error is not None), (None, ""))
    sample = replace(shown.sample, question=shown.sample.stem, target=shown.sample.answer)
    return replace(shown, value=value, partial=value, sample=sample, error=error, error_kind=kind)


@dataclass(frozen=True)
class Rotations:
    """Plain and circular accuracy of one family at one length.

    Args:
        family: name of the family.
        minutes: the length.
        options: smallest and largest number of options of a question.
        plain: accuracy over all rotations.
        circular: share of questions that are right in all rotations.
    """

    family: str
    minutes: float
    options: tuple[int, int]
    plain: Accuracy
    circular: Accuracy


def cells_of(rotated: Rotated) -> list[Rotations]:
    """Return plain and circular accuracy by family and length, with intervals clustered by video."""
    plain, circular = (grouped(scores, _family_and_minutes) for scores in (rotated.plain, rotated.circular))
    found = []
    for name, group in plain.items():
        about, sizes = group[0].sample, [len(score.sample.choices) for score in group]
        minutes = about.minutes
        found.append(
            Rotations(about.family, minutes, (min(sizes), max(sizes)), accuracy(group), accuracy(circular[name]))
        )
    return found


def _family_and_minutes(score: Score) -> tuple[str, float]:
    return score.sample.family, score.sample.minutes


@dataclass(frozen=True)
class LetterUse:
    """How often one letter was chosen, over all answers.

    Args:
        letter: the letter, or `NO_LETTER`.
        chosen: share of answers that chose it.
        right: share of questions for which it is the right answer.
    """

    letter: str
    chosen: float
    right: float


def letter_use(scores: Sequence[Score]) -> list[LetterUse]:
    """Return how often each letter was chosen (`Score.chosen`), and how often it is right."""
    chosen = Counter(score.chosen or NO_LETTER for score in scores)
    right = Counter(score.sample.target for score in scores)
    letters = [*sorted({*chosen, *right} - {NO_LETTER}), NO_LETTER]
    return [LetterUse(letter, chosen[letter] / len(scores), right[letter] / len(scores)) for letter in letters]
