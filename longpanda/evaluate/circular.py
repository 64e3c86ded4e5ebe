"""Questions with lettered options, asked in every rotation of them: what was right, and which letters were liked."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from longpanda.errors import ConfigError
from longpanda.evaluate.analysis import grouped
from longpanda.evaluate.metrics import Accuracy, accuracy
from longpanda.types import Score

NO_LETTER: Final = "none"
"""An answer that chose no option, or several, or an error."""


@dataclass(frozen=True)
class Rotated:
    """The rotations of every question made one, whose sample is the question without options.

    Args:
        plain: one score for each question, the share of its rotations that were right.
        circular: one for each question, 1 where all rotations were right, else 0; its reply is the first wrong one.
        unfinished: questions of which rotations are missing; they are in neither.
    """

    plain: tuple[Score, ...]
    circular: tuple[Score, ...]
    unfinished: int


def by_question(scores: Sequence[Score]) -> Rotated:
    """The rotations of every question together.

    They are one score and not several: what is asked eight times is no more certain for that.

    Raises:
        ConfigError: scores of questions without options.
    """
    if not has_options(scores):
        raise ConfigError("answers to questions without options", "those of run --choices", "name another file")
    groups = grouped(scores, lambda score: score.sample.id).values()
    whole = [group for group in groups if len(group) == len(group[0].sample.choices)]
    return Rotated(
        tuple(_as_one(group, sum(score.value for score in group) / len(group)) for group in whole),
        tuple(_as_one(group, float(all(score.value == 1 for score in group))) for group in whole),
        len(groups) - len(whole),
    )


def has_options(scores: Sequence[Score]) -> bool:
    """Whether these are answers to questions with options."""
    return bool(scores) and all(score.sample.rotation is not None for score in scores)


def judged(scores: Sequence[Score]) -> Sequence[Score]:
    """One score for each question: circular where there are options, else the scores as they are.

    Raises:
        ConfigError: no question has been asked in all its rotations.
    """
    if not has_options(scores):
        return scores
    if whole := by_question(scores).circular:
        return whole
    raise ConfigError("no question with an answer to all its rotations", "at least one", "go on with the run")


def _as_one(rotations: Sequence[Score], value: float) -> Score:
    shown = min(rotations, key=lambda score: (score.value, score.sample.rotation))
    error, kind = next(((score.error, score.error_kind) for score in rotations if score.error is not None), (None, ""))
    sample = replace(shown.sample, question=shown.sample.stem, target=shown.sample.answer)
    return replace(shown, value=value, partial=value, sample=sample, error=error, error_kind=kind)


@dataclass(frozen=True)
class Rotations:
    """One family at one length.

    Args:
        family: its name.
        minutes: the length.
        options: how many a question has, the fewest and the most.
        plain: mean over all rotations.
        circular: right in all of them.
    """

    family: str
    minutes: float
    options: tuple[int, int]
    plain: Accuracy
    circular: Accuracy


def cells_of(rotated: Rotated) -> list[Rotations]:
    """Plain and circular accuracy by family and length, each with its interval clustered by video."""
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
    """One letter over all answers.

    Args:
        letter: the letter, or `NO_LETTER`.
        chosen: share of the answers that chose it.
        right: share of the questions to which it is the answer.
    """

    letter: str
    chosen: float
    right: float


def letter_use(scores: Sequence[Score]) -> list[LetterUse]:
    """How often each letter was chosen (`Score.chosen`), and how often it is right."""
    chosen = Counter(score.chosen or NO_LETTER for score in scores)
    right = Counter(score.sample.target for score in scores)
    letters = [*sorted({*chosen, *right} - {NO_LETTER}), NO_LETTER]
    return [LetterUse(letter, chosen[letter] / len(scores), right[letter] / len(scores)) for letter in letters]
