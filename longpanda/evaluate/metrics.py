"""Accuracy with an interval that knows that questions of one video are not independent."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from longpanda.errors import ConfigError, counted
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
        counts = [counted(self.questions, "question"), counted(self.videos, "video")]
        counts += [counted(self.errors, "error")] if self.errors else []
        return f"{self.value:.1%} [{low:.1%}, {high:.1%}], {', '.join(counts)}"


def accuracy(scores: Sequence[Score]) -> Accuracy:
    """Wilson's interval at the effective number of questions, n / design effect, clustered by video.

    Videos whose samples name the same `Facts.cluster`, one script at several lengths, are one cluster.

    The design effect compares the variance of the mean over videos (linearised ratio estimator, Kish 1965) with that
    of independent questions, and is never taken below 1.

    Raises:
        ConfigError: no scores at all.
    """
    return mean_accuracy([(1.0, scores)])


def mean_accuracy(parts: Sequence[tuple[float, Sequence[Score]]]) -> Accuracy:
    """The weighted mean of the accuracies of several parts, such as lengths, with an interval as `accuracy` has it.

    The effective number of questions is Kish's, 1 / sum(w^2 / n), over the design effect, whose variance is that of
    the parts' own residuals, so that lengths that differ do not widen the interval of their mean.

    Args:
        parts: (weight, scores) of each; weights of 0 are left out, the others need not add up to 1.

    Raises:
        ConfigError: a part with weight has no scores, or there is none.
    """
    parts = [(weight, scores) for weight, scores in parts if weight > 0]
    if not parts or not all(scores for _, scores in parts):
        raise ConfigError("no scores", "at least one", "ask something first")
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
    """How much more than with independent questions the mean varies, given each cluster's weighted residual."""
    k, independent = len(residuals), mean * (1 - mean) * kish
    if k < 2 or independent <= 0:
        return 1.0
    return max(1.0, k / (k - 1) * sum(residual**2 for residual in residuals) / independent)


def _wilson(mean: float, n: float) -> tuple[float, float]:
    centre = (mean + Z_95**2 / (2 * n)) / (1 + Z_95**2 / n)
    half = Z_95 / (1 + Z_95**2 / n) * math.sqrt(mean * (1 - mean) / n + Z_95**2 / (4 * n**2))
    return max(0.0, centre - half) if mean > 0 else 0.0, min(1.0, centre + half) if mean < 1 else 1.0
