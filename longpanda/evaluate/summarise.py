"""Computes the summary of one file of results, with every number that its report shows."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise, zip_longest
from typing import Any, Final

import numpy as np

from longpanda.errors import LongPandaError
from longpanda.evaluate.analysis import (
    ABSOLUTE_BAR,
    DEPTH_EDGES,
    EVERYTHING,
    above_chance,
    answered,
    averages,
    by_depth,
    by_minutes,
    chance,
    coverage,
    covered,
    effective_minutes,
    grouped,
    refusal,
)
from longpanda.evaluate.circular import by_question, cells_of, has_options, letter_use
from longpanda.evaluate.metrics import accuracy
from longpanda.evaluate.summary import (
    COSTS,
    Depth,
    Failure,
    FamilySummary,
    Length,
    Measure,
    OptionsSummary,
    Summary,
    kind_shown,
    shortened,
)
from longpanda.types import Score

Picture = Callable[[str, float], bytes]
"""Returns a frame as JPEG, given the name of a video and a second."""

FAILURES: Final = 12
"""Number of wrong answers that a report shows."""


def summarise(
    name: str,
    configuration: dict[str, Any],
    scores: Sequence[Score],
    measures: Mapping[str, Sequence[Measure]],
    picture: Picture | None = None,
    missing: int = 0,
    askings: Sequence[Score] = (),
) -> Summary:
    """Compute the summary of one file of results.

    Args:
        name: name of the system.
        configuration: the configuration of the results.
        scores: at least one score.
        measures: measures other than exact marks, by family.
        picture: returns a frame of a video; None for failures without pictures.
        missing: number of questions of the suite that have not been asked yet.
        askings: for questions with options, the score of every rotation; `scores` are then the circular scores.

    Raises:
        ConfigError: there are no scores.
    """
    minutes = tuple(by_minutes(scores))
    families = {str(one): group for one, group in grouped(scores, lambda score: score.sample.family).items()}
    options = _options(askings) if has_options(askings) else None
    messages = Counter((kind_shown(score), shortened(score.error)) for score in scores if score.error is not None)
    return Summary(
        name=name,
        configuration=configuration,
        minutes=minutes,
        overall=_family(EVERYTHING, scores, minutes),
        families=tuple(_family(one, group, minutes, measures.get(one, ())) for one, group in families.items()),
        lengths=tuple(_length(one, group) for one, group in by_minutes(scores).items()),
        depths=_depths(scores, minutes),
        errors=tuple((kind, message, count) for (kind, message), count in messages.most_common()),
        failures=tuple(_failure(score, picture) for score in _some_wrong(scores)),
        videos=len({score.sample.video for score in scores}),
        missing=max(missing, options.unfinished if options else 0),
        options=options,
    )


def _options(askings: Sequence[Score]) -> OptionsSummary:
    rotated = by_question(askings)
    return OptionsSummary(tuple(cells_of(rotated)), tuple(letter_use(askings)), rotated.unfinished)


def _family(
    name: str, group: Sequence[Score], minutes: tuple[float, ...], measures: Sequence[Measure] = ()
) -> FamilySummary:
    guess, lengths, whole = chance(group), by_minutes(group), answered(group)
    row = {length: accuracy(scores) for length, scores in lengths.items()}
    kinds = {score.sample.facts.absent for score in group}
    return FamilySummary(
        name=name,
        chance=guess,
        exact=accuracy(group),
        cells=tuple(row.get(length) for length in minutes),
        above=tuple(above_chance(row[length], guess) if length in row else None for length in minutes),
        averages=averages(lengths),
        effective_minutes=effective_minutes(row, guess),
        absolute_minutes=effective_minutes(row, guess, ABSOLUTE_BAR),
        partial=tuple((one.name, accuracy([replace(s, value=one.of(s)) for s in group])) for one in measures),
        refusals=refusal(group) if len(kinds) == 2 else None,
        answered=accuracy(whole) if whole else None,
    )


def _length(minutes: float, group: Sequence[Score]) -> Length:
    sides = ([score for score in group if covered(score) is side] for side in (True, False))
    seen, unseen = (accuracy(side) if side else None for side in sides)
    return Length(minutes, accuracy(group), _costs(group), coverage(group), seen, unseen)


def _costs(group: Sequence[Score]) -> tuple[float | None, ...]:
    known = [[value for score in answered(group) if (value := cost(score.reply)) is not None] for _, cost in COSTS]
    *means, peak = known
    return *(float(np.mean(values)) if values else None for values in means), float(max(peak)) if peak else None


def _depths(scores: Sequence[Score], minutes: tuple[float, ...]) -> tuple[Depth, ...]:
    table = by_depth(scores)
    bins = [Depth(low, high, tuple(table.get((one, low)) for one in minutes)) for low, high in pairwise(DEPTH_EDGES)]
    return tuple(bins) if table else ()


def _some_wrong(scores: Sequence[Score]) -> list[Score]:
    """Return wrong answers of every family in turn, and within a family of every length in turn."""
    wrong = [score for score in scores if score.value == 0]
    families = grouped(wrong, lambda score: score.sample.family).values()
    return _in_turn([_in_turn(list(by_minutes(group).values())) for group in families])[:FAILURES]


def _in_turn(groups: Sequence[Sequence[Score]]) -> list[Score]:
    return [score for turn in zip_longest(*groups) for score in turn if score is not None]


def _failure(score: Score, picture: Picture | None) -> Failure:
    if picture is None or not score.sample.evidence_seconds:
        return Failure(score)
    start, end = score.sample.evidence_seconds[-1]
    second = (start + end) / 2
    try:
        return Failure(score, picture(score.sample.video, second), second)
    except LongPandaError as error:
        return Failure(score, second=second, problem=str(error))
