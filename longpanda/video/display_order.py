"""The timeline of a file: which picture is on screen when, and at which keyframe its decoding starts."""

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
import numpy.typing as npt

from longpanda.video.clock import ClockJump
from longpanda.video.packets import KEY, PacketTable, Ticks

LOST = -1
_GAP, _EVEN = 1.75, 0.8
"""A gap in usual steps between pictures, and the share of steps that must be usual for pictures to be even."""
_ROUNDING_SECONDS = Fraction(1, 1_000_000)  # a second computed from a picture's own time must find that picture

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class DisplayOrder:
    """All pictures of a stream in display order, from its packets before any is decoded.

    A picture is identified by the number of its packet, never by its time. It is on screen from its time to that of the
    next one. If a packet is damaged, or a picture is missing because its time is wrong, nothing is on screen (`LOST`).
    Second 0 is the container's start of the stream, or the first picture if that is earlier, if the container's start
    is impossible, or if it only has decoding times. The last picture stays for its own duration or for 1.5 times the
    interval before it, whichever is longer: this reaches the end of a whole file, but does not cover what a truncated
    file has lost.

    Args:
        table: the packets.
        times: int64 [P], never decreasing: when each picture begins to be shown, in ticks of one clock without jumps.
        numbers: int64 [P], the packet of each, or `LOST`.
        starts: int64 [P], the packet at which its decoding starts: the keyframe before it, or the one before that for a
            picture that is shown before a keyframe and decoded after it (open groups).
        time_base: seconds per tick.
        origin: the tick of second 0.
        duration: ticks from second 0 to the end of the last picture.
        end: the last tick at which the last picture is on screen.
        is_in_order: False if times do not tell the display order (AVI, ASF and bare streams with B pictures, and files
            with mostly wrong times): then the decoder's order counts, and `times` are those at which some picture
            begins.
        jumps: jumps of the file's clock.
        wrong_times: number of pictures left out because the time of their packet cannot be right.
        damaged: ticks at which the file is known to be damaged.
    """

    table: PacketTable
    times: Ticks
    numbers: Numbers
    starts: Numbers
    time_base: Fraction
    origin: int
    duration: int
    end: int
    is_in_order: bool = True
    jumps: tuple[ClockJump, ...] = ()
    wrong_times: int = 0
    damaged: frozenset[int] = frozenset()

    def __repr__(self) -> str:
        order = "" if self.is_in_order else ", in the decoder's order"
        return f"DisplayOrder({len(self.times)} pictures in {float(self.duration * self.time_base):.3f} s{order})"

    def __len__(self) -> int:
        return len(self.times)

    def seconds_of(self, ticks: int) -> float:
        """Convert ticks to seconds from the start of the stream."""
        return float((int(ticks) - self.origin) * self.time_base)

    def ticks_of(self, second: float) -> int:
        """Convert seconds from the start of the stream to ticks."""
        return self.origin + int((Fraction(second) + _ROUNDING_SECONDS) / self.time_base)

    def place_at(self, ticks: int) -> int:
        """The place, in display order from 0, of the picture on screen; -1 before the first one."""
        return int(np.searchsorted(self.times, ticks, side="right")) - 1

    def place_of(self, number: int) -> int | None:
        """The place of a packet's picture; None if it is not shown."""
        place = int(self._place_of_packet[number])
        return place if place >= 0 else None

    def time_of(self, number: int) -> int:
        """When a packet's picture is shown, for one that is."""
        return int(self.times[self._place_of_packet[number]])

    def key_near(self, ticks: int, tolerance_ticks: int) -> int | None:
        """The place of the keyframe nearest to a time, within the tolerance; of two, the earlier."""
        at = int(np.searchsorted(self._key_times, ticks, side="right"))
        near = self.key_places[max(0, at - 1) : at + 1]
        distances = np.abs(self.times[near] - ticks)
        if not len(near) or distances.min() > tolerance_ticks:
            return None
        return int(near[int(distances.argmin())])

    def keys_between(self, first_second: float, last_second: float) -> int:
        """The number of keyframes that are shown between two seconds."""
        ends = np.searchsorted(self._key_times, [self.ticks_of(first_second), self.ticks_of(last_second) + 1])
        return int(ends[1] - ends[0])

    def places_from(self, start: int) -> Numbers:
        """The places of the pictures whose decoding starts at this packet, in display order."""
        first, end = np.searchsorted(self._sorted_starts, [start, start + 1])
        return self._by_start[first:end]

    def start_before(self, start: int) -> int | None:
        """The start of the pictures before those of `start`; None for the first ones."""
        at = int(np.searchsorted(self._sorted_starts, start)) - 1
        return int(self._sorted_starts[at]) if at >= 0 else None

    def is_doubtful(self, start: int) -> bool:
        """Whether a group may hold something else than its packets promise.

        It is damaged, or has a gap though pictures are otherwise evenly spaced (lost packets, to which others may
        refer), or two pictures almost at once and a gap elsewhere (one has been moved).
        """
        places = self.places_from(start)
        if np.any(self.numbers[places] == LOST):
            return True
        steps = np.diff(self.times[places])
        if len(steps) and 0 < _GAP * self._even_step <= steps.max():
            return True
        usual = float(np.median(steps)) if len(steps) else 0.0
        if usual <= 0 or steps.max() < _GAP * usual:
            return False
        return _are_even(steps, usual) or bool(steps.min() * 4 <= usual)

    @cached_property
    def _even_step(self) -> float:
        """The time from one picture to the next if nearly all of the file are evenly spaced; else 0."""
        steps = np.diff(self.times)
        usual = float(np.median(steps)) if len(steps) else 0.0
        return usual if usual > 0 and _are_even(steps, usual) else 0.0

    @cached_property
    def key_places(self) -> Numbers:
        """The places of keyframes, in display order."""
        is_key = (self.numbers != LOST) & (self.table.marks[self.numbers] & KEY != 0)
        return np.flatnonzero(is_key)

    @cached_property
    def _key_times(self) -> Ticks:
        return self.times[self.key_places]

    @cached_property
    def _by_start(self) -> Numbers:
        return np.argsort(self.starts, kind="stable")

    @cached_property
    def _sorted_starts(self) -> Numbers:
        return self.starts[self._by_start]

    @cached_property
    def _place_of_packet(self) -> Numbers:
        places = np.full(len(self.table), -1, np.int64)
        shown = np.flatnonzero(self.numbers != LOST)
        places[self.numbers[shown]] = shown
        return places


def _are_even(steps: Ticks, usual: float) -> bool:
    return bool(np.mean(np.abs(steps - usual) * 8 <= usual) >= _EVEN)
