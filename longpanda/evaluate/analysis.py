"""Statistics of scores: chance, accuracy by length and depth, averages, effective length and evidence coverage."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from longpanda.errors import ConfigError, counted
from longpanda.evaluate.metrics import Accuracy, accuracy, mean_accuracy
from longpanda.types import Score

RELATIVE_BAR: Final = 0.85
"""Share of the way from chance to the score at the shortest length that must be kept up to the effective length."""
ABSOLUTE_BAR: Final = 0.60
"""The same bar as an accuracy."""
EVERYTHING: Final = "all"
"""Name of the row over all families."""
DEPTH_EDGES: Final = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def grouped(scores: Sequence[Score], key: Callable[[Score], Hashable]) -> dict[Hashable, list[Score]]:
    """Group scores by a key, in order of first appearance. Scores whose key is None are left out."""
    groups: dict[Hashable, list[Score]] = defaultdict(list)
    for score in scores:
        if (name := key(score)) is not None:
            groups[name].append(score)
    return dict(groups)


def chance(scores: Sequence[Score]) -> float:
    """Return the chance level: accuracy of the best constant answer to each template, given without seeing the video.

    That answer is either "never", which is right for the questions about absent things, or a guess at what was shown,
    which is right with the probability that the samples state in `Facts.chance`. If they state none, it is the most
    frequent answer. The share of absent things is that of the given questions, but the probability of a guess follows
    from how a family is constructed: an answer chosen as the best on a set of questions scores higher on that set than
    its true probability.

    Raises:
        ConfigError: there are no scores.
    """
    if not scores:
        raise ConfigError("no scores", "at least one", "run a model first")
    templates = grouped(scores, lambda score: (score.sample.family, score.sample.facts.template))
    return math.fsum(_right_by_constant(group) for group in templates.values()) / len(scores)


def _right_by_constant(scores: Sequence[Score]) -> float:
    """Return the expected number of questions of one template that its best constant answer gets right."""
    shown = [score.sample for score in scores if not score.sample.facts.absent]
    declared = [sample.facts.chance for sample in shown]
    if any(one is None for one in declared):
        return float(max(Counter(score.sample.target for score in scores).values()))
    return max(float(len(scores) - len(shown)), math.fsum(float(one) for one in declared if one is not None))


def above_chance(one: Accuracy, guess: float) -> Accuracy | None:
    """Rescale an accuracy so that chance is 0 and a perfect score is 1. Return None if chance is already 1."""
    if guess >= 1:
        return None
    value, low, high = ((share - guess) / (1 - guess) for share in (one.value, *one.interval))
    return replace(one, value=value, interval=(low, high))


def by_minutes(scores: Sequence[Score]) -> dict[float, list[Score]]:
    """Group scores by length in minutes, the shortest first."""
    groups = grouped(scores, lambda score: score.sample.minutes)
    return dict(sorted(groups.items()))  # type: ignore[arg-type]


def by_depth(scores: Sequence[Score], family: str = "needle") -> dict[tuple[float, float], Accuracy]:
    """Return the accuracy of a family by length in minutes and depth bin (its lower edge) of the first evidence."""
    chosen = [score for score in scores if score.sample.family == family]
    return {name: accuracy(group) for name, group in grouped(chosen, _length_and_depth).items()}  # type: ignore[misc]


def _length_and_depth(score: Score) -> Hashable:
    depth = score.sample.facts.depth
    if depth is None:
        return None
    bin_ = min(int(np.searchsorted(DEPTH_EDGES, depth, side="right")) - 1, len(DEPTH_EDGES) - 2)
    return score.sample.minutes, DEPTH_EDGES[bin_]


@dataclass(frozen=True)
class Averages:
    """Averages of accuracy over several lengths.

    Args:
        mean: mean with equal weight for every length.
        area: area under the curve over the logarithm of the length, as a share of its maximum.
        increasing: weighted mean with weights 1, 2, 3, ... from the shortest to the longest length, RULER's wAvg (inc)
            (Hsieh et al. 2024).
        decreasing: the same from the longest to the shortest length, wAvg (dec).
    """

    mean: Accuracy
    area: Accuracy
    increasing: Accuracy
    decreasing: Accuracy


def averages(lengths: Mapping[float, Sequence[Score]]) -> Averages:
    """Return averages over lengths.

    Args:
        lengths: scores by length in minutes.

    Raises:
        ConfigError: there are no lengths, or a length has no scores.
    """
    order = sorted(lengths)
    ranks = [float(rank) for rank in range(1, 1 + len(order))]
    weights = ([1.0] * len(order), _log_widths(order), ranks, ranks[::-1])
    return Averages(*(mean_accuracy([(w, lengths[m]) for w, m in zip(row, order, strict=True)]) for row in weights))


def _log_widths(minutes: Sequence[float]) -> list[float]:
    """Return the weight of each length by the trapezoidal rule over the logarithm of the length."""
    if len(minutes) < 2:
        return [1.0] * len(minutes)
    logs = [math.log(one) for one in minutes]
    ends = [logs[0], *logs, logs[-1]]
    return [after - before for before, after in zip(ends, ends[2:], strict=False)]


def effective_minutes(row: Mapping[float, Accuracy], guess: float = 0.0, bar: float | None = None) -> float:
    """Return the effective length: the longest up to which every length reaches a bar (RULER, Hsieh et al. 2024).

    Returns 0 if there is none. Also returns 0 if accuracy at the shortest length is not significantly above chance,
    because the accuracy of guessing does not fall with length.

    Args:
        row: accuracy by length in minutes; not empty.
        guess: chance level.
        bar: least accuracy; None for 0.85 of the way from chance to the accuracy at the shortest length.
    """
    shortest = row[min(row)]
    if shortest.interval[0] <= guess:
        return 0.0
    least = guess + RELATIVE_BAR * (shortest.value - guess) if bar is None else bar
    longest = 0.0
    for minutes, one in sorted(row.items(), key=lambda pair: pair[0]):
        if one.value < least:
            break
        longest = minutes
    return longest


def covered(score: Score) -> bool | None:
    """Return whether every interval of the evidence contains at least one frame that the answerer looked at.

    Returns None without evidence, or if the answerer does not report its frames.
    """
    spans, frames = score.sample.evidence_seconds, np.asarray(score.reply.frames_seconds)
    if not spans or not len(frames):
        return None
    return all(bool(np.any((frames >= start) & (frames < end))) for start, end in spans)


def coverage(scores: Sequence[Score]) -> Accuracy | None:
    """Return the share of questions whose evidence was covered by frames, among those for which that is known."""
    known = [replace(score, value=float(seen)) for score in scores if (seen := covered(score)) is not None]
    return accuracy(known) if known else None


def refusal(scores: Sequence[Score]) -> tuple[Accuracy, Accuracy]:
    """Return the shares of questions answered "never": about things that are absent, and about others (false alarms).

    An error counts as neither a refusal nor a false alarm.

    Raises:
        ConfigError: there are no questions of one of the two kinds.
    """
    absent = [score for score in scores if score.sample.facts.absent]
    present = [score for score in scores if not score.sample.facts.absent]
    if not absent or not present:
        found = f"{counted(len(absent), 'question')} about absent things and {counted(len(present), 'other')}"
        raise ConfigError(found, "questions of both kinds", "choose a family that has both")
    alarms = [replace(score, value=float(score.error is None and _says_never(score))) for score in present]
    return accuracy(absent), accuracy(alarms)


def _says_never(score: Score) -> bool:
    return re.search(r"\bnever\b", score.reply.text.lower()) is not None


def answered(scores: Sequence[Score]) -> list[Score]:
    """Return the scores of questions that got an answer."""
    return [score for score in scores if score.error is None]
