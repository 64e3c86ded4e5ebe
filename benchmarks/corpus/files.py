"""Edit the bytes of files: cut, damage or join them, and write what no muxer writes on request."""

import struct
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.corpus.film import Film, write

Edit = Callable[[bytes], bytes]
_PICTURE_EXTENSION = b"\x00\x00\x01\xb5"
_PARENTS = ("moov", "trak", "mdia", "minf", "stbl", "edts", "moof", "traf")


def edited(*edits: Edit) -> Callable[..., object]:
    """Return a step that edits bytes."""
    return partial(_edit, edits=edits)


def _edit(source: Path, target: Path, edits: tuple[Edit, ...]) -> None:
    content = source.read_bytes()
    for edit in edits:
        content = edit(content)
    target.write_bytes(content)


def joined(film: Film, skipped_bytes: int = 0) -> Callable[..., object]:
    """Return a step that appends the bytes of another film's file, without the first `skipped_bytes`."""
    return partial(_join, film=film, skipped_bytes=skipped_bytes)


def _join(source: Path, target: Path, film: Film, skipped_bytes: int) -> None:
    other = write(film, source.with_name(f"more.{source.name}"))
    target.write_bytes(source.read_bytes() + other.read_bytes()[skipped_bytes:])
    other.unlink()


def cut(share: float) -> Edit:
    """Keep only the first part of a file."""
    return partial(_between, first=0.0, last=share)


def beheaded(share: float, grain_bytes: int = 1) -> Edit:
    """Remove the first part of a file, up to a multiple of `grain_bytes`."""
    return partial(_between, first=share, last=1.0, grain_bytes=grain_bytes)


def _between(content: bytes, first: float, last: float, grain_bytes: int = 1) -> bytes:
    start = int(len(content) * first) // grain_bytes * grain_bytes
    return content[start : int(len(content) * last)]


def hole(first: float, length_bytes: int, noise: bool = False) -> Edit:
    """Overwrite some bytes with zeros or noise."""
    return partial(_dig, first=first, length_bytes=length_bytes, noise=noise)


def _dig(content: bytes, first: float, length_bytes: int, noise: bool) -> bytes:
    start = int(len(content) * first)
    filling = np.random.default_rng(1).bytes(length_bytes) if noise else bytes(length_bytes)
    return content[:start] + filling + content[start + length_bytes :]


def sprinkled(count: int, first: float = 0.1, last: float = 0.9) -> Edit:
    """Change single bytes."""
    return partial(_sprinkle, count=count, first=first, last=last)


def _sprinkle(content: bytes, count: int, first: float, last: float) -> bytes:
    random, changed = np.random.default_rng(2), bytearray(content)
    for place in random.integers(int(len(content) * first), int(len(content) * last), count):
        changed[place] ^= int(random.integers(1, 256))
    return bytes(changed)


def patched_after(mark: bytes, offset: int, written: bytes) -> Edit:
    """Overwrite bytes at an offset from the first occurrence of a mark."""
    return partial(_patch_after, mark=mark, offset=offset, written=written)


def _patch_after(content: bytes, mark: bytes, offset: int, written: bytes) -> bytes:
    if mark not in content:
        raise ValueError(f"no {mark!r} in the file")
    at = content.index(mark) + len(mark) + offset
    return content[:at] + written + content[at + len(written) :]


def telecined(content: bytes) -> bytes:
    """Set repeat_first_field in every second picture of MPEG-2, which is then shown for longer, as on film discs."""
    changed, at, number = bytearray(content), 0, 0
    while (at := content.find(_PICTURE_EXTENSION, at)) >= 0:
        if content[at + 4] >> 4 == 8:
            changed[at + 7] |= 2 * (number % 2)
            number += 1
        at += 4
    return bytes(changed)


def without_index(content: bytes) -> bytes:
    """Remove the index of an AVI, as if the recorder had lost power."""
    return content[: content.rindex(b"idx1")]


