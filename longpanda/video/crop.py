"""Read a container's crop: Matroska's PixelCrop and the clean aperture (clap) of MP4.

FFmpeg reads both, but PyAV 18 does not pass them on. Sources: RFC 9559, section 5.1.4.1.28; ISO/IEC 14496-12, 12.1.4.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

from longpanda.video.source import Source

_MOV, _MATROSKA = "mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"
_VISUAL_SAMPLE_ENTRY_BYTES = 86  # the box's header and what comes before its own boxes
_SEGMENT, _TRACKS, _ENTRY, _TYPE, _VIDEO, _CLUSTER = 0x18538067, 0x1654AE6B, 0xAE, 0x83, 0xE0, 0x1F43B675
_PIXEL_CROP = {0x54CC: "left", 0x54BB: "top", 0x54DD: "right", 0x54AA: "bottom"}
_MOST_BYTES = 2**20

Span = tuple[int, int]


@dataclass(frozen=True)
class Crop:
    """Columns and rows to cut off stored pictures, before they are stretched and rotated."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0

    def fits(self, width_px: int, height_px: int) -> bool:
        """Whether some of a picture of this size is left."""
        return min(self.left, self.top, self.right, self.bottom) >= 0 and (
            self.left + self.right < width_px and self.top + self.bottom < height_px
        )


NO_CROP = Crop()


def container_crop(source: Source) -> Crop:
    """The crop of an open file's video stream; `NO_CROP` if it is impossible."""
    name, number = source.container.format.name, source.container.streams.video.index(source.stream)
    crop, size_px = NO_CROP, (source.codec.width, source.codec.height)
    try:
        with Path(source.path).open("rb") as file:
            if name == _MOV:
                crop = _clean_aperture(file, number, *size_px)
            elif name == _MATROSKA:
                crop = _pixel_crop(file, number)
    except (struct.error, IndexError, ZeroDivisionError):  # damaged headers, of which FFmpeg has read what it could
        return NO_CROP
    return crop if crop.fits(*size_px) else NO_CROP


def _clean_aperture(file: BinaryIO, number: int, width_px: int, height_px: int) -> Crop:
    """The clap box of the video track with this number."""
    tracks = [span for moov in _boxes(file, (0, _length(file)), b"moov") for span in _boxes(file, moov, b"trak")]
    films = [track for track in tracks if _read(file, _box(file, track, b"mdia", b"hdlr"))[8:12] == b"vide"]
    start, end = _box(file, films[number], b"mdia", b"minf", b"stbl", b"stsd")
    for aperture in _boxes(file, (start + 8 + _VISUAL_SAMPLE_ENTRY_BYTES, end), b"clap"):
        values = struct.unpack(">8i", _read(file, aperture)[:32])
        width, height, x, y = (Fraction(*values[at : at + 2]) for at in range(0, 8, 2))
        left, top = (width_px - width) / 2 + x, (height_px - height) / 2 + y
        return Crop(int(left), int(top), int(width_px - left - width), int(height_px - top - height))
    return NO_CROP


def _box(file: BinaryIO, span: Span, *path: bytes) -> Span:
    """Byte range of the contents of a nested MP4 box; an empty range if there is none."""
    for kind in path:
        span = next(_boxes(file, span, kind), (0, 0))
    return span


def _boxes(file: BinaryIO, span: Span, wanted: bytes) -> Iterator[Span]:
    """Byte ranges of the contents of MP4 boxes of one kind."""
    at, end = span
    while at + 8 <= end:
        file.seek(at)
        size, kind = struct.unpack(">I4s", file.read(8))
        header = 8
        if size == 1:
            size, header = struct.unpack(">Q", file.read(8))[0], 16
        size = size or end - at
        if size < header:
            return
        if kind == wanted:
            yield at + header, min(at + size, end)
        at += size


def _pixel_crop(file: BinaryIO, number: int) -> Crop:
    """PixelCropLeft etc. of the video track with this number."""
    entries = [
        entry
        for segment in _elements(file, (0, _length(file)), _SEGMENT)
        for tracks in _elements(file, segment, _TRACKS)
        for entry in _elements(file, tracks, _ENTRY)
        if any(_read(file, kind)[-1:] == b"\x01" for kind in _elements(file, entry, _TYPE))
    ]
    sides = {}
    for video in _elements(file, entries[number], _VIDEO):
        for name, side in _PIXEL_CROP.items():
            for span in _elements(file, video, name):
                sides[side] = int.from_bytes(_read(file, span), "big")
    return Crop(**sides)


def _elements(file: BinaryIO, span: Span, wanted: int) -> Iterator[Span]:
    """Byte ranges of the contents of Matroska elements of one kind, up to the first cluster of pictures."""
    at, end = span
    while at < end:
        file.seek(at)
        head = file.read(12)
        name_bytes = 9 - head[0].bit_length()
        size_bytes = 9 - head[name_bytes].bit_length()
        body = at + name_bytes + size_bytes
        name = int.from_bytes(head[:name_bytes], "big")
        size = int.from_bytes(head[name_bytes : name_bytes + size_bytes], "big") & ((1 << 7 * size_bytes) - 1)
        is_unknown = size == (1 << 7 * size_bytes) - 1
        stop = end if is_unknown else min(end, body + size)
        if name == wanted:
            yield body, stop
        if name == _CLUSTER:
            return
        at = stop


def _length(file: BinaryIO) -> int:
    return file.seek(0, 2)


def _read(file: BinaryIO, span: Span) -> bytes:
    file.seek(span[0])
    return file.read(min(span[1] - span[0], _MOST_BYTES))
