"""Edit the bytes of times in Matroska, MPEG-TS, FLV and IVF files: no muxer writes wrong times on request."""

import struct
from collections.abc import Callable, Iterator
from functools import partial

from benchmarks.corpus.files import Edit

Clock = Callable[[int, int], int | None]
"""Maps the position of a picture in the file and its time in ticks to a new time, or to None for no time."""
_CLUSTER, _CLUSTER_TIME, _SIMPLE_BLOCK, _BLOCK_GROUP, _BLOCK = 0x1F43B675, 0xE7, 0xA3, 0xA0, 0xA1
_SEGMENT, _CUES, _CUE_POINT, _CUE_TRACK, _CUE_POSITION = 0x18538067, 0x1C53BB6B, 0xBB, 0xB7, 0xF1
_PARENTS = {_SEGMENT, _CLUSTER, _BLOCK_GROUP, _CUES, _CUE_POINT, _CUE_TRACK}
_TS_PACKET, _TS_VIDEO = 188, 0x100
_FLV_HEADER, _FLV_VIDEO = 13, 9
_IVF_HEADER, _IVF_FRAME = 32, 12
_WHOLE_INT16 = 0x8000


def matroska(clock: Clock) -> Edit:
    """Change the times of blocks, in milliseconds; they must stay within 32 s of their cluster's."""
    return partial(_set_matroska, clock=clock)


def _set_matroska(content: bytes, clock: Clock) -> bytes:
    changed, number, base = bytearray(content), 0, 0
    for name, at, size in _elements(content, 0, len(content)):
        if name == _CLUSTER_TIME:
            base = int.from_bytes(content[at : at + size], "big")
        elif name in (_SIMPLE_BLOCK, _BLOCK):
            offset = struct.unpack(">h", content[at + 1 : at + 3])[0]
            wanted = clock(number, base + offset)
            if wanted is not None:
                changed[at + 1 : at + 3] = struct.pack(">h", wanted - base)
            number += 1
    return bytes(changed)


def matroska_clusters(clock: Callable[[int, int], int]) -> Edit:
    """Change the times of whole clusters, in milliseconds."""
    return partial(_set_clusters, clock=clock)


def _set_clusters(content: bytes, clock: Callable[[int, int], int]) -> bytes:
    changed, number = bytearray(content), 0
    for name, at, size in _elements(content, 0, len(content)):
        if name == _CLUSTER_TIME:
            changed[at : at + size] = clock(number, int.from_bytes(content[at : at + size], "big")).to_bytes(
                size, "big"
            )
            number += 1
    return bytes(changed)


def lying_cues(content: bytes) -> bytes:
    """Make a Matroska index give the position of the first keyframe for all of them."""
    changed, first = bytearray(content), b""
    for name, at, size in _elements(content, 0, len(content)):
        if name == _CUE_POSITION:
            first = first or content[at : at + size]
            changed[at : at + size] = first.rjust(size, b"\0")[-size:]
    if not first:
        raise ValueError("no index in the file")
    return bytes(changed)


def scrambled(content: bytes) -> bytes:
    """Mark the pictures of MPEG-TS as encrypted."""
    changed = bytearray(content)
    for at in range(0, len(content) - _TS_PACKET + 1, _TS_PACKET):
        if int.from_bytes(content[at + 1 : at + 3], "big") & 0x1FFF == _TS_VIDEO:
            changed[at + 3] |= 0x80
            body = at + 4 + (1 + content[at + 4] if content[at + 3] & 0x20 else 0)
            changed[body : at + _TS_PACKET] = bytes(byte ^ 0x5A for byte in content[body : at + _TS_PACKET])
    return bytes(changed)


