"""Accuracy with an interval that knows that questions of one video are not independent."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from longpanda.errors import ConfigError
from longpanda.types import Score

Z_95 = 1.959964


@dataclass(frozen=True)
class Accuracy:
    """A share of right answers.

    Args:
        value: mean score.
        interval: its 95 % confidence interval.
        questions: how many.
        videos: over how many videos.
        errors: questions that got no answer, scored 0.
    """

    value: float
    interval: tuple[float, float]
    questions: int
    videos: int
    errors: int

    def __str__(self) -> str:
        low, high = self.interval
        errors = f", {self.errors} errors" if self.errors else ""
        return f"{self.value:.1%} [{low:.1%}, {high:.1%}], {self.questions} questions, {self.videos} videos{errors}"


def accuracy(scores: Sequence[Score]) -> Accuracy:
    """Wilson's interval at the effective number of questions, n / design effect, clustered by video.

    Videos whose samples name the same `metadata["cluster"]`, one script at several lengths, are one cluster.

    The design effect compares the variance of the mean over videos (linearised ratio estimator, Kish 1965) with that
    of independent questions, and is never taken below 1.

    Raises:
        ConfigError: no scores at all.
    """
    if not scores:
        raise ConfigError("no scores", "at least one", "ask something first")
    mean = sum(score.value for score in scores) / len(scores)
    clusters: dict[str, list[float]] = defaultdict(list)
    for score in scores:
        clusters[cluster_of(score)].append(score.value)
    interval = _wilson(mean, len(scores) / _design_effect(mean, list(clusters.values())))
    errors = sum(score.error is not None for score in scores)
    return Accuracy(mean, interval, len(scores), len(clusters), errors)


def cluster_of(score: Score) -> str:
    """What scores are not independent within: the video, or what several videos were made from."""
    return str(score.sample.metadata.get("cluster", score.sample.video))


def _design_effect(mean: float, clusters: list[list[float]]) -> float:
    n, k = sum(map(len, clusters)), len(clusters)
    if k < 2 or mean in (0.0, 1.0):
        return 1.0
    between = k / (k - 1) * sum((sum(values) - mean * len(values)) ** 2 for values in clusters) / n**2
    independent = mean * (1 - mean) / n
    return max(1.0, between / independent)


def _wilson(mean: float, n: float) -> tuple[float, float]:
    centre = (mean + Z_95**2 / (2 * n)) / (1 + Z_95**2 / n)
    half = Z_95 / (1 + Z_95**2 / n) * math.sqrt(mean * (1 - mean) / n + Z_95**2 / (4 * n**2))
    return max(0.0, centre - half), min(1.0, centre + half)
