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

    `is_sound` turns False where packets alone do not tell what will be shown: no times, times out of order or twice,
    marked corrupt, empty, or more bytes than are held at once.

    Args:
        packets: PyAV packets, the first of which is the keyframe.
    """

    def __init__(self, packets: Sequence[Any]) -> None:
        self.packets: list[Any] = []
        self.is_sound = True
        self.is_last = False
        self.next_pts: int | None = None
        self._next_at: int | None = None
        self._read_dts: int | None = None
        self._bytes = 0
        for packet in packets:
            self.add(packet)

    @property
    def start_pts(self) -> int:
        """When its keyframe is shown; 0 where the group is not sound for want of times."""
        return self.packets[0].pts or 0

    @property
    def is_whole(self) -> bool:
        """Have all pictures been read that are shown before the next keyframe, or before the file ends?"""
        return self.is_last or (self.next_pts is not None and self._has_read(self.next_pts - 1))

    def add(self, packet: Any) -> None:
        """Take the next packet in decode order."""
        self.packets.append(packet)
        self._bytes += packet.size
        if packet.pts is None or not packet.size or packet.is_corrupt or self._bytes > MOST_BYTES:
            self.is_sound = False
            return
        if packet.dts is not None:
            if packet.dts > packet.pts or (self._read_dts is not None and packet.dts < self._read_dts):
                self.is_sound = False
            self._read_dts = packet.dts
        if packet.is_keyframe and len(self.packets) > 1 and self._next_at is None:
            self._next_at, self.next_pts = len(self.packets) - 1, packet.pts

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
            one time per time, or None where the packets do not tell.
        """
        shown = self._shown_pts()
        positions = [bisect_right(shown, ticks) - 1 for ticks in times]
        is_clear = self.is_sound and len(set(shown)) == len(shown) and min(positions) >= 0
        return [shown[position] for position in positions] if is_clear else None

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
        own = (p.pts for p in self.packets if p.pts is not None and p.pts >= self.start_pts and not p.is_discard)
        return sorted(pts for pts in own if end is None or pts < end)
