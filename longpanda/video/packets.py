"""The packets of one stream by their numbers: a table of all of them, and a reader that goes to any of them."""

import threading
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
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
    """Every packet of a stream in the order of the file, as the container gives it; times in ticks of its time base.

    Reading all packets costs some 6 microseconds each and no decoding: a second for an hour of film. It is what makes
    everything else exact: how long the film is, in what order its pictures are shown, which of them a wrong time
    concerns, and whether a seek came where it should have.

    Args:
        pts: int64 [N], when its picture is shown; `NO_TIME` where the packet does not say.
        dts: int64 [N], when it is to be decoded; `NO_TIME` likewise.
        durations: int64 [N], how long its picture is shown, 0 where unknown.
        positions: int64 [N], where it is in the file, -1 where unknown.
        sizes: int64 [N], bytes.
        marks: uint8 [N], bits `KEY` (a keyframe, says the container), `HIDDEN` (by an edit list), `CORRUPT`, `EMPTY`.
        errors: the numbers of the packets before which something of the file could not be read.
        is_encrypted: some packets are encrypted, and there is no key.
        headers: the codec's headers where they change: from which packet on, and PyAV's side data.
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


_REMEMBERED = 2
_tables: dict[tuple[int, ...], PacketTable] = {}
_REMEMBERING = threading.Lock()


def read_table(source: Source) -> PacketTable:
    """All packets of an open file's video stream; of the last files they are remembered, while these stay as they are.

    Args:
        source: at its first packet, and at its end afterwards, unless the packets are remembered.
    """
    told = source.told
    identity = (told.st_dev, told.st_ino, told.st_size, told.st_mtime_ns, source.stream.index)
    with _REMEMBERING:
        table = _tables.pop(identity, None)
    if table is None:
        table = _table(source)
    with _REMEMBERING:
        _tables[identity] = table
        while len(_tables) > _REMEMBERED:
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
    """Packets of the stream from where the file stands to its end; None for what could not be read between two."""
    import av

    errors_in_a_row, source.is_at_start = 0, False
    demuxer = source.container.demux(source.stream)
    while errors_in_a_row < _DEMUX_ERRORS_IN_A_ROW:
        try:
            packet = next(demuxer)
        except (StopIteration, IndexError):  # PyAV's end where streams have appeared on the way
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
    """PyAV's seek, by time or by place."""
    container.seek(offset, **how)


class PacketReader:
    """Gives the packets of an open file by their numbers in its table.

    A seek is never taken on trust: the packet that follows it must be a keyframe of the table, by its place in the
    file, its size and its time. Where it is none, or one too late, the file is opened again and read from its start.

    Args:
        source: an open file.
        table: its packets.
    """

    def __init__(self, source: Source, table: PacketTable) -> None:
        self.source, self._table = source, table
        self._keys = np.flatnonzero(table.marks & KEY)
        self._next, self._demuxed = 0 if source.is_at_start else len(table) + 1, demux(source)
        self._failed_seeks = 0

    def packets(self, first: int, last: int) -> Iterator[tuple[int, Any]]:
        """Packets `first` to `last`, both included, with their numbers; fewer where the file has been cut since.

        Raises:
            VideoError: the file is no longer what its table says.
        """
        self._go_to(first)
        for number in range(first, last + 1):
            packet = self._read()
            if packet is None:
                return
            yield number, packet

    def _go_to(self, number: int) -> None:
        """Make `number` the next packet."""
        if not self._is_within_reach(number):
            if len(self._keys) > 1 and self._failed_seeks < _FAILED_SEEKS_BORNE:
                self._seek(number)
            elif self._next > number:
                self.reopen()
        while self._next < number and self._read() is not None:
            pass

    def _is_within_reach(self, number: int) -> bool:
        """Is it better to read on than to seek? It is where no whole keyframe group lies between."""
        if self._next > number:
            return False
        begun, at = np.searchsorted(self._keys, self._next), np.searchsorted(self._keys, number, side="right") - 1
        return bool(begun >= at)

    def _seek(self, number: int) -> None:
        """Land on the keyframe at or before a packet, or on one before that; else at the start.

        Where some seeks have failed, none is tried any more: the file has no index, or a wrong one.
        """
        at = int(np.searchsorted(self._keys, number, side="right")) - 1
        for how in self._ways(int(self._keys[at])) if at >= 0 else []:
            if (landed := self._try(how)) is not None and landed <= number:
                return
        self._failed_seeks += at >= 0
        self.reopen()

    def _ways(self, key: int) -> list[dict[str, Any]]:
        """Arguments for the container's seek: by place in the file where its clock may jump, else by time."""
        table = self._table
        if self.source.clock_may_jump and not int(self.source.container.format.flags) & _NO_BYTE_SEEK:
            return [{"offset": int(table.positions[key]), "unsupported_byte_offset": True}]
        times = [int(time) for time in dict.fromkeys((table.pts[key], table.dts[key])) if time != NO_TIME]
        return [{"offset": time, "stream": self.source.stream} for time in times]

    def _try(self, how: dict[str, Any]) -> int | None:
        """Seek, and say which keyframe is next; None where it is none of the table's. It is read again when wanted."""
        import av

        try:
            seek(self.source.container, **how)
        except (av.error.FFmpegError, TypeError, ValueError):  # PyAV refuses some offsets by itself
            self._next = len(self._table) + 1
            return None
        self._next, self._demuxed = len(self._table) + 1, demux(self.source)
        for packet, _ in zip(self._demuxed, range(_LOOKED_AT_AFTER_A_SEEK), strict=False):
            if packet is None:
                return None
            if packet.is_keyframe and (number := self._number_of(packet)) is not None:
                self._demuxed, self._next = _put_back(packet, self._demuxed), number
                return number
        return None

    def _number_of(self, packet: Any) -> int | None:
        """The keyframe that a packet is, by its place in the file, its size and its time; None in doubt."""
        table, pts = self._table, NO_TIME if packet.pts is None else packet.pts
        is_alike = (table.positions == packet.pos) & (table.sizes == packet.size) & (table.pts == pts)
        found = np.flatnonzero(is_alike & (table.marks & KEY != 0))
        return int(found[0]) if len(found) == 1 and table.positions[found[0]] >= 0 else None

    def reopen(self, is_strict: bool | None = None) -> None:
        """Go back to the first packet, with a new decoder; `is_strict` as `Source.reopen` has it."""
        self.source.reopen(is_strict)
        self._next, self._demuxed = 0, demux(self.source)

    def _read(self) -> Any | None:
        """The next packet; None at the end of the file."""
        for packet in self._demuxed:
            if packet is None:
                continue
            number, self._next = self._next, self._next + 1
            self._check(number, packet)
            return packet
        self._next = len(self._table) + 1
        return None

    def _check(self, number: int, packet: Any) -> None:
        """Is it the packet it should be? The last one of a file that grows may have become longer."""
        sizes = self._table.sizes
        if number < len(sizes) - 1 and packet.size != sizes[number]:
            raise VideoError(
                f"packet {number} of '{self.source.path}' has {packet.size} bytes, and had {sizes[number]} before",
                "a file that does not change while it is read",
                "run again when it is finished",
            )


def _put_back(packet: Any, rest: Iterator[Any | None]) -> Iterator[Any | None]:
    yield packet
    yield from rest
