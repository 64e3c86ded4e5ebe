"""Build the timeline of a file from all its packets."""

from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from typing import Any

import numpy as np

from longpanda.errors import VideoError
from longpanda.video import clock as clocks
from longpanda.video.clock import ClockJump, Flags
from longpanda.video.display_order import LOST, DisplayOrder, Numbers
from longpanda.video.encryption import is_encrypted
from longpanda.video.packets import CORRUPT, EMPTY, HIDDEN, KEY, NO_TIME, PacketTable, Ticks, demux, read_table
from longpanda.video.source import Source

_LONGEST_LEAD_SECONDS = 10.0
_END_INTERVALS = Fraction(3, 2)
_FEW = 0.01
_JUMP_INTERVALS = 10  # so that a picture every 12 s is no jump
_WITHOUT_PRESENTATION_TIMES = ("avi", "asf")
_HEAD_PACKETS = 64
_WRONG_STEPS_BACK = 2
_SEAM_PACKETS = 3
_MPEG_CLOCK = Fraction(1, 90_000)
_MOST_OFF = 4


def survey(source: Source) -> DisplayOrder:
    """Put the pictures of an open file in order. Raises VideoError if it is encrypted or has no picture to show."""
    table = read_table(source)
    shown = np.flatnonzero(table.marks & (HIDDEN | EMPTY) == 0)
    if is_encrypted(source, table, len(shown) > 0):
        found = f"the video track of '{source.path}' is encrypted"
        raise VideoError(found, "a track without copy protection", "decrypt it first")
    if not len(shown):
        found = f"'{source.path}' has a video track without a picture"
        raise VideoError(found, "at least one", "export or download it again")
    return _Survey(source, table, shown).timeline(_times_mislead(source, table.pts[shown]))


def _times_mislead(source: Source, pts: Ticks) -> bool:
    """Whether display times are really decoding times, though the decoder reorders pictures.

    AVI and ASF have no others, and files copied from them keep them, or, with MPEG-4, what FFmpeg's copy makes of them.
    If the codec may reorder pictures, but hardly any time goes back, the first pictures are decoded to find out. One
    wrong time makes up to two steps back.
    """
    if not source.codec.has_b_frames:
        return False
    pts = pts[pts != NO_TIME]
    steps_back = _steps_back(pts)
    if source.container.format.name in _WITHOUT_PRESENTATION_TIMES:
        return not steps_back or _first_steps_back(source.path)[1] > 0
    if steps_back > max(_FEW * len(pts), _WRONG_STEPS_BACK) and source.codec.codec.canonical_name != "mpeg4":
        return False
    stored, shown = _first_steps_back(source.path)
    return shown > min(stored, _WRONG_STEPS_BACK)


def _first_steps_back(path: str) -> tuple[int, int]:
    """How often the times of the first pictures go back, in file order and in the decoder's order.

    Wrong times and jumps of the clock go back in both.
    """
    import av

    stored, shown = list[int | None](), list[int | None]()
    with closing(Source(path)) as source:
        for packet in islice(demux(source), _HEAD_PACKETS):
            if packet is None or not packet.size:
                continue
            try:
                shown.extend(frame.pts for frame in source.codec.decode(packet))
            except av.error.FFmpegError:
                continue
            stored.append(packet.pts)
    both = (np.array([pts for pts in order if pts is not None], np.int64) for order in (stored, shown))
    stored_back, shown_back = map(_steps_back, both)
    return stored_back, shown_back


def _steps_back(times: Ticks) -> int:
    return int(np.count_nonzero(times[1:] < times[:-1]))


def _durations(table: PacketTable, stream: Any) -> Ticks:
    """The durations of pictures by their packets, or by the stream's rate where missing."""
    rate = stream.average_rate or stream.guessed_rate
    usual = round(1 / rate / stream.time_base) if rate else 0
    return np.asarray(np.where(table.durations > 0, table.durations, usual), np.int64)


def _without_seams(table: PacketTable, starts: Numbers) -> PacketTable:
    """Clear false CORRUPT marks where recordings are joined: the counters of packets next to a seam do not continue."""
    marks = table.marks.copy()
    for start in starts.tolist():
        marks[max(0, start - _SEAM_PACKETS) : start + 1] &= 0xFF ^ CORRUPT
    return replace(table, marks=marks)


