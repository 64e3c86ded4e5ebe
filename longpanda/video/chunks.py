"""A video as chunks of frames, in order and in bounded memory, however long it is."""

import itertools
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from longpanda.errors import ConfigError, VideoError, counted
from longpanda.types import Frames, Seconds
from longpanda.video.decode_pool import ChunkRequest, DecodedChunk, DecodePool, Numbers
from longpanda.video.opened import DecodeSpec
from longpanda.video.sampling import in_order


@dataclass(frozen=True, eq=False)
class FrameChunk:
    """What is on screen at some consecutive ones of the wanted seconds.

    Args:
        frames: uint8 [T, H, W, 3], RGB, upright, square pixels; T is 0 where none of the seconds has a frame.
        pts_seconds: float64 [T], never decreasing: when each frame is shown, from the start of the video.
        numbers: int64 [T], increasing: which of the wanted seconds each frame answers, counted from 0.
        missing: int64 [M], increasing: the wanted seconds without a frame, past the end or at damage.

    Raises:
        VideoError: parts that do not fit together.
    """

    frames: Frames
    pts_seconds: Seconds
    numbers: Numbers
    missing: Numbers

    def __post_init__(self) -> None:
        f, t, n = self.frames, self.pts_seconds, self.numbers
        if f.dtype != np.uint8 or f.ndim != 4 or f.shape[-1] != 3:
            raise VideoError(f"frames {f.dtype} {list(f.shape)}", "uint8 [T, H, W, 3]", "convert them first")
        if not t.shape == n.shape == (len(f),):
            found = (
                f"{counted(len(f), 'frame')} with times of shape {list(t.shape)} and numbers of shape {list(n.shape)}"
            )
            raise VideoError(found, "one time and one number per frame", "pass both")
        if not np.all(np.isfinite(t)) or np.any(np.diff(t) < 0):
            raise VideoError("times that decrease or are not finite", "non-decreasing seconds", "sort frames by time")
        known = np.sort(np.concatenate([n, self.missing]))
        if not len(known) or np.any(np.diff(n) <= 0) or np.any(np.diff(known) != 1):
            found = f"numbers {n.tolist()} and missing {self.missing.tolist()}"
            raise VideoError(found, "every number from the first to the last once", "say of each what became of it")

    def __repr__(self) -> str:
        count, height, width, _ = self.frames.shape
        numbers = np.concatenate([self.numbers, self.missing])
        span = f"{numbers.min()} to {numbers.max()}, {len(self.missing)} missing"
        return f"FrameChunk({counted(count, 'frame')} of {width}x{height} px, seconds {span})"

    def __len__(self) -> int:
        return int(self.frames.shape[0])


def iter_chunks(
    path: str | Path,
    seconds: Iterable[float] | Seconds,
    *,
    chunk_frames: int,
    size_px: tuple[int, int] | None = None,
    tolerance_seconds: float = 0.0,
    workers: int = 1,
) -> Iterator[FrameChunk]:
    """As `decode`, in chunks that each answer `chunk_frames` of the seconds; the last one, what is left.

    Memory is bounded whatever the length of the video: at most one chunk for each worker, one finished and the one
    given out, besides what `decode` names. One worker reads on from chunk to chunk; several begin each with the
    keyframe before it, so that chunks should span several keyframe groups: 64 frames at one a second, for example.

    Args:
        path: a local file.
        seconds: wanted times from the start of the video, never decreasing, also from an iterator: those of one
            keyframe group, or of one chunk for each worker, are taken ahead.
        chunk_frames: how many seconds a chunk answers.
        size_px: (height, width) to resize each frame to.
        tolerance_seconds: as `decode`.
        workers: threads that decode chunks side by side. The chunks are the same for any number.

    Raises:
        ConfigError: as `decode`, or an impossible number of frames in a chunk.
        VideoError: the file is no video, see `probe`.
    """
    if isinstance(chunk_frames, bool) or not isinstance(chunk_frames, int | np.integer) or chunk_frames < 1:
        raise ConfigError(f"chunk_frames={chunk_frames!r}", "a whole number of at least 1", "correct it")
    spec = DecodeSpec(path, size_px, tolerance_seconds)
    with DecodePool(spec, workers) as pool, closing(pool.decode(parts_of(in_order(seconds), chunk_frames))) as filled:
        yield from map(_chunk, filled)


def parts_of(seconds: Iterator[float], chunk_frames: int) -> Iterator[ChunkRequest]:
    """Seconds as parts of so many; the last one, what is left."""
    for first in itertools.count(0, chunk_frames):
        times = np.fromiter(itertools.islice(seconds, chunk_frames), np.float64)
        if not len(times):
            return
        yield ChunkRequest(first, times)


def _chunk(filled: DecodedChunk) -> FrameChunk:
    first = filled.part.first
    missing = np.setdiff1d(np.arange(first, first + len(filled.part.times)), filled.numbers, assume_unique=True)
    return FrameChunk(filled.frames, filled.pts_seconds, filled.numbers, missing)