def unfinished(content: bytes) -> bytes:
    """Remove the index of an AVI, and the counts and sizes in its header."""
    changed = bytearray(without_index(content))
    for name, offset in ((b"RIFF", 4), (b"avih", 24), (b"strh", 40)):
        at = changed.index(name) + offset
        changed[at : at + 4] = bytes(4)
    at = changed.index(b"movi") - 4
    changed[at : at + 4] = bytes(4)
    return bytes(changed)


def boxes(
    content: bytes, start: int, end: int, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], int, int]]:
    """Yield the path, position and size of each box of an MP4 file."""
    at = start
    while at + 8 <= end:
        size, kind = struct.unpack(">I4s", content[at : at + 8])
        if size < 8:
            return
        name = kind.decode("latin1")
        yield (*path, name), at, size
        if name in _PARENTS:
            yield from boxes(content, at + 8, at + size, (*path, name))
        at += size


def edit_list(*pieces: tuple[float, float | None]) -> Edit:
    """Give the first track of an MP4 an edit list.

    Args:
        pieces: duration in seconds, and the second of the film at which it starts, or None for an empty edit.
    """
    return partial(_set_edit_list, pieces=pieces)


def _set_edit_list(content: bytes, pieces: tuple[tuple[float, float | None], ...]) -> bytes:
    places = {path: (at, size) for path, at, size in reversed(list(boxes(content, 0, len(content))))}
    movie_hz = _timescale(content, places["moov", "mvhd"][0])
    media_hz = _timescale(content, places["moov", "trak", "mdia", "mdhd"][0])
    delay = 0
    if old := places.get(("moov", "trak", "edts")):
        delay = struct.unpack(">i", content[old[0] + 28 : old[0] + 32])[0]
    rows = [(round(length * movie_hz), -1 if at is None else round(at * media_hz) + delay) for length, at in pieces]
    body = b"".join(struct.pack(">QqHH", length, at, 1, 0) for length, at in rows)
    listed = struct.pack(">I4sB3xI", 16 + len(body), b"elst", 1, len(rows)) + body
    box = struct.pack(">I4s", 8 + len(listed), b"edts") + listed
    header_at, header_size = places["moov", "trak", "tkhd"]
    start, end = (old[0], old[0] + old[1]) if old else (header_at + header_size, header_at + header_size)
    return enlarged(content[:start] + box + content[end:], places, len(box) - (end - start), ("moov", "trak"))


def enlarged(
    content: bytes, places: dict[tuple[str, ...], tuple[int, int]], grown: int, path: tuple[str, ...]
) -> bytes:
    """Enlarge the boxes on a path; the samples must come before them."""
    changed = bytearray(content)
    for depth in range(1, len(path) + 1):
        at, size = places[path[:depth]]
        changed[at : at + 4] = struct.pack(">I", size + grown)
    if content.index(b"mdat") > places[path[:1]][0]:
        raise ValueError("the samples stand behind the header")
    return bytes(changed)


def _timescale(content: bytes, at: int) -> int:
    """Return the ticks per second of an mvhd or mdhd box."""
    offset = 28 if content[at + 8] == 1 else 20
    return int(struct.unpack(">I", content[at + offset : at + offset + 4])[0])


def fragment_clocks(clock: Callable[[int, int], int]) -> Edit:
    """Change the start times of the fragments of an MP4.

    Args:
        clock: maps the number of a fragment and its start in ticks to a new start.
    """
    return partial(_set_fragment_clocks, clock=clock)


def _set_fragment_clocks(content: bytes, clock: Callable[[int, int], int]) -> bytes:
    changed, number = bytearray(content), 0
    for path, at, _ in boxes(content, 0, len(content)):
        if path[-1] == "tfdt":
            is_long = content[at + 8] == 1
            kind, size = (">Q", 8) if is_long else (">I", 4)
            start = struct.unpack(kind, content[at + 12 : at + 12 + size])[0]
            changed[at + 12 : at + 12 + size] = struct.pack(kind, clock(number, start))
            number += 1
    return bytes(changed)
