"""Which picture is on screen at a second: forward reading, seeks by keyframe group, and no picture shown too long."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from longpanda.errors import VideoError
from longpanda.video.packets import PacketReader
from longpanda.video.source import Source

_SEEK_BEYOND_SECONDS = 2.0
_TOLERANCE_INTERVALS = Fraction(3, 2)
_ROUNDING_SECONDS = Fraction(1, 1_000_000)  # a second computed from a picture's own time must find that picture


class ScreenReader:
    """Answers "which picture is on screen at this second" for seconds that never decrease.

    Second 0 is the start time of the stream as the container gives it, or the first picture where that is earlier or
    the container gives none. A picture is on screen from its time to the time of the next picture or damaged packet;
    before the first picture, the first one is. The last picture stays for its own duration or for 1.5 times the
    interval before it, whichever is longer: that reaches the end of a whole file, and is not stretched over what a
    truncated file has lost.

    Holds three pictures at most. Reads forward and seeks only where a keyframe lies between here and the second asked
    for, so no group of pictures is decoded twice on purpose. It decodes everything it reads and takes nothing on trust:
    what `PlannedReader` is held to, and what it turns to where a file is not as planned.

    Args:
        source: an open file.

    Raises:
        VideoError: no picture of the stream decodes, or none has a time.
    """

    def __init__(self, source: Source) -> None:
        self._source, self._stream = source, source.stream
        self.packets = PacketReader(source)
        self._pictures = self.packets.pictures()
        self.first: Any = self._next()
        if self.first is None:
            raise VideoError(
                f"no picture of '{source.path}' can be decoded ({self._stream.codec_context.name})",
                "at least one whole picture with a time",
                "repair it, or put it in a container: ffmpeg -i FILE -c copy FILE.mp4",
            )
        self._held: Any = self.first
        self._ahead: Any = self._next()
        self.time_base: Fraction = self._stream.time_base
        start = self._stream.start_time
        self.origin_pts: int = self.first.pts if start is None else min(start, self.first.pts)
        self.interval_ticks: int = self._default_interval_ticks()
        self._seek_beyond_ticks = int(_SEEK_BEYOND_SECONDS / self.time_base)
        self._can_seek = True
        self._landed_key_pts = self.packets.newest_key_pts
        self._has_place = True

    def seconds_of(self, frame: Any) -> float:
        """When a picture is shown, in seconds from the start of the stream."""
        return float((frame.pts - self.origin_pts) * self.time_base)

    def ticks_of(self, second: float) -> int:
        """A time in seconds from the start of the stream as a time of its clock."""
        return self.origin_pts + int((Fraction(second) + _ROUNDING_SECONDS) / self.time_base)

    def at(self, second: float) -> Any | None:
        """The picture on screen at `second`, or None where the file is damaged or over.

        Args:
            second: from the start of the stream, not below the last second asked for.

        Returns:
            a PyAV frame; the same object while it stays on screen.
        """
        ticks = self.ticks_of(second)
        if ticks <= self.first.pts:
            return self.first
        if not self._has_place or self._is_worth_a_seek(ticks):
            self._seek(ticks)
        while self._ahead is not None and self._ahead.pts <= ticks:
            self._advance()
        if self._held is None or not self._held.pts <= ticks <= self._end_pts(ticks):
            return None
        return self._held

    def forget_place(self) -> None:
        """To be called when another reader of the same file moves on: the next answer begins with a seek."""
        self._has_place = False

    def is_near(self, ticks: int) -> bool:
        """Will `ticks` be reached by reading on, in the group of pictures that was landed in, as far as is known?"""
        newest = self.packets.newest_key_pts
        is_next_group = newest is not None and newest != self._landed_key_pts and newest <= ticks
        return self._has_place and (self._ahead is None or not (is_next_group or self._is_worth_a_seek(ticks)))

    @property
    def last_second(self) -> float:
        """Time of the last picture read so far: of the last one there is, once a second past it was asked for."""
        last = self._ahead or self._held
        return 0.0 if last is None else self.seconds_of(last)

    def walk(self) -> Iterator[Any]:
        """Every picture from the first one on, in display order; for a reader that was not asked anything yet."""
        while self._held is not None:
            yield self._held
            self._advance()

    def _next(self) -> Any | None:
        return next(self._pictures, None)

    def _advance(self) -> None:
        if self._held is not None and self._ahead is not None:
            self.interval_ticks = self._ahead.pts - self._held.pts
        self._held, self._ahead = self._ahead, self._next()

    def _end_pts(self, ticks: int) -> int:
        """The last tick at which the held picture is on screen, as far as `ticks` needs to know it."""
        damaged = [pts for pts in self.packets.damaged_pts if self._held.pts < pts <= ticks]
        if damaged:
            return min(damaged) - 1
        if self._ahead is not None:
            return int(self._ahead.pts) - 1
        own_ticks = self.packets.last_duration_ticks or self.interval_ticks
        tolerance_ticks = max(own_ticks, int(self.interval_ticks * _TOLERANCE_INTERVALS))
        return int(self._held.pts) + tolerance_ticks

    def _default_interval_ticks(self) -> int:
        if self._ahead is not None:
            return int(self._ahead.pts - self.first.pts)
        rate = self._stream.average_rate
        return round(1 / rate / self.time_base) if rate else 0

    def _is_worth_a_seek(self, ticks: int) -> bool:
        """Is there, as far as is known, a keyframe between the packets read so far and `ticks`?"""
        if not self._can_seek or self._ahead is None:
            return False
        is_between = self.packets.keyframe_between(ticks)
        return bool(ticks - self._ahead.pts > self._seek_beyond_ticks) if is_between is None else is_between

    def _seek(self, ticks: int) -> None:
        """Land on a picture at or before `ticks`, further back as long as it is none.

        Neither is one that the decoder does not call a keyframe: the index lies, and what is decoded from there on is
        not what was encoded.
        """
        landed, self._can_seek = None, False
        for is_start in self.packets.landings(ticks, self.origin_pts):
            self._can_seek, self._pictures = True, self.packets.pictures()
            landed = self._next()
            if is_start or (landed is not None and landed.pts <= ticks and is_key(landed)):
                break
            self._can_seek = False
        if self._can_seek or landed is not None or not self._has_place:
            self._held, self._ahead = landed, None if landed is None else self._next()
        self._has_place, self._landed_key_pts = True, self.packets.newest_key_pts
        if landed is not None:
            # Without a full index: do not try again within a distance in which this file has no keyframe.
            self._seek_beyond_ticks = max(self._seek_beyond_ticks, ticks - landed.pts)


def is_key(frame: Any) -> bool:
    """Does the decoder, and not only the container, say that pictures from this one on can be decoded?"""
    from av.video.frame import PictureType

    return bool(frame.key_frame) or frame.pict_type == PictureType.I
