"""Read one file with LongPanda in each way that it offers."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.corpus.counter import SIZE_PX, Pixels
from longpanda.errors import LongPandaError
from longpanda.video import decode, iter_chunks, iter_frames

SPARSE = 7
"""Every SPARSE-th of the seconds is also asked for without the others."""
CHUNK_FRAMES = 16
MOST_QUESTIONS = 256
NOTHING_THERE = " is on screen at "
"""Part of LongPanda's error if there is no frame at any of the seconds."""
logging.getLogger("longpanda").addHandler(logging.NullHandler())


@dataclass(frozen=True, eq=False)
class Given:
    """Pictures in the order in which they were given.

    Args:
        pixels: uint8 [T, H, W, 3], scaled to `SIZE_PX`.
        pts_seconds: float64 [T].
        numbers: number of the second that each answers, or its place in the video; None if unknown.
        error: error that was raised instead of pictures, or after them.
    """

    pixels: Pixels
    pts_seconds: list[float]
    numbers: list[int] | None = None
    error: str | None = None

    def __len__(self) -> int:
        return len(self.pixels)


Way = Callable[[Path, Sequence[float]], Given]


def _given(items: Sequence[tuple[Pixels, float, int]], error: str | None) -> Given:
    pixels = np.stack([one[0] for one in items]) if items else np.empty((0, *SIZE_PX, 3), np.uint8)
    return Given(pixels, [one[1] for one in items], [one[2] for one in items], error)


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, LongPandaError) else f"{type(error).__name__}: {error}"


def walk(path: Path) -> Given:
    """Read every frame of the file."""
    return _frames(path, None, 1)


def _frames(path: Path, seconds: Sequence[float] | None, workers: int) -> Given:
    items, error = [], None
    try:
        for frame in iter_frames(path, seconds, size_px=SIZE_PX, workers=workers):
            items.append((frame.pixels, frame.pts_seconds, frame.number))
    except Exception as raised:
        error = _said(raised)
    return _given(items, error)


def one_by_one(path: Path, seconds: Sequence[float]) -> Given:
    """Read with `iter_frames`."""
    return _frames(path, seconds, 1)


def ahead(path: Path, seconds: Sequence[float]) -> Given:
    """Read with `iter_frames` and two workers."""
    return _frames(path, seconds, 2)


def chunked(path: Path, seconds: Sequence[float]) -> Given:
    """Read with `iter_chunks` and two workers."""
    items: list[tuple[Pixels, float, int]] = []
    error = None
    try:
        for chunk in iter_chunks(path, seconds, chunk_frames=CHUNK_FRAMES, size_px=SIZE_PX, workers=2):
            items += zip(chunk.frames, chunk.pts_seconds.tolist(), chunk.numbers.tolist(), strict=True)
    except Exception as raised:
        error = _said(raised)
    return _given(items, error)


def alone(path: Path, seconds: Sequence[float]) -> Given:
    """Read with one call of `decode` per second."""
    items: list[tuple[Pixels, float, int]] = []
    errors = set()
    for number, second in enumerate(seconds):
        got = decoded(path, [second], 1)
        items += [(pixels, pts, number) for pixels, pts in zip(got.pixels, got.pts_seconds, strict=True)]
        if got.error is not None and NOTHING_THERE not in got.error:
            errors.add(got.error)
    return _given(items, "; ".join(sorted(errors)) or None)


def decoded(path: Path, seconds: Sequence[float], workers: int) -> Given:
    """Read with one call of `decode`, which does not tell which seconds have no frame, only how many."""
    try:
        clip = decode(path, seconds, size_px=SIZE_PX, workers=workers)
    except Exception as raised:
        return Given(np.empty((0, *SIZE_PX, 3), np.uint8), [], None, _said(raised))
    return Given(clip.frames, clip.pts_seconds.tolist())


def equal(one: Given, other: Given) -> bool:
    """Whether pictures and times are the same to the last bit."""
    return one.pts_seconds == other.pts_seconds and np.array_equal(one.pixels, other.pixels)


def chosen(given: Given, numbers: Sequence[int]) -> Given:
    """Select the answers to some of the seconds."""
    places = {number: place for place, number in enumerate(numbers)}
    kept = [at for at, number in enumerate(given.numbers or []) if number in places]
    pts_seconds = [given.pts_seconds[at] for at in kept]
    return Given(given.pixels[kept], pts_seconds, [places[(given.numbers or [])[at]] for at in kept])
