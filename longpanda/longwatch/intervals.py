"""Intervals of time: how well two of them agree, and the best constant answer."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from longpanda.types import Seconds

_ROUNDING_SECONDS: Final = 1e-6
Interval = tuple[float, float]
"""Start and end, in seconds."""

RIGHT_IOU: Final = 0.5
"""Least intersection over union of a right answer."""
TOLERANCE_SECONDS, TOLERANCE_SHARE = 5.0, 0.005
"""An interval is near if each end is off by at most the larger of the two; the second is a share of the video."""


def iou(one: Interval, other: Interval) -> float:
    """Return the intersection over union of two intervals of positive length."""
    shared = max(0.0, min(one[1], other[1]) - max(one[0], other[0]))
    return shared / (one[1] - one[0] + other[1] - other[0] - shared)


def is_near(one: Interval, other: Interval, duration_seconds: float) -> bool:
    """Whether both ends are within the tolerance in a video of this duration."""
    most_seconds = max(TOLERANCE_SECONDS, TOLERANCE_SHARE * duration_seconds)
    return all(abs(mine - its) <= most_seconds for mine, its in zip(one, other, strict=True))


def best_constant(spans: Sequence[Interval]) -> Interval:
    """Return an interval that is right for as many of the spans as possible.

    An interval of length L is right for a span of length d if they share at least (L + d) / 3, that is, if it starts
    within a range of length (L + d) / 3. As L grows, these ranges grow on both sides and move together, until L = 2 d.
    So some best interval is twice as long as one of the spans.

    Args:
        spans: at least one interval of positive length.
    """
    starts, ends = np.asarray(spans, dtype=np.float64).T
    found = (
        _most_common(starts, ends, float(length), apart_seconds)
        for length in 2 * np.unique(ends - starts)
        for apart_seconds in (0.0, _ROUNDING_SECONDS)
    )
    return max(found, key=lambda one: sum(iou(one, span) >= RIGHT_IOU for span in spans))


def _most_common(starts: Seconds, ends: Seconds, length_seconds: float, apart_seconds: float) -> Interval:
    """Return the interval of a given length, twice that of some span, that starts in as many of the ranges as possible.

    Args:
        starts: [n], starts of the spans.
        ends: [n], ends of the spans.
        length_seconds: length of the interval.
        apart_seconds: ranges that share less than this count as disjoint, so that rounding does not matter.
    """
    fits = length_seconds <= 2 * (ends - starts) + _ROUNDING_SECONDS
    shared = (length_seconds + ends[fits] - starts[fits]) / 3
    lows, highs = np.sort(starts[fits] - length_seconds + shared), np.sort(ends[fits] - shared)
    gone = np.searchsorted(highs, lows + apart_seconds)
    place = int((np.arange(1, len(lows) + 1) - gone).argmax())
    start = float(lows[place] + highs[min(gone[place], len(highs) - 1)]) / 2
    return max(0.0, start), start + length_seconds
