"""One keyframe group: which of its pictures is on screen at a time, told from its packets before any is decoded."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

MOST_BYTES = 32 * 2**20
"""Compressed bytes of a group that are held at once: 5 s at 50 Mb/s, an hour at 70 kb/s."""


class Group:
    """Packets in decode order, from a keyframe on, until every picture that is shown before the next keyframe is there.

    Those may follow the next keyframe (leading pictures of open groups), so its packet and theirs are held as well, and
    become the beginning of the `following` group. All times are ticks of the stream's time base.

    `is_broken` turns True, for good, at a packet that alone does not tell what will be shown (no time, a time out of
    order or given twice, marked corrupt, empty), or that is too much to hold: it is not taken, and what comes after it
    is not known.

    Args:
        packets: PyAV packets, the first of which is the keyframe.
    """

    def __init__(self, packets: Sequence[Any]) -> None:
        self.packets: list[Any] = []
        self.is_broken = False
        self.is_last = False
        self.next_pts: int | None = None
        self._next_at: int | None = None
        self._read_dts: int | None = None
        self._times: set[int] = set()
        self._bytes = 0
        for packet in packets:
            self.add(packet)

    @property
    def start_pts(self) -> int:
        """When its keyframe is shown."""
        return int(self.packets[0].pts)

    @property
    def start_is_shown(self) -> bool:
        """Does no edit list hide its keyframe?"""
        return not self.packets[0].is_discard

    @property
    def next_is_shown(self) -> bool:
        """Is there a next keyframe, and does no edit list hide it?"""
        return self._next_at is not None and not self.packets[self._next_at].is_discard

    @property
    def is_whole(self) -> bool:
        """Have all pictures been read that are shown before the next keyframe, or before the file ends?"""
        return self.is_last or (self.next_pts is not None and self._has_read(self.next_pts - 1))

    def add(self, packet: Any) -> None:
        """Take the next packet in decode order."""
        self._bytes += packet.size
        if self.is_broken or self._bytes > MOST_BYTES or not self._tells(packet):
            self.is_broken = True
            return
        self.packets.append(packet)
        self._times.add(packet.pts)
        self._read_dts = packet.dts if packet.dts is not None else self._read_dts
        if packet.is_keyframe and len(self.packets) > 1 and self._next_at is None:
            self._next_at, self.next_pts = len(self.packets) - 1, packet.pts

    def _tells(self, packet: Any) -> bool:
        if packet.pts is None or not packet.size or packet.is_corrupt or packet.pts in self._times:
            return False
        if packet.dts is None:
            return True
        return packet.dts <= packet.pts and (self._read_dts is None or packet.dts >= self._read_dts)

    def end(self) -> None:
        """Take note that the file has no more packets."""
        self.is_last = True

    def knows(self, ticks: int) -> bool:
        """Have all pictures of this group been read that are shown at or before `ticks`?"""
        return self.is_whole or self._has_read(ticks)

    def holds(self, ticks: int) -> bool:
        """Is it known that `ticks` lies in this group? Never from the file's last picture on: how long does it last?"""
        if not self.knows(ticks):
            return False
        if self.next_pts is not None:
            return ticks < self.next_pts
        return not self.is_last or ticks < max(self._shown_pts(), default=ticks)

    def plan(self, times: Sequence[int]) -> list[int] | None:
        """The pictures on screen at times that the group holds, by when they begin to be shown.

        Args:
            times: ticks, never decreasing.

        Returns:
            one time per time, or None where a time lies before the first picture shown.
        """
        shown = self._shown_pts()
        positions = [bisect_right(shown, ticks) - 1 for ticks in times]
        return [shown[position] for position in positions] if min(positions) >= 0 else None

    def needed(self, wanted: set[int]) -> list[Any]:
        """The packets up to the last wanted one; what comes after them nothing wanted depends on."""
        last = max(number for number, packet in enumerate(self.packets) if packet.pts in wanted)
        return self.packets[: last + 1]

    def following(self) -> "Group | None":
        """The next group, as far as it has been read; None where its keyframe has not."""
        return None if self._next_at is None else Group(self.packets[self._next_at :])

    def _has_read(self, ticks: int) -> bool:
        """No packet to come is shown at or before `ticks`: none is shown before it is decoded."""
        return self._read_dts is not None and self._read_dts > ticks

    def _shown_pts(self) -> list[int]:
        """Times of the pictures from this keyframe up to the next, without those that an edit list hides."""
        end = self.next_pts
        own = (packet.pts for packet in self.packets if packet.pts >= self.start_pts and not packet.is_discard)
        return sorted(pts for pts in own if end is None or pts < end)
