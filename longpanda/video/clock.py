"""Arithmetic on the times of packets: where a clock jumps, which times are wrong, and where pictures are missing.

All arrays are int64 ticks in the order of the file. No time decides anything alone: each is judged by its neighbours.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from longpanda.video.packets import NO_TIME, Ticks

_WRAP = 2**33
"""MPEG's clock begins again after so many ticks, 26.5 hours."""
JUMP_SECONDS, IMPOSSIBLE_SECONDS = 10.0, 30 * 3600.0
"""FFmpeg's `dts_delta_threshold` and `dts_error_threshold`: a clock that may jump, or any clock, has jumped if it goes
on by more than this."""
_NEIGHBOURS, _LEAST_PIECE = 8, 3
_REORDERED = 64
"""More pictures than any codec decodes between a picture and those that are shown before it (VVC: 32 in use)."""
_ALONE_SECONDS, _ALONE_INTERVALS = 60.0, 100
_LEAST_TO_JUDGE = 17

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class ClockJump:
    """A place at which the clock of a file begins again, as in recordings appended to one another.

    Args:
        at_seconds: from the start of the video, on the time line without the jump.
        by_seconds: how far the file's clock jumped there; negative is back.
    """

    at_seconds: float
    by_seconds: float

    def __str__(self) -> str:
        return f"{self.by_seconds:+.3f} s at {self.at_seconds:.3f} s"


def interval_of(times: Ticks) -> int:
    """The time from one picture to the next: the median of what is above 0, or 0 where there is none."""
    steps = np.diff(np.sort(times))
    return int(np.median(steps[steps > 0])) if np.any(steps > 0) else 0


def filled(dts: Ticks, pts: Ticks, durations: Ticks) -> Ticks:
    """A decoding time for every packet: its own, else as long after the last known one as packets in between last.

    Before the first known one, as long before it. Without any decoding time, that of the pictures; without those too
    (bare streams), the sum of durations.
    """
    known = dts != NO_TIME
    elapsed = np.concatenate([[0], np.cumsum(durations)[:-1]]).astype(np.int64)
    if not known.any():
        return pts if np.all(pts != NO_TIME) else elapsed
    places = np.flatnonzero(known)
    nearest = places[np.maximum(np.searchsorted(places, np.arange(len(dts)), side="right") - 1, 0)]
    return np.asarray(dts[nearest] + elapsed - elapsed[nearest])


def jumps(clock: Ticks, most_ahead: int, is_key: Flags) -> list[int]:
    """Packets with which the clock begins again: back, and from there on, or too far ahead for a picture to last.

    A time that is wrong in one packet is no jump: the median of the packets after it goes on from those before. Where
    too few are before or after it to tell, the clock must go back with a keyframe, and regularly on both sides of it.

    Args:
        clock: decoding times.
        most_ahead: how many ticks the clock may go ahead from one packet to the next.
        is_key: which packets are keyframes.
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
    """What to add to the times of each piece of a file so that it begins where the piece before it ends.

    A piece that begins with a keyframe is another recording: its first picture follows the last one before. Where the
    clock jumps between others, pictures before and after are shown in turns, and decoding goes on.

    Args:
        pts: times of pictures, or, where they are missing, of decoding.
        clock: decoding times.
        is_key: which packets are keyframes.
        starts: first packets of the pieces after the first.
        may_wrap: does the clock begin again after 2^33 ticks?
        jump_ticks: a gap up to this may lie where it does.

    Returns:
        an offset for each piece, the first of which is 0.
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
    """Times without those that are far from most."""
    times = times[times != NO_TIME]
    middle = np.median(times)
    return times[np.abs(times - middle) <= max(interval, 1) * 2 * _REORDERED]


def wrong(pts: Ticks, second_ticks: int) -> Flags:
    """Times that cannot be right, since a picture is far from where those are that are decoded before and after it.

    Too late is a time if more pictures are shown before, but decoded after it, than any codec allows; or if more are
    than most streams have, and its neighbours leave a gap where it belongs; or if it lies further from all that follow
    than a picture alone would. Likewise the other way round.

    Args:
        pts: times of pictures, without jumps.
        second_ticks: ticks of a second.

    Returns:
        one flag per picture.
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
        good[at] = gap is None or abs(gap - pts[at]) <= interval  # its own place is vacant without it
        found[at] = not good[at]
    return found


def _out_of_place(pts: Ticks, alone: int) -> tuple[Flags, Flags]:
    """Which times are surely too late for what follows them, and which may be."""
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
    """The first or last picture, where it lies so far from all others that its time must be wrong.

    A minute and a hundred pictures away, and the packet before does not say that its picture lasts so long.

    Args:
        pts: times of pictures, without jumps.
        durations: how long packets say that pictures are shown.
        second_ticks: ticks of a second.
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
    """When the picture of a packet must have been shown whose time is wrong: the gap among its neighbours.

    Args:
        pts: times of pictures.
        good: which of them are right.
        at: the packet.
        interval: from one picture to the next.

    Returns:
        ticks, or None where its neighbours leave no gap.
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
