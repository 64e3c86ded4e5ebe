"""Paired comparison of two models on the questions that both were asked."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from longpanda.errors import ConfigError
from longpanda.evaluate.analysis import EVERYTHING, by_minutes, grouped
from longpanda.types import Score

RESAMPLINGS: Final = 10_000
BOTH_ANSWERED: Final = "both answered"
"""Name of the row over the questions that both models answered."""


@dataclass(frozen=True)
class Comparison:
    """The difference between two models on the same questions.

    Args:
        difference: mean score of the second model minus that of the first.
        interval: its 95 % interval, from resampling clusters; -1 to 1 if there is only one.
        questions: number of questions that both were asked.
        videos: number of clusters: videos, or scripts filmed at several lengths.
        gained: number of questions on which the second model scored higher.
        lost: number of questions on which the first model scored higher.
    """

    difference: float
    interval: tuple[float, float]
    questions: int
    videos: int
    gained: int
    lost: int


def compare(first: Sequence[Score], second: Sequence[Score], seed: int = 0) -> Comparison:
    """Return the paired difference over the questions that both models were asked, bootstrapped by cluster.

    Raises:
        ConfigError: the models have no question in common.
    """
    known = {score.sample.key: score.value for score in first}
    clusters: dict[str, list[float]] = defaultdict(list)
    for score in second:
        if (key := score.sample.key) in known:
            clusters[score.sample.cluster].append(score.value - known[key])
    if not clusters:
        raise ConfigError("two results without a common question", "results on the same suite", "run both on one suite")
    every = np.concatenate([np.array(values) for values in clusters.values()])
    low, high = _resampled(list(clusters.values()), np.random.default_rng(seed))
    return Comparison(
        float(every.mean()), (low, high), len(every), len(clusters), int((every > 0).sum()), int((every < 0).sum())
    )


@dataclass(frozen=True)
class Paired:
    """A named comparison of two models, one row of a table.

    Args:
        name: the family or length, `EVERYTHING` or `BOTH_ANSWERED`.
        found: the comparison.
    """

    name: str
    found: Comparison


def pair(first: Sequence[Score], second: Sequence[Score]) -> tuple[Paired, ...]:
    """Compare two models on the questions that both were asked: over all of them, by family and by length.

    If some questions have no answer, which counts as wrong, also compare over the questions that both models answered.

    Raises:
        ConfigError: the models have no question in common.
    """
    asked = {score.sample.key for score in second}
    common = [score for score in first if score.sample.key in asked]
    rows = [Paired(EVERYTHING, compare(common, second))]
    families = grouped(common, lambda score: score.sample.family)
    rows += [Paired(str(family), compare(group, second)) for family, group in families.items()]
    lengths = by_minutes(common)
    rows += [Paired(f"{minutes:g} min", compare(group, second)) for minutes, group in lengths.items()]
    lost = {score.sample.key for score in (*first, *second) if score.error is not None}
    whole = [score for score in common if score.sample.key not in lost]
    rows += [Paired(BOTH_ANSWERED, compare(whole, second))] if lost and whole else []
    return tuple(rows)


def _resampled(clusters: list[list[float]], rng: np.random.Generator) -> tuple[float, float]:
    """Return the bootstrap 95 % interval of the mean: clusters are drawn with replacement, each with all its values."""
    if len(clusters) < 2:
        return -1.0, 1.0
    totals = np.array([(sum(values), len(values)) for values in clusters])
    times = rng.multinomial(len(totals), np.full(len(totals), 1 / len(totals)), size=RESAMPLINGS)
    draws = times @ totals
    low, high = np.percentile(draws[:, 0] / draws[:, 1], (2.5, 97.5))
    return float(low), float(high)
