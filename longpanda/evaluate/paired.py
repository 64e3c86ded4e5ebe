"""Which of two models is better, on the questions that both were asked."""

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
"""The name of the row without questions that one of the two models left without an answer."""


@dataclass(frozen=True)
class Comparison:
    """Two models on the same questions.

    Args:
        difference: mean score of the second minus that of the first.
        interval: its 95 % interval, from resampling videos; -1 to 1 where there is one video only.
        questions: asked of both.
        videos: over how many videos, one script at several lengths being one.
        gained: questions on which the second scored more.
        lost: questions on which the first scored more.
    """

    difference: float
    interval: tuple[float, float]
    questions: int
    videos: int
    gained: int
    lost: int


def compare(first: Sequence[Score], second: Sequence[Score], seed: int = 0) -> Comparison:
    """The paired difference over the questions that both were asked, bootstrapped by video.

    Raises:
        ConfigError: they have no question in common.
    """
    known = {score.sample.key: score.value for score in first}
    clusters: dict[str, list[float]] = defaultdict(list)
    for score in second:
        if (key := score.sample.key) in known:
            clusters[score.sample.cluster].append(score.value - known[key])
    if not clusters:
        raise ConfigError("two results without a common question", "results on the same suite", "run both on one")
    every = np.concatenate([np.array(values) for values in clusters.values()])
    low, high = _resampled(list(clusters.values()), np.random.default_rng(seed))
    return Comparison(
        float(every.mean()), (low, high), len(every), len(clusters), int((every > 0).sum()), int((every < 0).sum())
    )


@dataclass(frozen=True)
class Paired:
    """The second of two models against the first.

    Args:
        name: which family or length, or `EVERYTHING`.
        found: over the questions that both were asked.
    """

    name: str
    found: Comparison


def pair(first: Sequence[Score], second: Sequence[Score]) -> tuple[Paired, ...]:
    """Two models on the questions that both were asked: over all, by family and by length.

    Where one of them left some without an answer, which counts as wrong, also over those that both answered.

    Raises:
        ConfigError: they have no question in common.
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
    """The 95 % interval of the mean over draws of as many clusters, each with all that is in it."""
    if len(clusters) < 2:
        return -1.0, 1.0
    totals = np.array([(sum(values), len(values)) for values in clusters])
    times = rng.multinomial(len(totals), np.full(len(totals), 1 / len(totals)), size=RESAMPLINGS)
    draws = times @ totals
    low, high = np.percentile(draws[:, 0] / draws[:, 1], (2.5, 97.5))
    return float(low), float(high)
