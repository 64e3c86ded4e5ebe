"""Find the pictures that a keyframe group really holds, if they differ from what its packets promise."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from longpanda.video.display_order import LOST, DisplayOrder
from longpanda.video.gop import Inspected
from longpanda.video.packets import Ticks


@dataclass(frozen=True)
class Content:
    """The pictures of a group, in display order.

    Args:
        begin: the packet at which decoding starts.
        times: when each picture begins to be shown, in ticks.
        numbers: the packet of each picture, or `LOST` if it is damaged.
        is_damaged: whether pictures are missing that others may refer to.
        is_as_planned: whether everything is as the packets promise.
        damaged: times at which a picture is missing.
    """

    begin: int
    times: tuple[int, ...]
    numbers: tuple[int, ...]
    is_damaged: bool
    is_as_planned: bool
    damaged: frozenset[int]


def content_of(found: Inspected, timeline: DisplayOrder, start: int) -> Content:
    """Put the decoded pictures of the group at `start` in display order.

    If no picture is missing, the decoder's order is right: a picture whose time does not fit is shown in the gap
    between its neighbours, or left out if there is none. If pictures are missing, the times are right: the decoder may
    have lost count (H.264 counts pictures from a keyframe).
    """
    places = timeline.places_from(start)
    planned, times = timeline.numbers[places].tolist(), timeline.times[places].tolist()
    time_of = dict(zip(planned, times, strict=True))
    promised = [number for number in planned if number != LOST]
    is_damaged = LOST in planned or len(found.shown) < len(promised)
    given = [time_of[number] for number in found.shown]
    fitted: Sequence[int | None] = given if is_damaged else fit(given)
    entries = [(time, number) for time, number in zip(fitted, found.shown, strict=True) if time is not None]
    left_out = {time_of[number] for time, number in zip(fitted, found.shown, strict=True) if time is None}
    lost = {time for time, number in zip(times, planned, strict=True) if number == LOST or number in found.failed}
    entries = sorted([*entries, *((time, LOST) for time in lost)], key=lambda entry: entry[0])
    return Content(
        begin=found.begin,
        times=tuple(time for time, _ in entries),
        numbers=tuple(number for _, number in entries),
        is_damaged=is_damaged,
        is_as_planned=not is_damaged and [*found.shown] == promised,
        damaged=frozenset({*lost, *left_out}),
    )


def fit(times: Sequence[int]) -> list[int | None]:
    """Change as few times of pictures in display order as possible so that none decreases; None if there is no gap."""
    array = np.asarray(times, np.int64)
    steps = np.diff(np.sort(array))
    usual = int(np.median(steps)) if len(steps) else 0
    kept = _most_in_order(array, usual)
    fitted: list[int | None] = []
    for at, time in enumerate(times):
        if at in kept:
            fitted.append(time)
            continue
        before = next((earlier for earlier in reversed(fitted) if earlier is not None), None)
        after = next((times[later] for later in range(at + 1, len(times)) if later in kept), None)
        has_room = usual > 0 and before is not None and after is not None and 2 * (after - before) >= 3 * usual
        fitted.append(before + usual if has_room and before is not None else None)
    return fitted


def _most_in_order(times: Ticks, usual: int) -> set[int]:
    """The longest non-decreasing subsequence; of several, the one with the most regular steps around it.

    Times that are below none before and above none after belong to it, and split the rest into independent runs.
    """
    is_regular = np.abs(np.diff(times) - usual) * 4 <= usual
    weights = 1 + (np.append(is_regular, False) + np.append(False, is_regular)[: len(times)]) / (4 * max(1, len(times)))
    is_sure = (np.maximum.accumulate(times) == times) & (np.minimum.accumulate(times[::-1])[::-1] == times)
    kept, others = set(np.flatnonzero(is_sure).tolist()), np.flatnonzero(~is_sure)
    for run in np.split(others, np.flatnonzero(np.diff(others) > 1) + 1):
        kept.update(run[_heaviest_in_order(times[run], weights[run])].tolist())
    return kept


def _heaviest_in_order(times: Ticks, weights: npt.NDArray[np.float64]) -> list[int]:
    """The non-decreasing subsequence of the greatest weight."""
    best, before = np.zeros(len(times)), np.full(len(times), -1)
    for at, time in enumerate(times):
        earlier = np.where(times[:at] <= time, best[:at], -1.0)
        if at and earlier.max() > 0:
            before[at] = int(earlier.argmax())
        best[at] = weights[at] + max(0.0, earlier.max(initial=0.0))
    kept, at = list[int](), int(best.argmax()) if len(best) else -1
    while at >= 0:
        kept.append(at)
        at = int(before[at])
    return kept[::-1]
