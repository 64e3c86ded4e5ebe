"""The packets of one stream by number: a table of all of them, and a reader that can go to any of them."""

import threading
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from longpanda.errors import VideoError
from longpanda.video.source import Source

Ticks = npt.NDArray[np.int64]
NO_TIME = -(2**63)
KEY, HIDDEN, CORRUPT, EMPTY = 1, 2, 4, 8
_DEMUX_ERRORS_IN_A_ROW = 64
_NO_BYTE_SEEK = 0x8000  # AVFMT_NO_BYTE_SEEK of FFmpeg
_LOOKED_AT_AFTER_A_SEEK = 2000
_FAILED_SEEKS_BORNE = 3


@dataclass(frozen=True, eq=False)
class PacketTable:
    """Every packet of a stream in file order, as the container gives it; times in ticks of its time base.

    Reading all packets costs some 6 microseconds each without decoding: a second for an hour of film. Only the table
    makes it certain how long the film is, in which order its pictures are shown, which of them have wrong times, and
    whether a seek landed where it should.

    Args:
        pts: int64 [N], display time of the picture; `NO_TIME` if missing.
        dts: int64 [N], decoding time; `NO_TIME` if missing.
        durations: int64 [N], how long the picture is shown, 0 if unknown.
        positions: int64 [N], byte position in the file, -1 if unknown.
        sizes: int64 [N], in bytes.
        marks: uint8 [N], bits `KEY` (a keyframe by the container), `HIDDEN` (by an edit list), `CORRUPT`, `EMPTY`.
        errors: numbers of the packets before which part of the file could not be read.
        is_encrypted: whether some packets are encrypted.
        headers: codec headers that change within the file: the number of the first packet, and PyAV's side data.
    """

    pts: Ticks
    dts: Ticks
    durations: Ticks
    positions: Ticks
    sizes: Ticks
    marks: npt.NDArray[np.uint8]
    errors: tuple[int, ...]
    is_encrypted: bool = False
    headers: tuple[tuple[int, Any], ...] = ()

    def __len__(self) -> int:
        return len(self.pts)

    def __repr__(self) -> str:
        return f"PacketTable({len(self)} packets, {np.count_nonzero(self.marks & KEY)} keyframes)"


_CACHED_TABLES = 2
_tables: dict[tuple[int, ...], PacketTable] = {}
_CACHE_LOCK = threading.Lock()


def read_table(source: Source) -> PacketTable:
    """Read all packets of a file's video stream, or return the cached table if the file has not changed.

    Args:
        source: a file at its first packet; it is at its end afterwards unless the table was cached.
    """
    stat = source.stat
    identity = (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, source.stream.index)
    with _CACHE_LOCK:
        table = _tables.pop(identity, None)
    if table is None:
        table = _table(source)
    with _CACHE_LOCK:
        _tables[identity] = table
        while len(_tables) > _CACHED_TABLES:
            del _tables[next(iter(_tables))]
    return table


def _table(source: Source) -> PacketTable:
    import av

    columns = [array("q") for _ in range(5)]
    marks, errors, headers, is_encrypted = bytearray(), [], [], False
    for packet in demux(source):
        if packet is None:
            errors.append(len(marks))
            continue
        values = (packet.pts, packet.dts, packet.duration, packet.pos, packet.size)
        for column, value, missing in zip(columns, values, (NO_TIME, NO_TIME, 0, -1, 0), strict=True):
            column.append(missing if value is None else value)
        mark = packet.is_keyframe * KEY | packet.is_discard * HIDDEN | packet.is_corrupt * CORRUPT
        marks.append(mark | EMPTY * (not packet.size))
        if not mark & KEY and len(marks) > 1:
            continue
        is_encrypted = is_encrypted or packet.has_sidedata("encryption_info")
        if packet.has_sidedata("new_extradata"):
            headers.append((len(marks) - 1, av.packet.PacketSideData.from_packet(packet, "new_extradata")))
    pts, dts, durations, positions, sizes = (np.array(column, np.int64) for column in columns)
    marks_of_all = np.frombuffer(bytes(marks), np.uint8)
    return PacketTable(pts, dts, durations, positions, sizes, marks_of_all, tuple(errors), is_encrypted, tuple(headers))


def demux(source: Source) -> Iterator[Any | None]:
    """Yield the stream's packets from the current position on; None stands for data that cannot be read."""
    import av

    errors_in_a_row, source.is_at_start = 0, False
    demuxer = source.container.demux(source.stream)
    while errors_in_a_row < _DEMUX_ERRORS_IN_A_ROW:
        try:
            packet = next(demuxer)
        except (StopIteration, IndexError):  # how PyAV ends if streams have appeared on the way
            return
        except av.error.FFmpegError:
            errors_in_a_row += 1
            if errors_in_a_row == 1:
                yield None
            demuxer = source.container.demux(source.stream)
            continue
        errors_in_a_row = 0
        if packet.size or packet.dts is not None or packet.pts is not None:  # PyAV ends with an empty one
            yield packet


