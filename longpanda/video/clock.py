"""Arithmetic on the times of packets: find jumps of the clock, wrong times and missing pictures.

All arrays are int64 ticks in file order. Each time is judged by its neighbours, never alone.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from longpanda.video.packets import NO_TIME, Ticks

_WRAP = 2**33
"""MPEG's clock wraps after this many ticks, 26.5 hours."""
JUMP_SECONDS, IMPOSSIBLE_SECONDS = 10.0, 30 * 3600.0
"""FFmpeg's `dts_delta_threshold` and `dts_error_threshold`: the largest step that is no jump, in formats whose clock
may jump and in all others."""
_NEIGHBOURS, _LEAST_PIECE = 8, 3
_REORDERED = 64
"""More pictures than any codec reorders (VVC: 32 in use)."""
_ALONE_SECONDS, _ALONE_INTERVALS = 60.0, 100
_LEAST_TO_JUDGE = 17

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class ClockJump:
    """A jump of a file's clock, as in concatenated recordings.

    Args:
        at_seconds: time of the jump from the start of the video, on the timeline without jumps.
        by_seconds: size of the jump; negative is back.
    """

    at_seconds: float
    by_seconds: float

    def __str__(self) -> str:
        return f"{self.by_seconds:+.3f} s at {self.at_seconds:.3f} s"


def interval_of(times: Ticks) -> int:
    """The usual time from one picture to the next: the median of the positive steps, or 0 without any."""
    steps = np.diff(np.sort(times))
    return int(np.median(steps[steps > 0])) if np.any(steps > 0) else 0


def filled(dts: Ticks, pts: Ticks, durations: Ticks) -> Ticks:
    """A decoding time for every packet. Missing ones are the last known one plus the durations in between.

    Those before the first known one are counted back from it. Without any decoding time, display times are used, or
    sums of durations if display times are missing too (bare streams).
    """
    known = dts != NO_TIME
    elapsed = np.concatenate([[0], np.cumsum(durations)[:-1]]).astype(np.int64)
    if not known.any():
        return pts if np.all(pts != NO_TIME) else elapsed
    places = np.flatnonzero(known)
    nearest = places[np.maximum(np.searchsorted(places, np.arange(len(dts)), side="right") - 1, 0)]
    return np.asarray(dts[nearest] + elapsed - elapsed[nearest])


def jumps(clock: Ticks, most_ahead: int, is_key: Flags) -> list[int]:
    """Packets at which the clock jumps back, or ahead by more than `most_ahead` ticks, and stays there.

    A wrong time of a single packet is no jump: the median of the packets after it continues that of those before. If
    too few packets are before or after it to tell, the clock must go back at a keyframe, with regular steps around it.
    """
    steps, found, interval = np.diff(clock), list[int](), interval_of(clock)
    suspects = np.flatnonzero((steps < 0) | (steps > most_ahead)) + 1
    for at in suspects.tolist():
        begin = max(found[-1] if found else 0, at - _NEIGHBOURS)
        before, after = np.median(clock[begin:at]), np.median(clock[at : at + _NEIGHBOURS])
        is_back = after < before and steps[at - 1] < 0
        is_ahead = steps[at - 1] > most_ahead and after > before + most_ahead
        if at - begin < _LEAST_PIECE or len(clock) - at < _LEAST_PIECE:
            around = np.concatenate([steps[max(begin, at - _LEAST_PIECE) : at - 1], steps[at : at + 1]])
            is_regular = bool(np.all((around >= 0) & (around <= 2 * interval)))
            is_back, is_ahead = bool(is_key[at] and steps[at - 1] < 0) and is_regular, False
        if is_back or is_ahead:
            found.append(at)
    return found


def offsets(pts: Ticks, clock: Ticks, is_key: Flags, starts: list[int], may_wrap: bool, jump_ticks: int) -> list[int]:
    """Offsets to add to the times of the pieces of a file, so that each begins where the previous one ends.

    A piece that begins with a keyframe is another recording: its first picture follows the last one before. At other
    jumps, pictures from before and after are interleaved, and decoding continues.

    Args:
        pts: display times, or decoding times where those are missing.
        clock: decoding times.
        is_key: whether each packet is a keyframe.
        starts: first packets of the pieces after the first.
        may_wrap: whether the clock wraps after 2^33 ticks.
        jump_ticks: the largest gap at a wrap.
    """
    interval, found = interval_of(clock), [0]
    for previous, start in pairwise([0, *starts]):
        before = _near(pts[max(previous, start - _REORDERED) : start], interval)
        after = _near(pts[start : start + _REORDERED], interval)
        last, begin = (before.max(), after.min()) if is_key[start] else (clock[start - 1], clock[start])
        end, begin = int(last) + found[-1] + interval, int(begin)
        wrapped = found[-1] + _WRAP
        is_wrap = may_wrap and 0 <= begin + wrapped - (end - interval) <= jump_ticks
        found.append(wrapped if is_wrap else end - begin)
    return found


