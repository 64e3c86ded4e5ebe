"""Scores to what one wants to know: cells, depth, effective length, what the sampler saw, and which model is better."""

import re
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from longpanda.errors import ConfigError
from longpanda.evaluate.metrics import Accuracy, accuracy, cluster_of
from longpanda.types import Score

RELATIVE_BAR: Final = 0.85
"""Of the score at the shortest length: what an effective length has to keep."""
ABSOLUTE_BAR: Final = 0.60
DEPTH_EDGES: Final = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
RESAMPLINGS: Final = 10_000


def grouped(scores: Sequence[Score], key: Callable[[Score], Hashable]) -> dict[Hashable, list[Score]]:
    """The scores by a key, in the order in which keys appear; those whose key is None are left out."""
    groups: dict[Hashable, list[Score]] = defaultdict(list)
    for score in scores:
        if (name := key(score)) is not None:
            groups[name].append(score)
    return dict(groups)


def cells(scores: Sequence[Score]) -> dict[tuple[str, float], Accuracy]:
    """Accuracy by family and length in minutes."""
    groups = grouped(scores, lambda score: (score.sample.family, score.sample.metadata["minutes"]))
    return {name: accuracy(group) for name, group in groups.items()}  # type: ignore[misc]


def by_depth(scores: Sequence[Score], family: str = "needle") -> dict[tuple[float, float], Accuracy]:
    """Accuracy of a family by length in minutes and by the depth bin (its lower edge) of the first evidence."""
    chosen = [score for score in scores if score.sample.family == family]
    return {name: accuracy(group) for name, group in grouped(chosen, _length_and_depth).items()}  # type: ignore[misc]


def _length_and_depth(score: Score) -> Hashable:
    depth = score.sample.metadata.get("depth")
    if depth is None:
        return None
    bin_ = min(int(np.searchsorted(DEPTH_EDGES, depth, side="right")) - 1, len(DEPTH_EDGES) - 2)
    return score.sample.metadata["minutes"], DEPTH_EDGES[bin_]


def effective_minutes(
    table: dict[tuple[str, float], Accuracy], family: str, chance: float = 0.0, bar: float | None = None
) -> float:
    """The longest length up to which every length keeps the bar, as RULER (Hsieh et al. 2024) has it; 0 for none.

    None where the shortest length is not surely above chance: a guesser keeps all of its score.

    Args:
        table: of `cells`.
        family: which row.
        chance: what guessing scores.
        bar: least accuracy; None for 0.85 of the way from chance to the accuracy at the shortest length.
    """
    row = sorted([(minutes, one) for (name, minutes), one in table.items() if name == family], key=lambda pair: pair[0])
    shortest = row[0][1]
    if shortest.interval[0] <= chance:
        return 0.0
    least = chance + RELATIVE_BAR * (shortest.value - chance) if bar is None else bar
    longest = 0.0
    for minutes, one in row:
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


def coverage(scores: Sequence[Score]) -> float | None:
    """Share of the questions whose evidence the sampler saw, of those of which that is known."""
    known = [seen for score in scores if (seen := covered(score)) is not None]
    return float(np.mean(known)) if known else None


def refusal(scores: Sequence[Score]) -> tuple[float, float]:
    """Of questions about what never happens the share refused, and of the others the share refused (false alarms).

    Raises:
        ConfigError: there are none of one kind.
    """
    absent = [score for score in scores if score.sample.metadata.get("absent")]
    present = [score for score in scores if not score.sample.metadata.get("absent")]
    if not absent or not present:
        found = f"{len(absent)} questions about what is absent and {len(present)} others"
        raise ConfigError(found, "some of both", "ask a family that has both")
    refused = [float(re.search(r"\bnever\b", score.reply.text.lower()) is not None) for score in present]
    return float(np.mean([score.value for score in absent])), float(np.mean(refused))


@dataclass(frozen=True)
class Comparison:
    """Two models on the same questions.

    Args:
        difference: mean score of the second minus that of the first.
        interval: its 95 % interval, from resampling videos.
        questions: asked of both.
        videos: over how many videos.
    """

    difference: float
    interval: tuple[float, float]
    questions: int
    videos: int


def compare(first: Sequence[Score], second: Sequence[Score], seed: int = 0) -> Comparison:
    """The paired difference over the questions that both were asked, bootstrapped by video.

    Raises:
        ConfigError: they have no question in common.
    """
    known = {(score.sample.video, score.sample.question): score.value for score in first}
    sums: dict[str, list[float]] = defaultdict(list)
    for score in second:
        if (key := (score.sample.video, score.sample.question)) in known:
            sums[cluster_of(score)].append(score.value - known[key])
    if not sums:
        raise ConfigError("two results without a common question", "results on the same suite", "run both on one")
    totals = np.array([(sum(values), len(values)) for values in sums.values()])
    rng = np.random.default_rng(seed)
    draws = np.stack([totals[rng.integers(len(totals), size=len(totals))].sum(0) for _ in range(RESAMPLINGS)])
    low, high = np.percentile(draws[:, 0] / draws[:, 1], (2.5, 97.5))
    total, questions = totals.sum(0)
    return Comparison(float(total / questions), (float(low), float(high)), int(questions), len(totals))
