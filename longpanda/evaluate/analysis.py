"""Scores to what one wants to know: chance, cells, depth, lengths and what the sampler saw."""

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
"""Of the score at the shortest length: what an effective length has to keep."""
ABSOLUTE_BAR: Final = 0.60
EVERYTHING: Final = "all"
"""The name of the row over all families."""
DEPTH_EDGES: Final = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def grouped(scores: Sequence[Score], key: Callable[[Score], Hashable]) -> dict[Hashable, list[Score]]:
    """The scores by a key, in the order in which keys appear; those whose key is None are left out."""
    groups: dict[Hashable, list[Score]] = defaultdict(list)
    for score in scores:
        if (name := key(score)) is not None:
            groups[name].append(score)
    return dict(groups)


def chance(scores: Sequence[Score]) -> float:
    """What the best constant answer to each template earns on these questions, without any video.

    Either "never" to all of a template, which earns the share of absent things asked about, or a guess at what was
    shown, which earns what the samples carry as `Facts.chance`; where they carry none, the most frequent answer.
    The shares are those of the questions at hand, and the guesses those of the families' construction: an answer picked
    as the best of some questions drawn for the purpose looks better than it is, because it was picked.

    Raises:
        ConfigError: no scores at all.
    """
    if not scores:
        raise ConfigError("no scores", "at least one", "ask something first")
    templates = grouped(scores, lambda score: (score.sample.family, score.sample.facts.template))
    return math.fsum(_constant_rights(group) for group in templates.values()) / len(scores)


def _constant_rights(scores: Sequence[Score]) -> float:
    """How many questions of one template one answer gets right."""
    shown = [score.sample for score in scores if not score.sample.facts.absent]
    declared = [sample.facts.chance for sample in shown]
    if any(one is None for one in declared):
        return float(max(Counter(score.sample.target for score in scores).values()))
    return max(float(len(scores) - len(shown)), math.fsum(float(one) for one in declared if one is not None))


def above_chance(one: Accuracy, guess: float) -> Accuracy | None:
    """The score on a scale on which guessing is 0 and all right is 1; None where guessing gets all."""
    if guess >= 1:
        return None
    value, low, high = ((share - guess) / (1 - guess) for share in (one.value, *one.interval))
    return replace(one, value=value, interval=(low, high))


def by_minutes(scores: Sequence[Score]) -> dict[float, list[Score]]:
    """The scores by length in minutes, the shortest first."""
    groups = grouped(scores, lambda score: score.sample.minutes)
    return dict(sorted(groups.items()))  # type: ignore[arg-type]


def by_depth(scores: Sequence[Score], family: str = "needle") -> dict[tuple[float, float], Accuracy]:
    """Accuracy of a family by length in minutes and by the depth bin (its lower edge) of the first evidence."""
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
    """One row over all its lengths.

    Args:
        mean: every length weighs the same.
        area: under the curve over the logarithm of the length, as a share of the most that it can be.
        increasing: weights 1, 2, 3, ... from the shortest length on, RULER's wAvg (inc) (Hsieh et al. 2024).
        decreasing: the same from the longest length on, wAvg (dec).
    """

    mean: Accuracy
    area: Accuracy
    increasing: Accuracy
    decreasing: Accuracy


def averages(lengths: Mapping[float, Sequence[Score]]) -> Averages:
    """The averages of scores by length in minutes.

    Raises:
        ConfigError: no lengths, or one without scores.
    """
    order = sorted(lengths)
    ranks = [float(rank) for rank in range(1, 1 + len(order))]
    weights = ([1.0] * len(order), _log_widths(order), ranks, ranks[::-1])
    return Averages(*(mean_accuracy([(w, lengths[m]) for w, m in zip(row, order, strict=True)]) for row in weights))


def _log_widths(minutes: Sequence[float]) -> list[float]:
    """What the trapezoidal rule over the logarithm weighs each length with."""
    if len(minutes) < 2:
        return [1.0] * len(minutes)
    logs = [math.log(one) for one in minutes]
    ends = [logs[0], *logs, logs[-1]]
    return [after - before for before, after in zip(ends, ends[2:], strict=False)]


def effective_minutes(row: Mapping[float, Accuracy], guess: float = 0.0, bar: float | None = None) -> float:
    """The longest length up to which every length keeps the bar, as RULER (Hsieh et al. 2024) has it; 0 for none.

    0, too, where the shortest length is not surely above chance: a guesser keeps all of its score.

    Args:
        row: accuracy by length in minutes; not empty.
        guess: what guessing scores.
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
    """Whether the frames that were looked at fall into every interval of the evidence.

    None where there is no evidence, or where the answerer does not tell its frames.
    """
    spans, frames = score.sample.evidence_seconds, np.asarray(score.reply.frames_seconds)
    if not spans or not len(frames):
        return None
    return all(bool(np.any((frames >= start) & (frames < end))) for start, end in spans)


def coverage(scores: Sequence[Score]) -> Accuracy | None:
    """Share of the questions whose evidence the sampler saw, of those of which that is known."""
    known = [replace(score, value=float(seen)) for score in scores if (seen := covered(score)) is not None]
    return accuracy(known) if known else None


def refusal(scores: Sequence[Score]) -> tuple[Accuracy, Accuracy]:
    """Of questions about what never happens the share refused, and of the others the share refused (false alarms).

    An error is neither: nothing was refused, and there was no alarm.

    Raises:
        ConfigError: there are none of one kind.
    """
    absent = [score for score in scores if score.sample.facts.absent]
    present = [score for score in scores if not score.sample.facts.absent]
    if not absent or not present:
        found = f"{counted(len(absent), 'question')} about what is absent and {counted(len(present), 'other')}"
        raise ConfigError(found, "some of both", "ask a family that has both")
    alarms = [replace(score, value=float(score.error is None and _says_never(score))) for score in present]
    return accuracy(absent), accuracy(alarms)


def _says_never(score: Score) -> bool:
    return re.search(r"\bnever\b", score.reply.text.lower()) is not None


def answered(scores: Sequence[Score]) -> list[Score]:
    """The scores without those of questions that got no answer."""
    return [score for score in scores if score.error is None]