def seek(container: Any, offset: int, **how: Any) -> None:
    """PyAV's seek, by time or by byte; a function, since tests cannot patch PyAV's method."""
    container.seek(offset, **how)


class PacketReader:
    """Reads the packets of an open file by their numbers in its table.

    Every seek is checked: the next keyframe must be one of the table by its byte position, size and time. If it is not,
    or comes too late, the file is reopened and read from its start.
    """

    def __init__(self, source: Source, table: PacketTable) -> None:
        self.source, self._table = source, table
        self._keys = np.flatnonzero(table.marks & KEY)
        self._next, self._demuxed = 0 if source.is_at_start else len(table) + 1, demux(source)
        self._failed_seeks = 0

    def packets(self, first: int, last: int) -> Iterator[tuple[int, Any]]:
        """Yield numbered packets, `last` included, fewer if the file was cut. Raises VideoError if it has changed."""
        self._go_to(first)
        for number in range(first, last + 1):
            packet = self._read()
            if packet is None:
                return
            yield number, packet

    def _go_to(self, number: int) -> None:
        if not self._is_within_reach(number):
            if len(self._keys) > 1 and self._failed_seeks < _FAILED_SEEKS_BORNE:
                self._seek(number)
            elif self._next > number:
                self.reopen()
        while self._next < number and self._read() is not None:
            pass

    def _is_within_reach(self, number: int) -> bool:
        """Whether to read on instead of seeking: no whole keyframe group lies in between."""
        if self._next > number:
            return False
        begun, at = np.searchsorted(self._keys, self._next), np.searchsorted(self._keys, number, side="right") - 1
        return bool(begun >= at)

    def _seek(self, number: int) -> None:
        """Go to a keyframe at or before a packet, else to the start.

        After some failures no seek is tried any more: the file has no index, or a wrong one.
        """
        at = int(np.searchsorted(self._keys, number, side="right")) - 1
        for how in self._ways(int(self._keys[at])) if at >= 0 else []:
            if (landed := self._try(how)) is not None and landed <= number:
                return
        self._failed_seeks += at >= 0
        self.reopen()

    def _ways(self, key: int) -> list[dict[str, Any]]:
        """Arguments for the container's seek: by byte position if its clock may jump, else by time."""
        table = self._table
        if self.source.clock_may_jump and not int(self.source.container.format.flags) & _NO_BYTE_SEEK:
            return [{"offset": int(table.positions[key]), "unsupported_byte_offset": True}]
        times = [int(time) for time in dict.fromkeys((table.pts[key], table.dts[key])) if time != NO_TIME]
        return [{"offset": time, "stream": self.source.stream} for time in times]

    def _try(self, how: dict[str, Any]) -> int | None:
        """Seek and return the number of the next keyframe, which is read next; None if it is not in the table."""
        import av

        try:
            seek(self.source.container, **how)
        except (av.error.FFmpegError, TypeError, ValueError):  # PyAV itself refuses some offsets
            self._next = len(self._table) + 1
            return None
        self._next, self._demuxed = len(self._table) + 1, demux(self.source)
        for packet, _ in zip(self._demuxed, range(_LOOKED_AT_AFTER_A_SEEK), strict=False):
            if packet is None:
                return None
            if packet.is_keyframe and (number := self._number_of(packet)) is not None:
                self._demuxed, self._next = chain([packet], self._demuxed), number
                return number
        return None

    def _number_of(self, packet: Any) -> int | None:
        """The number of a keyframe, by its byte position, size and time; None unless it is unique."""
        table, pts = self._table, NO_TIME if packet.pts is None else packet.pts
        is_alike = (table.positions == packet.pos) & (table.sizes == packet.size) & (table.pts == pts)
        found = np.flatnonzero(is_alike & (table.marks & KEY != 0))
        return int(found[0]) if len(found) == 1 and table.positions[found[0]] >= 0 else None

    def reopen(self, is_strict: bool | None = None) -> None:
        """Return to the first packet with a new decoder; `is_strict` as in `Source.reopen`."""
        self.source.reopen(is_strict)
        self._next, self._demuxed = 0, demux(self.source)

    def _read(self) -> Any | None:
        """The next packet; None at the end of the file."""
        for packet in self._demuxed:
            if packet is None:
                continue
            number, self._next, sizes = self._next, self._next + 1, self._table.sizes
            # The last packet of a growing file may have become longer.
            if number < len(sizes) - 1 and packet.size != sizes[number]:
                found = f"packet {number} of '{self.source.path}' has {packet.size} bytes, but had {sizes[number]}"
                raise VideoError(found, "a file that does not change while it is read", "run again when it is finished")
            return packet
        self._next = len(self._table) + 1
        return None
