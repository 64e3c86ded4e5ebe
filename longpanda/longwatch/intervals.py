"""Intervals of time: how alike two of them are, and the one that is right most often without looking."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from longpanda.types import Seconds

_ROUNDING_SECONDS: Final = 1e-6
Interval = tuple[float, float]
"""Start and end, in seconds."""

RIGHT_IOU: Final = 0.5
"""An answer with at least this intersection over union is right."""
TOLERANCE_SECONDS, TOLERANCE_SHARE = 5.0, 0.005
"""Each end may be off by the larger of the two, the latter a share of the video, to be near."""


def iou(one: Interval, other: Interval) -> float:
    """Intersection over union; both end after they start."""
    shared = max(0.0, min(one[1], other[1]) - max(one[0], other[0]))
    return shared / (one[1] - one[0] + other[1] - other[0] - shared)


def is_near(one: Interval, other: Interval, duration_seconds: float) -> bool:
    """Whether both ends are within the tolerance in a video of this duration."""
    most_seconds = max(TOLERANCE_SECONDS, TOLERANCE_SHARE * duration_seconds)
    return all(abs(mine - its) <= most_seconds for mine, its in zip(one, other, strict=True))


def best_constant(spans: Sequence[Interval]) -> Interval:
    """The interval that is right, by its intersection over union, of as many of these as any other.

    Of a length L it is right of a span of length d where they share (L + d) / 3, thus where it starts within a range
    that is (L + d) / 3 long. Let it grow, and all these ranges grow on both sides and move together, until L = 2 d: so
    the best one is twice as long as one of the spans.

    Args:
        spans: at least one; each ends after it starts.
    """
    starts, ends = np.asarray(spans, dtype=np.float64).T
    found = (
        _most_common(starts, ends, float(length), apart_seconds)
        for length in 2 * np.unique(ends - starts)
        for apart_seconds in (0.0, _ROUNDING_SECONDS)
    )
    return max(found, key=lambda one: sum(iou(one, span) >= RIGHT_IOU for span in spans))


def _most_common(starts: Seconds, ends: Seconds, length_seconds: float, apart_seconds: float) -> Interval:
    """The interval of a length, of half of which some span is, that starts in as many of the ranges as any other.

    Args:
        starts: [n] of the spans.
        ends: [n] of the spans.
        length_seconds: of the interval.
        apart_seconds: ranges that share less than this do not meet, so that rounding decides nothing.
    """
    fits = length_seconds <= 2 * (ends - starts) + _ROUNDING_SECONDS
    shared = (length_seconds + ends[fits] - starts[fits]) / 3
    lows, highs = np.sort(starts[fits] - length_seconds + shared), np.sort(ends[fits] - shared)
    gone = np.searchsorted(highs, lows + apart_seconds)
    place = int((np.arange(1, len(lows) + 1) - gone).argmax())
    start = float(lows[place] + highs[min(gone[place], len(highs) - 1)]) / 2
    return max(0.0, start), start + length_seconds
