"""What LongPanda gives for one file, in each way that a caller can ask."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.corpus.counter import SIZE_PX, Pixels
from longpanda.errors import LongPandaError
from longpanda.video import decode, iter_chunks, iter_frames

SPARSE = 7
"""Of the seconds asked for together, each so-many-th is asked for once more without the others."""
CHUNK_FRAMES = 16
MOST_QUESTIONS = 256
NOTHING_THERE = " is on screen at "
"""How LongPanda says that it has no frame at any of the seconds."""
logging.getLogger("longpanda").addHandler(logging.NullHandler())


@dataclass(frozen=True, eq=False)
class Given:
    """Pictures in the order in which they came.

    Args:
        pixels: uint8 [T, H, W, 3], scaled to `SIZE_PX`.
        pts_seconds: float64 [T].
        numbers: which second each answers, or its place in the video; None where a way does not say.
        error: what was raised instead, or after that.
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
    """Every frame of the file."""
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
    """`iter_frames`."""
    return _frames(path, seconds, 1)


def ahead(path: Path, seconds: Sequence[float]) -> Given:
    """`iter_frames` by two workers."""
    return _frames(path, seconds, 2)


def chunked(path: Path, seconds: Sequence[float]) -> Given:
    """`iter_chunks` by two workers."""
    items: list[tuple[Pixels, float, int]] = []
    error = None
    try:
        for chunk in iter_chunks(path, seconds, chunk_frames=CHUNK_FRAMES, size_px=SIZE_PX, workers=2):
            items += zip(chunk.frames, chunk.pts_seconds.tolist(), chunk.numbers.tolist(), strict=True)
    except Exception as raised:
        error = _said(raised)
    return _given(items, error)


def alone(path: Path, seconds: Sequence[float]) -> Given:
    """`decode`, one second at a time, each with a reader of its own."""
    items: list[tuple[Pixels, float, int]] = []
    errors = set()
    for number, second in enumerate(seconds):
        got = decoded(path, [second], 1)
        items += [(pixels, pts, number) for pixels, pts in zip(got.pixels, got.pts_seconds, strict=True)]
        if got.error is not None and NOTHING_THERE not in got.error:
            errors.add(got.error)
    return _given(items, "; ".join(sorted(errors)) or None)


def decoded(path: Path, seconds: Sequence[float], workers: int) -> Given:
    """`decode`, all at once: it does not say which seconds have no frame, only how many."""
    try:
        clip = decode(path, seconds, size_px=SIZE_PX, workers=workers)
    except Exception as raised:
        return Given(np.empty((0, *SIZE_PX, 3), np.uint8), [], None, _said(raised))
    return Given(clip.frames, clip.pts_seconds.tolist())


def equal(one: Given, other: Given) -> bool:
    """Are pictures and times the same, bit by bit?"""
    return one.pts_seconds == other.pts_seconds and np.array_equal(one.pixels, other.pixels)


def chosen(given: Given, numbers: Sequence[int]) -> Given:
    """Of answers to many seconds, those to some."""
    places = {number: place for place, number in enumerate(numbers)}
    kept = [at for at, number in enumerate(given.numbers or []) if number in places]
    pts_seconds = [given.pts_seconds[at] for at in kept]
    return Given(given.pixels[kept], pts_seconds, [places[(given.numbers or [])[at]] for at in kept])
