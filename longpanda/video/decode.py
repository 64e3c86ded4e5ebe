"""Decode the frames on screen at chosen seconds, with their true times."""

from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from longpanda.errors import ConfigError, CutVideoError
from longpanda.types import Frames, Seconds, VideoClip
from longpanda.video.chunks import requests_of
from longpanda.video.decode_pool import ChunkRequest, DecodePool, check_workers
from longpanda.video.opened import DecodeSpec, OpenVideo, TimedFrame, warn_of_damage
from longpanda.video.sampling import explicit, in_order

AHEAD_FRAMES = 64
"""Frames per request of a worker: several keyframe groups at a frame a second, since each request seeks."""


def decode(
    path: str | Path,
    seconds: Sequence[float] | Seconds,
    *,
    size_px: tuple[int, int] | None = None,
    tolerance_seconds: float = 0.0,
    workers: int = 1,
) -> VideoClip:
    """Decode the frames on screen at the given seconds.

    Second 0 is the video track's start time in the container, so that MPEG-TS and edit lists also begin at 0. It is the
    first picture if the container gives no start time, or one that is later or more than 10 s earlier, and in files
    with decoding times only (AVI). The frame of a second is the last one shown at or before it, or the first frame that
    decodes if the second lies before that. A frame answers two seconds only if it is on screen at both. A second past
    the end, or where the file is damaged or cut off, has no frame: nothing replaces it, and `frames_promised` is the
    number of requested seconds.

    With a tolerance, a second with a keyframe within it, before or after, gets the nearest one, which is decoded alone:
    when seconds lie far apart, that saves most of the work. `pts_seconds` has the times of the frames taken. If that
    keyframe is damaged, and in files in the decoder's order (AVI), the frame is exact.

    Memory is the clip, some 100 bytes per packet of the file (45 MB for two hours at 60 pictures a second), and, per
    worker, a few stored pictures and the container's index. The packet tables of the last two files are cached, at 41
    bytes per packet.

    Args:
        path: a local file.
        seconds: requested times from the start of the video, never decreasing.
        size_px: (height, width) to resize each frame to, with `letterbox.resize`; None keeps the displayed size.
        tolerance_seconds: how far from a requested second a keyframe may be to be taken instead; 0 is exact.
        workers: threads, each with a contiguous share of the seconds. The frames are the same for any number.

    Raises:
        ConfigError: seconds that are negative, not finite or not in order, or an impossible size, tolerance or number
            of workers.
        VideoError: the file is no video, see `probe`.
        CutVideoError: the file has no frame at any of these seconds.
    """
    times = explicit(seconds)
    with DecodePool(DecodeSpec(path, size_px, tolerance_seconds), workers) as pool:
        frames = np.empty((len(times), *pool.first.size_px, 3), np.uint8)
        share = -(-len(times) // workers)
        cuts = [slice(start, start + share) for start in range(0, len(times), share)]
        with closing(pool.decode(ChunkRequest(cut.start, times[cut], frames[cut]) for cut in cuts)) as decoded:
            filled = list(decoded)
        duration_seconds, last_second = pool.first.info.duration_seconds, pool.first.last_second
    pts_seconds = np.concatenate([chunk.pts_seconds for chunk in filled])
    if not len(pts_seconds):
        found = f"'{path}' has no frame at the requested seconds, {times[0]:g} to {times[-1]:g}"
        expected = f"seconds up to its last picture, at {last_second:.3f} of {duration_seconds:.3f} s"
        remedy = "choose other seconds, or repair or download the file again"
        raise CutVideoError(found, expected, remedy, last_second)
    shown = _joined(frames, [chunk.frames for chunk in filled])
    return VideoClip(shown, pts_seconds, duration_seconds, str(path), len(times))


def _joined(room: Frames, parts: list[Frames]) -> Frames:
    """Close the gaps that missing frames leave between parts of one array, in place."""
    end = 0
    for part in parts:
        target = room[end : end + len(part)]
        if not np.shares_memory(target[:1], part[:1]):
            target[:] = part
        end += len(part)
    return room[:end]


def iter_frames(
    path: str | Path,
    seconds: Iterable[float] | Seconds | None = None,
    *,
    size_px: tuple[int, int] | None = None,
    tolerance_seconds: float = 0.0,
    workers: int = 1,
) -> Generator[TimedFrame]:
    """Decode as `decode` does, one frame at a time, without the memory of a clip.

    Args:
        path: a local file.
        seconds: requested times, never decreasing; of an iterator, those of one keyframe group are taken together.
            Seconds without a frame are left out, see `TimedFrame.number`. None is every frame of the video.
        size_px: (height, width) to resize each frame to.
        tolerance_seconds: see `decode`.
        workers: threads that decode up to `AHEAD_FRAMES` frames each ahead of the caller, all in memory together.
            Several need `seconds` and take all of them at once; only one works if requests would share a keyframe
            group. The frames are the same for any number.

    Raises:
        ConfigError: as `decode`, or several workers without `seconds`.
        VideoError: the file is no video, see `probe`.
    """
    spec = DecodeSpec(path, size_px, tolerance_seconds)
    if check_workers(workers) > 1:
        if seconds is None:
            raise ConfigError(f"workers={workers} for every frame of a video", "chosen seconds", "use one worker")
        yield from _read_ahead(spec, explicit(seconds if isinstance(seconds, np.ndarray) else list(seconds)), workers)
        return
    with OpenVideo(spec) as video:
        try:
            yield from video.every() if seconds is None else video.at(in_order(seconds))
        finally:
            warn_of_damage(path, video.damage)


def _read_ahead(spec: DecodeSpec, times: Seconds, workers: int) -> Generator[TimedFrame]:
    """Frames from several workers, or from one if requests would lie in the same keyframe group."""
    stretch = min(-(-len(times) // workers), AHEAD_FRAMES)
    with DecodePool(spec, workers) as pool:
        requests = requests_of(iter(times.tolist()), stretch)
        with closing(pool.decode(requests, together=pool.spans_groups(times[:stretch]))) as filled:
            for one in filled:
                yield from map(TimedFrame, one.frames, one.pts_seconds.tolist(), one.numbers.tolist())