def _near(times: Ticks, interval: int) -> Ticks:
    """Times without outliers."""
    times = times[times != NO_TIME]
    middle = np.median(times)
    return times[np.abs(times - middle) <= max(interval, 1) * 2 * _REORDERED]


def wrong(pts: Ticks, second_ticks: int) -> Flags:
    """Flag display times (without jumps) that are too far from those of the pictures decoded before and after them.

    A time is too late if more pictures are shown before it, but decoded after it, than any codec allows; or if they are
    more than in most streams and its neighbours leave a gap where it belongs; or if it is further from all following
    ones than an isolated picture could be. Times that are too early are found likewise.
    """
    interval = interval_of(pts)
    alone = int(max(_ALONE_SECONDS * second_ticks, _ALONE_INTERVALS * interval))
    sure, suspect = _out_of_place(pts, alone)
    sure_too, suspect_too = (flags[::-1] for flags in _out_of_place(-pts[::-1], alone))
    found = sure | sure_too
    good = ~found
    for at in np.flatnonzero((suspect | suspect_too) & good).tolist():
        good[at] = False
        gap = vacancy(pts, good, at, interval)
        good[at] = gap is None or abs(gap - pts[at]) <= interval  # the gap is its own place
        found[at] = not good[at]
    return found


def _out_of_place(pts: Ticks, alone: int) -> tuple[Flags, Flags]:
    """Flag the times that are surely too late for the following ones, and those that may be."""
    count = len(pts)
    smaller = np.zeros(count, np.int64)
    latest = np.full(count, NO_TIME, np.int64)
    for step in range(1, min(2 * _REORDERED, count - 1) + 1):
        smaller[:-step] += pts[step:] < pts[:-step]
        latest[:-step] = np.maximum(latest[:-step], pts[step:])
    following = np.minimum(np.arange(count)[::-1], 2 * _REORDERED)
    is_beyond_all = (following >= _LEAST_TO_JUDGE) & (smaller == following) & (pts - alone > latest)
    return (smaller > _REORDERED) | is_beyond_all, smaller >= _LEAST_TO_JUDGE


def strays(pts: Ticks, durations: Ticks, second_ticks: int) -> Flags:
    """Flag the first or last picture if its time (without jumps) is so far from all others that it must be wrong.

    That is a minute and a hundred pictures, unless the duration of the packet before explains the gap.
    """
    found = np.zeros(len(pts), bool)
    order = np.argsort(pts, kind="stable")
    if len(pts) < _LEAST_TO_JUDGE:
        return found
    alone = int(max(_ALONE_SECONDS * second_ticks, _ALONE_INTERVALS * interval_of(pts)))
    for stray, held, following in ((order[0], order[0], order[1]), (order[-1], order[-2], order[-1])):
        gap = int(pts[following]) - int(pts[held])
        found[stray] = gap > alone and 2 * durations[held] < gap
    return found


def vacancy(pts: Ticks, good: Flags, at: int, interval: int) -> int | None:
    """The display time of packet `at`, whose own is wrong: the gap among its neighbours, or None without one.

    `good` flags the display times that are right, and `interval` is the usual time from one picture to the next.
    """
    near = slice(max(0, at - _NEIGHBOURS), at + _NEIGHBOURS)
    around = slice(max(0, at - _REORDERED), at + _REORDERED)
    if not good[near].any() or interval <= 0:
        return None
    middle = int(np.median(pts[near][good[near]]))
    times = np.sort(pts[around][good[around]])
    times = times[np.abs(times - middle) <= 2 * _NEIGHBOURS * interval]
    gaps = np.diff(times)
    if not len(gaps) or 2 * gaps.max() < 3 * interval:
        return None
    return int(times[int(gaps.argmax())]) + interval