class _Survey:
    """The steps from packets to the timeline; its arrays [S] are those of the shown packets."""

    def __init__(self, source: Source, table: PacketTable, shown: Numbers) -> None:
        stream, clock_may_jump, has_no_times = source.stream, source.clock_may_jump, source.has_no_times
        self._table, self._shown, self._stream = table, shown, stream
        self._durations = _durations(table, stream)
        self._second = max(1, int(1 / stream.time_base))
        raw, dts, lasting = table.pts[shown], table.dts[shown], self._durations[shown]
        if has_no_times and _MOST_OFF * clocks.interval_of(raw) < np.median(lasting):
            raw = dts = np.full(len(shown), NO_TIME)  # FFmpeg's counts there are no times
        unshifted = clocks.filled(dts, raw, lasting)
        most_seconds = clocks.JUMP_SECONDS if clock_may_jump else clocks.IMPOSSIBLE_SECONDS
        jump_ticks = int(max(most_seconds * self._second, _JUMP_INTERVALS * clocks.interval_of(unshifted)))
        is_key = table.marks[shown] & KEY != 0
        starts = clocks.jumps(unshifted, jump_ticks, is_key)
        self._table = _without_seams(table, shown[starts])
        may_wrap = clock_may_jump and stream.time_base == _MPEG_CLOCK
        shown_at = np.where(raw == NO_TIME, unshifted, raw)
        shifts = clocks.offsets(shown_at, unshifted, is_key, starts, may_wrap, jump_ticks)
        self._shift = np.repeat(shifts, np.diff([0, *starts, len(shown)]))
        self._clock = unshifted + self._shift
        self._pts = np.where(raw == NO_TIME, NO_TIME, raw + self._shift)
        self._jumps = [
            (start, before - after) for start, before, after in zip(starts, shifts, shifts[1:], strict=False)
        ]
        self._interval = clocks.interval_of(self._clock)
        self._damaged: frozenset[int] = frozenset()

    def timeline(self, times_mislead: bool) -> DisplayOrder:
        """The timeline; `times_mislead` as returned by `_times_mislead`."""
        known = self._pts != NO_TIME
        wrong = self._wrong(self._pts, known)
        is_in_order = not times_mislead and bool(known.mean() >= 1 - _FEW and 2 * wrong.mean() < 1)
        if is_in_order:
            times, numbers, starts = self._in_order(known, wrong)
        else:
            times, numbers = self._begins(), self._shown
            starts = np.zeros(len(times), np.int64)
        origin = self._origin(int(times[0]), is_in_order)
        last_interval = int(times[-1] - times[-2]) if len(times) > 1 else 0
        own = self._own_duration(int(numbers[-1])) or last_interval
        tolerance = max(own, int(last_interval * _END_INTERVALS))
        end = min([int(times[-1]) + tolerance, *(ticks - 1 for ticks in self._damaged if ticks > times[-1])])
        time_base = self._stream.time_base
        jumps = tuple(
            ClockJump(float((self._begin_of(start) - origin) * time_base), float(by * time_base))
            for start, by in self._jumps
        )
        return DisplayOrder(
            table=self._table,
            times=times,
            numbers=numbers,
            starts=starts,
            time_base=time_base,
            origin=origin,
            duration=int(times[-1]) + own - origin,
            end=end,
            is_in_order=is_in_order,
            jumps=jumps,
            wrong_times=int(np.count_nonzero(wrong)) if is_in_order else 0,
            damaged=self._damaged,
        )

    def _own_duration(self, number: int) -> int:
        """The duration of the last picture by its packet, unless it is implausible: FLV's say a millisecond."""
        own = int(self._durations[number]) if number != LOST else 0
        return own if 2 * own >= self._interval else self._interval

    def _wrong(self, times: Ticks, known: Flags) -> Flags:
        """Flag the known times that cannot be right."""
        wrong = np.zeros(len(times), bool)
        places = np.flatnonzero(known)
        if len(places) > 1:
            is_wrong = clocks.wrong(times[places], self._second)
            good = places[~is_wrong]
            wrong[places[is_wrong]] = True
            stray = clocks.strays(times[good], self._table.durations[self._shown[good]], self._second)
            wrong[good[stray]] = True
        return wrong

    def _begins(self) -> Ticks:
        """When some picture begins, by decoding times; wrong ones are interpolated."""
        wrong = self._wrong(self._clock, np.ones(len(self._clock), bool))
        good, begins = np.flatnonzero(~wrong), self._clock.copy()
        if len(good):
            begins[wrong] = np.interp(np.flatnonzero(wrong), good, begins[good])
        return np.sort(begins)

    def _in_order(self, known: Flags, wrong: Flags) -> tuple[Ticks, Numbers, Numbers]:
        """Times, packets and starts of the pictures by display time; one without a time fills a gap."""
        good = known & ~wrong
        times, numbers = [self._pts[good]], [self._shown[good]]
        wait = int(np.median((self._pts - self._clock)[good])) if good.any() else 0
        missing: list[int] = []
        for at in np.flatnonzero(~good).tolist():
            gap = clocks.vacancy(self._pts, good, at, self._interval)
            if wrong[at] and gap is not None:
                missing.append(gap)
            elif not wrong[at]:
                times.append(np.array([int(self._clock[at]) + wait if gap is None else gap]))
                numbers.append(self._shown[at : at + 1])
        times.append(np.array(missing, np.int64))
        numbers.append(np.full(len(missing), LOST))
        damage = self._damage()
        all_times = np.concatenate([*times, damage])
        all_numbers = np.concatenate([*numbers, np.full(len(damage), LOST)])
        order = np.lexsort((all_numbers, all_times))
        all_times, all_numbers = all_times[order], all_numbers[order]
        starts = self._starts(all_times, all_numbers, wrong)
        is_lost = (all_numbers == LOST) | (self._table.marks[all_numbers] & CORRUPT != 0)
        self._damaged = frozenset(all_times[is_lost].tolist()) - frozenset(missing)
        end = int(np.flatnonzero(~is_lost)[-1]) + 1 if not is_lost.all() else len(is_lost)  # a cut file ends here
        return all_times[:end], np.where(is_lost, LOST, all_numbers)[:end], starts[:end]

    def _damage(self) -> Ticks:
        """When pictures are missing that could not be read: after the last packet, by the usual delay of display."""
        if not self._table.errors:
            return np.empty(0, np.int64)
        is_key = (self._table.marks[self._shown] & KEY != 0) & (self._pts != NO_TIME)
        waits = (self._pts - self._clock)[is_key]
        wait = int(np.median(waits)) if len(waits) else 0
        before = np.searchsorted(self._shown, self._table.errors) - 1
        return np.asarray(self._clock[before[before >= 0]] + wait + max(1, self._interval), np.int64)

    def _starts(self, times: Ticks, numbers: Numbers, wrong: Flags) -> Numbers:
        """For each picture the keyframe at which decoding starts; a LOST one has that of the picture before it."""
        keys = np.flatnonzero(self._table.marks & KEY)
        keys = keys if len(keys) and keys[0] == 0 else np.concatenate([[0], keys])
        at = np.maximum(np.searchsorted(keys, numbers, side="right") - 1, 0)
        is_leading = times < self._key_times(keys, wrong)[at]
        starts = keys[np.maximum(at - is_leading, 0)]
        places = np.flatnonzero(numbers != LOST)
        if not len(places):
            return np.zeros(len(times), np.int64)
        before = np.clip(np.searchsorted(places, np.arange(len(times)), side="right") - 1, 0, None)
        return np.asarray(starts[places[before]])

    def _key_times(self, keys: Numbers, wrong: Flags) -> Ticks:
        """When keyframes are shown, including those that an edit list hides, on the clock without jumps.

        An unknown time is taken as late enough that all following pictures are decoded from the keyframe before.
        """
        at = np.minimum(np.searchsorted(self._shown, keys), len(self._shown) - 1)
        is_wrong = wrong[at] & (self._shown[at] == keys)
        raw = self._table.pts[keys]
        is_unknown = is_wrong | (raw == NO_TIME)
        return np.asarray(np.where(is_unknown, np.iinfo(np.int64).max, raw + self._shift[at]), np.int64)

    def _begin_of(self, start: int) -> int:
        """When the first picture of a piece of the file is shown."""
        piece = self._pts[start : start + 64]
        piece = piece[piece != NO_TIME]
        return int(piece.min()) if len(piece) else int(self._clock[start])

    def _origin(self, first: int, is_in_order: bool) -> int:
        """The tick of second 0; with decoding times only, the first picture's, which FFmpeg shows later."""
        said = self._stream.start_time
        is_late = not is_in_order or self._stream.container.format.name in _WITHOUT_PRESENTATION_TIMES
        if said is None or is_late or not 0 <= first - said <= _LONGEST_LEAD_SECONDS * self._second:
            return first
        return int(said)
