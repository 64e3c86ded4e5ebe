"""Decode a video of any length as chunks of frames, in order and in bounded memory."""

import itertools
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from longpanda.errors import VideoError, counted
from longpanda.types import Frames, Seconds
from longpanda.video.decode_pool import ChunkRequest, DecodedChunk, DecodePool
from longpanda.video.display_order import Numbers
from longpanda.video.opened import DecodeSpec
from longpanda.video.sampling import check_count, in_order


@dataclass(frozen=True, eq=False)
class FrameChunk:
    """The frames for consecutive requested seconds.

    Args:
        frames: uint8 [T, H, W, 3], RGB, upright, square pixels; T is 0 if none of the seconds has a frame.
        pts_seconds: float64 [T], never decreasing: when each frame is shown, from the start of the video.
        numbers: int64 [T], increasing: index of the requested second of each frame, from 0.
        missing: int64 [M], increasing: requested seconds without a frame, past the end or at damage.

    Raises:
        VideoError: the arrays do not fit together.
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
            found = f"{counted(len(f), 'frame')}, times {list(t.shape)} and numbers {list(n.shape)}"
            raise VideoError(found, "one time and one number per frame", "pass both")
        if not np.all(np.isfinite(t)) or np.any(np.diff(t) < 0):
            raise VideoError("times that decrease or are not finite", "non-decreasing seconds", "sort frames by time")
        known = np.sort(np.concatenate([n, self.missing]))
        if not len(known) or np.any(np.diff(n) <= 0) or np.any(np.diff(known) != 1):
            found = f"numbers {n.tolist()} and missing {self.missing.tolist()}"
            raise VideoError(found, "every number from the first to the last once", "put each into one of the two")

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
    """Decode as `decode` does, in chunks for `chunk_frames` seconds each; the last may have fewer.

    Memory is bounded whatever the length of the video: beyond what `decode` names, at most one chunk per worker, one
    finished chunk and the one yielded. One worker reads on from chunk to chunk; several start each chunk at the
    keyframe before it, so chunks should span several keyframe groups: for example 64 frames at one a second.

    Args:
        path: a local file.
        seconds: requested times from the start of the video, never decreasing; of an iterator, those of one keyframe
            group, or of one chunk per worker, are taken ahead.
        chunk_frames: number of seconds per chunk.
        size_px: (height, width) to resize each frame to.
        tolerance_seconds: see `decode`.
        workers: threads that decode chunks in parallel. The chunks are the same for any number.

    Raises:
        ConfigError: as `decode`, or an impossible number of frames per chunk.
        VideoError: the file is no video, see `probe`.
    """
    check_count("chunk_frames", chunk_frames)
    spec = DecodeSpec(path, size_px, tolerance_seconds)
    requests = requests_of(in_order(seconds), chunk_frames)
    with DecodePool(spec, workers) as pool, closing(pool.decode(requests)) as filled:
        yield from map(_chunk, filled)


def requests_of(seconds: Iterator[float], chunk_frames: int) -> Iterator[ChunkRequest]:
    """Split seconds into requests of `chunk_frames` each; the last may have fewer."""
    for first in itertools.count(0, chunk_frames):
        times = np.fromiter(itertools.islice(seconds, chunk_frames), np.float64)
        if not len(times):
            return
        yield ChunkRequest(first, times)


def _chunk(filled: DecodedChunk) -> FrameChunk:
    first = filled.request.first
    missing = np.setdiff1d(np.arange(first, first + len(filled.request.times)), filled.numbers, assume_unique=True)
    return FrameChunk(filled.frames, filled.pts_seconds, filled.numbers, missing)
