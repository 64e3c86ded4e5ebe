"""Pictures on screen at chosen seconds for the least decoding: keyframe groups are planned, what comes is checked."""

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from longpanda.video.groups import Group
from longpanda.video.reader import ScreenReader, is_key
from longpanda.video.source import Source

_READ_ON_SECONDS = 5.0
_DROPPABLE = ("h264", "hevc", "mpeg2video", "mpeg1video")
"""Codecs whose pictures say that none refers to them, with decoders that pass over such pictures when told so."""
_HEVC_VPS = b"\x40\x01"


@dataclass(frozen=True)
class Target:
    """A second asked for.

    Args:
        number: its place among the seconds.
        second: from the start of the stream.
        ticks: the same on the stream's clock, or the time of the keyframe that is taken instead.
    """

    number: int
    second: float
    ticks: int


class PlannedReader:
    """Answers as `ScreenReader` does, bit by bit, and decodes only what it must.

    Reads the packets of a keyframe group, sorts their times, and so knows which pictures are wanted before it decodes
    one. Groups without wanted pictures are skipped, with a seek where a whole one lies between; decoding starts with
    the keyframe, ends with the last wanted picture, and drops pictures on the way that no other refers to. Where a file
    gives something else than its packets promised (damage, fields, invisible pictures, times that are not there, an
    index that lies), `ScreenReader`, which decodes everything, answers for the group instead.

    Holds the packets of one group, 32 MiB at most.

    Args:
        source: an open file.
        screen: its reader, from which this one takes over.
        tolerance_seconds: the nearest keyframe is taken instead of the picture on screen if it is no further than this.
    """

    def __init__(self, source: Source, screen: ScreenReader, tolerance_seconds: float = 0.0) -> None:
        self._codec, self._screen, self._packets = source.stream.codec_context, screen, screen.packets
        self._tolerance_ticks = int(tolerance_seconds / screen.time_base)
        self._read_on_ticks = int(_READ_ON_SECONDS / screen.time_base)
        self._drops = "NONREF" if _can_drop(self._codec) else "DEFAULT"
        self._group: Group | None = None
        self._demuxed: Iterator[Any] = iter(())
        self._is_plain = False

    def answers(self, seconds: Iterable[float]) -> Iterator[tuple[int, Any | None]]:
        """The picture on screen at each second, or None where the file is damaged or over.

        Args:
            seconds: from the start of the stream, never decreasing; taken one by one.

        Yields:
            the number of the second and a PyAV frame; the same object while it stays on screen.
        """
        wanted = _Queue(seconds, self._screen)
        while (target := wanted.front) is not None:
            if target.ticks <= self._screen.first.pts:
                yield wanted.take().number, self._screen.first
            elif self._stays_plain(target.ticks) or not self._locate(target.ticks):
                yield self._plainly(wanted.take())
            elif batch := self._gather(wanted):
                yield from self._show(batch)
            elif wanted.front == target:
                yield self._plainly(wanted.take())

    def _plainly(self, target: Target) -> tuple[int, Any | None]:
        """Let the reader that decodes everything answer."""
        self._group, self._is_plain = None, True
        return target.number, self._screen.at(target.second)

    def _stays_plain(self, ticks: int) -> bool:
        """Is the reader that decodes everything in the group of `ticks`, with no keyframe near that it would miss?"""
        is_blind = self._tolerance_ticks > 0 and self._packets.keyframe_between(ticks) is None
        return self._is_plain and not is_blind and self._screen.is_near(ticks + self._tolerance_ticks)

    def _is_far(self, ticks: int) -> bool:
        """Is it better to seek than to read on, as far as is known?"""
        is_between, read_dts = self._packets.group_between(ticks), self._packets.demuxed_dts
        if is_between is not None:
            return is_between
        return read_dts is None or ticks - read_dts > self._read_on_ticks

    def _locate(self, ticks: int) -> bool:
        """Have a group that begins at or before `ticks`; False where there is none or the file cannot seek."""
        if self._group is not None and self._group.start_pts <= ticks and not self._is_far(ticks):
            return True
        for _ in self._packets.landings(ticks, self._screen.origin_pts):
            self._screen.forget_place()
            self._group, self._demuxed = None, self._packets.packets()
            key = next((packet for packet in self._demuxed if packet.is_keyframe), None)
            if key is not None and key.pts is not None and key.pts <= ticks and not (group := Group([key])).is_broken:
                self._group, self._is_plain = group, False
                # Without an index: do not seek within a distance in which this file has no keyframe.
                self._read_on_ticks = max(self._read_on_ticks, ticks - key.pts)
                return True
        return False

    def _gather(self, wanted: "_Queue") -> list[Target]:
        """Read on until all seconds of one group are known that anyone asks for, and take them."""
        batch: list[Target] = []
        while self._group is not None:
            group = self._group
            while self._is_in(group, wanted):
                batch.append(wanted.take())
            front = wanted.front
            if group.is_broken or front is None or (batch and (group.is_whole or self._is_far(front.ticks))):
                break
            if group.is_whole:
                if group.next_pts is None or front.ticks < group.next_pts:
                    break
                self._group = group.following()
            else:
                self._read_packet(group)
        return batch

    def _is_in(self, group: Group, wanted: "_Queue") -> bool:
        """Does the next second belong to the group? One for which the next keyframe is taken instead does not."""
        if (front := wanted.front) is None:
            return False
        back_ticks = front.ticks - group.start_pts
        reach_ticks = min(self._tolerance_ticks, back_ticks)
        if not group.holds(front.ticks) or not group.knows(front.ticks + reach_ticks):
            return False
        ahead_ticks = back_ticks if group.next_pts is None else group.next_pts - front.ticks
        if (
            group.next_pts is not None
            and group.next_is_shown
            and ahead_ticks < min(back_ticks, self._tolerance_ticks + 1)
        ):
            wanted.move_front(group.next_pts)
            return False
        if group.start_is_shown and back_ticks <= self._tolerance_ticks:
            wanted.move_front(group.start_pts)
        return True

    def _read_packet(self, group: Group) -> None:
        packet = next(self._demuxed, None)
        if self._packets.damaged_pts:
            group.is_broken = True
        elif packet is None or (packet.pts is None and not packet.size):
            group.end()
        else:
            group.add(packet)

    def _show(self, batch: list[Target]) -> Iterator[tuple[int, Any | None]]:
        """Decode a group as planned; from the first surprise on, plainly."""
        group, done, frame = self._group, 0, None
        planned = group.plan([target.ticks for target in batch]) if group is not None else None
        if group is not None and planned is not None:
            frames = self._frames(group, set(planned))
            for target, pts in zip(batch, planned, strict=True):
                if frame is None or frame.pts != pts:
                    frame = next(frames, None)
                if frame is None or frame.pts != pts:
                    break
                yield target.number, frame
                done += 1
            frames.close()
            self._group = group.following() if group.is_whole else None
        for target in batch[done:]:
            yield self._plainly(target)

    def _frames(self, group: Group, wanted: set[int]) -> Generator[Any]:
        """Wanted pictures in order of display; fewer where something else comes than was planned."""
        import av

        has_started, last_pts = group.packets[0].is_discard, group.start_pts - 1
        try:
            for packet in [*group.needed(wanted), None]:
                self._codec.skip_frame = self._drops if packet is not None and packet.pts not in wanted else "DEFAULT"
                try:
                    decoded = self._codec.decode(packet)
                except av.error.FFmpegError:
                    if packet is not None and packet.pts < group.start_pts:
                        continue  # it refers to the group before
                    return
                for frame in decoded:
                    if frame.pts is not None and frame.pts < group.start_pts:
                        continue
                    has_started = has_started or (frame.pts == group.start_pts and is_key(frame))
                    if frame.pts is None or frame.pts <= last_pts or frame.is_corrupt or not has_started:
                        return
                    last_pts = frame.pts
                    if frame.pts in wanted:
                        yield frame
        finally:
            self._codec.skip_frame = "DEFAULT"
            self._codec.flush_buffers()


class _Queue:
    """Seconds as targets, one of them in front; more are taken from an iterable only when needed."""

    def __init__(self, seconds: Iterable[float], screen: ScreenReader) -> None:
        self._seconds, self._ticks_of = enumerate(seconds), screen.ticks_of
        self.front = self._next()

    def take(self) -> Target:
        """Remove the target in front, which there must be."""
        assert self.front is not None
        taken, self.front = self.front, self._next()
        return taken

    def move_front(self, ticks: int) -> None:
        """Give the target in front another time to be shown."""
        assert self.front is not None
        self.front = replace(self.front, ticks=ticks)

    def _next(self) -> Target | None:
        number, second = next(self._seconds, (0, None))
        return None if second is None else Target(number, second, self._ticks_of(second))


def _can_drop(codec: Any) -> bool:
    """Is it safe to leave out what the decoder leaves out when told to pass over pictures that none refers to?

    HEVC's sub-layer non-reference pictures may be referred to from a higher sub-layer, so there must be one only.
    """
    name = codec.codec.canonical_name
    if name != "hevc":
        return name in _DROPPABLE
    header = codec.extradata or b""
    at = header.find(_HEVC_VPS)
    return 0 <= at < len(header) - 3 and (header[at + 3] >> 1) & 7 == 0