def _elements(content: bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield the name, position and length of each element's body, parents before children."""
    while at < end - 1:
        name, at = _number(content, at, keeps_marker=True)
        size, at = _number(content, at, keeps_marker=False)
        size = min(size, end - at)
        yield name, at, size
        if name in _PARENTS:
            yield from _elements(content, at, at + size)
        at += size


def _number(content: bytes, at: int, keeps_marker: bool) -> tuple[int, int]:
    """Return a variable-length number of Matroska, and where it ends."""
    length = 9 - content[at].bit_length()
    value = int.from_bytes(content[at : at + length], "big")
    if not keeps_marker:
        value &= (1 << 7 * length) - 1
        value = 1 << 62 if value == (1 << 7 * length) - 1 else value
    return value, at + length


def transport(shown: Clock | None = None, decoded: Clock | None = None) -> Edit:
    """Change presentation times in MPEG-TS, 90000 ticks per second, and decoding times where they differ."""
    return partial(_set_transport, shown=shown, decoded=decoded)


def _set_transport(content: bytes, shown: Clock | None, decoded: Clock | None) -> bytes:
    changed, number = bytearray(content), 0
    for at in range(0, len(content) - _TS_PACKET + 1, _TS_PACKET):
        pid, starts = int.from_bytes(content[at + 1 : at + 3], "big") & 0x1FFF, content[at + 1] & 0x40
        if pid != _TS_VIDEO or not starts:
            continue
        body = at + 4 + (1 + content[at + 4] if content[at + 3] & 0x20 else 0)
        flags = content[body + 7] >> 6
        for clock, place, is_there in ((shown, body + 9, flags & 2), (decoded, body + 14, flags == 3)):
            if clock is not None and is_there:
                time = clock(number, _pes_time(content[place : place + 5]))
                if time is None:
                    changed[body + 7] &= 0x3F
                    changed[body + 9 : body + 9 + content[body + 8]] = b"\xff" * content[body + 8]
                    break
                changed[place : place + 5] = _pes_bytes(time, content[place] >> 4)
        number += 1
    return bytes(changed)


def _pes_time(five: bytes) -> int:
    return (five[0] >> 1 & 7) << 30 | five[1] << 22 | (five[2] >> 1) << 15 | five[3] << 7 | five[4] >> 1


def _pes_bytes(time: int, mark: int) -> bytes:
    time %= 1 << 33
    high, middle, low = time >> 30, time >> 15 & 0x7FFF, time & 0x7FFF
    return struct.pack(">BHH", mark << 4 | high << 1 | 1, middle << 1 | 1, low << 1 | 1)


def flash(clock: Clock) -> Edit:
    """Change the times of FLV's tags with pictures, in milliseconds."""
    return partial(_set_flash, clock=clock)


def _set_flash(content: bytes, clock: Clock) -> bytes:
    changed, at, number = bytearray(content), _FLV_HEADER, 0
    while at + 11 <= len(content):
        size = int.from_bytes(content[at + 1 : at + 4], "big")
        if content[at] == _FLV_VIDEO and content[at + 12] != 0:
            time = clock(number, int.from_bytes(content[at + 4 : at + 7], "big") | content[at + 7] << 24)
            if time is not None:
                changed[at + 4 : at + 7] = (time & 0xFFFFFF).to_bytes(3, "big")
                changed[at + 7] = time >> 24 & 0xFF
            number += 1
        at += 11 + size + 4
    return bytes(changed)


def ivf(clock: Clock) -> Edit:
    """Change the times of IVF's frames, in its ticks."""
    return partial(_set_ivf, clock=clock)


def _set_ivf(content: bytes, clock: Clock) -> bytes:
    changed, at, number = bytearray(content), _IVF_HEADER, 0
    while at + _IVF_FRAME <= len(content):
        size, time = struct.unpack("<IQ", content[at : at + _IVF_FRAME])
        wanted = clock(number, time)
        if wanted is not None:
            changed[at + 4 : at + 12] = struct.pack("<Q", wanted)
        at, number = at + _IVF_FRAME + size, number + 1
    return bytes(changed)


def one(place: int, by: int) -> Clock:
    """Move the time at one position in the file by some ticks."""
    return partial(_move_some, of=range(place, place + 1), by=by)


def from_place(place: int, by: int) -> Clock:
    """Move all times from one position in the file by some ticks."""
    return partial(_move_some, of=range(place, 1 << 30), by=by)


def some(of: range, by: int) -> Clock:
    """Move the times at some positions in the file by some ticks."""
    return partial(_move_some, of=of, by=by)


def _move_some(number: int, time: int, of: range, by: int) -> int:
    return time + by if number in of else time


def absent(of: range) -> Clock:
    """Remove the times at some positions in the file."""
    return partial(_leave_out, of=of)


def _leave_out(number: int, time: int, of: range) -> int | None:
    return None if number in of else time
