"""Accuracy with confidence intervals that allow for the dependence between questions about one video."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from longpanda.errors import ConfigError, counted
from longpanda.types import Score

Z_95 = 1.959964


@dataclass(frozen=True)
class Accuracy:
    """The share of right answers.

    Args:
        value: mean score.
        interval: its 95 % confidence interval.
        questions: number of questions.
        videos: number of clusters: videos, or scripts filmed at several lengths.
        errors: number of questions without an answer, which score 0.
    """

    value: float
    interval: tuple[float, float]
    questions: int
    videos: int
    errors: int

    def __str__(self) -> str:
        low, high = self.interval
        counts = [counted(self.questions, "question"), counted(self.videos, "video")]
        counts += [counted(self.errors, "error")] if self.errors else []
        return f"{self.value:.1%} [{low:.1%}, {high:.1%}], {', '.join(counts)}"


def accuracy(scores: Sequence[Score]) -> Accuracy:
    """Return the accuracy with Wilson's interval at the effective number of questions, n / design effect.

    Questions are clustered by video. Videos whose samples name the same `Facts.cluster`, such as one script at several
    lengths, form one cluster.

    The design effect compares the variance of the mean over clusters (linearised ratio estimator, Kish 1965) with that
    for independent questions; values below 1 are replaced by 1.

    Raises:
        ConfigError: there are no scores.
    """
    return mean_accuracy([(1.0, scores)])


def mean_accuracy(parts: Sequence[tuple[float, Sequence[Score]]]) -> Accuracy:
    """Return the weighted mean accuracy of several parts, such as lengths, with an interval like that of `accuracy`.

    The effective number of questions is Kish's 1 / sum(w^2 / n), divided by the design effect. The design effect uses
    residuals from the mean of each part, so that differences between lengths do not widen the interval of their mean.

    Args:
        parts: (weight, scores) of each part; parts with weight 0 are left out, and the weights need not add up to 1.

    Raises:
        ConfigError: there are no parts with a positive weight, or one of them has no scores.
    """
    parts = [(weight, scores) for weight, scores in parts if weight > 0]
    if not parts or not all(scores for _, scores in parts):
        raise ConfigError("no scores", "at least one", "run a model first")
    total = math.fsum(weight for weight, _ in parts)
    means = [math.fsum(score.value for score in scores) / len(scores) for _, scores in parts]
    mean = math.fsum(weight * own for (weight, _), own in zip(parts, means, strict=True)) / total
    kish = math.fsum((weight / total) ** 2 / len(scores) for weight, scores in parts)
    clusters = defaultdict[str, float](float)
    for (weight, scores), own in zip(parts, means, strict=True):
        for score in scores:
            clusters[score.sample.cluster] += weight / total / len(scores) * (score.value - own)
    interval = _wilson(mean, 1 / kish / _design_effect(mean, kish, list(clusters.values())))
    every = [score for _, scores in parts for score in scores]
    return Accuracy(mean, interval, len(every), len(clusters), sum(score.error is not None for score in every))


def _design_effect(mean: float, kish: float, residuals: list[float]) -> float:
    """Return the variance of the mean, from each cluster's weighted residual, relative to independent questions."""
    k, independent = len(residuals), mean * (1 - mean) * kish
    if k < 2 or independent <= 0:
        return 1.0
    return max(1.0, k / (k - 1) * sum(residual**2 for residual in residuals) / independent)


def _wilson(mean: float, n: float) -> tuple[float, float]:
    centre = (mean + Z_95**2 / (2 * n)) / (1 + Z_95**2 / n)
    half = Z_95 / (1 + Z_95**2 / n) * math.sqrt(mean * (1 - mean) / n + Z_95**2 / (4 * n**2))
    return max(0.0, centre - half) if mean > 0 else 0.0, min(1.0, centre + half) if mean < 1 else 1.0
