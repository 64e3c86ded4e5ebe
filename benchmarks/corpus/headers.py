"""Edit the bytes of Matroska and MP4 headers about the shape of the picture."""

import struct
from functools import partial

from benchmarks.corpus.files import Edit, boxes, enlarged

_TRACKS, _TRACK, _VIDEO, _SEGMENT, _VOID = 0x1654AE6B, 0xAE, 0xE0, 0x18538067, 0xEC
_CROP = {"bottom": b"\x54\xaa", "top": b"\x54\xbb", "left": b"\x54\xcc", "right": b"\x54\xdd"}
_QUARTERS = {0: (1, 0, 0, 1), 90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}
_ONE = 1 << 16


def pixel_crop(**px: int) -> Edit:
    """Add PixelCropTop, PixelCropBottom, PixelCropLeft or PixelCropRight to a Matroska file.

    They take space from the empty element that FFmpeg leaves before the tracks, so that the pictures do not move.
    """
    return partial(_set_pixel_crop, px=px)


def _set_pixel_crop(content: bytes, px: dict[str, int]) -> bytes:
    extra = b"".join(_CROP[side] + b"\x81" + bytes([count]) for side, count in px.items())
    parents = _open(content, 0, len(content))
    end = parents[-1][1] + parents[-1][2]
    changed = bytearray(content[:end] + extra + content[end:])
    for size_at, body, size in parents[1:]:
        _set_size(changed, size_at, body, size + len(extra))
    void = next(at for at in range(parents[0][1], parents[1][0]) if content[at] == _VOID)
    body = void + 1 + _length(content[void + 1])
    size = int.from_bytes(content[void + 1 : body], "big") & (1 << 7 * (body - void - 1)) - 1
    if size < len(extra):
        raise ValueError(f"an empty element of {size} bytes before the tracks")
    _set_size(changed, void + 1, body, size - len(extra))
    del changed[body : body + len(extra)]
    return bytes(changed)


def _length(first_byte: int) -> int:
    """Return the number of bytes of a variable-length number of Matroska."""
    return 9 - first_byte.bit_length()


def _open(content: bytes, at: int, end: int) -> list[tuple[int, int, int]]:
    """Return positions of size and body, and size of the body, from the segment down to the first picture format."""
    while at < end:
        name = int.from_bytes(content[at : at + _length(content[at])], "big")
        size_at = at + _length(content[at])
        body = size_at + _length(content[size_at])
        bits = (1 << 7 * (body - size_at)) - 1
        size = int.from_bytes(content[size_at:body], "big") & bits
        size = end - body if size == bits else size
        if name in (_SEGMENT, _TRACKS, _TRACK, _VIDEO):
            below = [] if name == _VIDEO else _open(content, body, body + size)
            if name == _VIDEO or below:
                return [(size_at, body, size), *below]
        at = body + size
    return []


def _set_size(content: bytearray, size_at: int, body: int, size: int) -> None:
    length = body - size_at
    if size >= (1 << 7 * length) - 1:
        raise ValueError(f"{size} does not fit {length} bytes")
    content[size_at:body] = (size | 1 << 7 * length).to_bytes(length, "big")


def clean_aperture(width_px: int, height_px: int, right_px: int = 0, down_px: int = 0) -> Edit:
    """Add a clap box to an MP4: the size of the visible part of the picture, and the offset of its centre."""
    values = (width_px, 1, height_px, 1, right_px, 1, down_px, 1)
    return partial(_add_clean_aperture, box=struct.pack(">I4sIIIIiIiI", 40, b"clap", *values))


def _add_clean_aperture(content: bytes, box: bytes) -> bytes:
    places = {path: (at, size) for path, at, size in reversed(list(boxes(content, 0, len(content))))}
    table = ("moov", "trak", "mdia", "minf", "stbl")
    description = places[(*table, "stsd")]
    entry_at = description[0] + 16
    entry_size = int.from_bytes(content[entry_at : entry_at + 4], "big")
    end = entry_at + entry_size
    longer = bytearray(content[:end] + box + content[end:])
    longer[entry_at : entry_at + 4] = struct.pack(">I", entry_size + len(box))
    return enlarged(bytes(longer), places, len(box), (*table, "stsd"))


def turned(degrees: int) -> Edit:
    """Rotate the display of an MP4 clockwise by 90, 180 or 270 degrees."""
    return partial(_turn, degrees=degrees)


def _turn(content: bytes, degrees: int) -> bytes:
    at = next(place for path, place, _ in boxes(content, 0, len(content)) if path[-1] == "tkhd")
    start = at + (60 if content[at + 8] == 1 else 48)
    a, b, c, d = _QUARTERS[degrees]
    matrix = struct.pack(">9i", a * _ONE, b * _ONE, 0, c * _ONE, d * _ONE, 0, 0, 0, 1 << 30)
    return content[:start] + matrix + content[start + 36 :]
