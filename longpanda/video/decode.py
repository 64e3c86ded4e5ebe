"""Frames on screen at chosen seconds, with their true times."""

from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from longpanda.errors import ConfigError, CutVideoError
from longpanda.types import Frames, Seconds, VideoClip
from longpanda.video.chunks import parts_of
from longpanda.video.decode_pool import ChunkRequest, DecodePool, check_workers
from longpanda.video.opened import DecodeSpec, OpenVideo, TimedFrame, warn_of_damage
from longpanda.video.sampling import explicit, in_order

AHEAD_FRAMES = 64
"""Of each worker: several keyframe groups at a frame a second, since a stretch begins with a seek."""


def decode(
    path: str | Path,
    seconds: Sequence[float] | Seconds,
    *,
    size_px: tuple[int, int] | None = None,
    tolerance_seconds: float = 0.0,
    workers: int = 1,
) -> VideoClip:
    """The frames that are on screen at the given seconds.

    Second 0 is the start time of the video track, as the container has it, so that MPEG-TS and edit lists begin at 0 as
    well; it is the first picture where no start time is given, or one that is later or more than 10 s earlier, and in
    files that only tell when to decode (AVI). For a second the frame is the last one shown at or before it; for a
    second before the first frame that decodes, that one. Two seconds give the same frame only if it is on screen at
    both. A second that is past the end, or after the first frame at which the file is damaged or cut off, gives no
    frame: nothing is put in its place, and `frames_promised` says how many were asked for.

    With a tolerance, a second that has a keyframe within it, before or after, is answered by the nearest one, which is
    decoded alone: where seconds lie far apart, that saves most of the work. `pts_seconds` says what was taken. Where
    that keyframe turns out to be damaged, and in files in the decoder's order (AVI), the answer is exact.

    Memory is the clip, some 100 bytes for each packet of the file (45 MB for two hours at 60 pictures a second), and,
    for each worker, a few stored pictures and the index that the container keeps. The packets of the last two files
    are remembered: 41 bytes of each.

    Args:
        path: a local file.
        seconds: wanted times from the start of the video, never decreasing.
        size_px: (height, width) to resize each frame to, with `letterbox.resize`; None keeps the displayed size.
        tolerance_seconds: how far from the second asked for a keyframe may be that is taken instead; 0 is exact.
        workers: threads, each with a contiguous share of the seconds. The frames are the same for any number.

    Raises:
        ConfigError: seconds that are negative, not finite or not in order, or an impossible size, tolerance or number
            of workers.
        VideoError: the file is no video, see `probe`.
        CutVideoError: it has no frame at any of these seconds.
    """
    times = explicit(seconds)
    with DecodePool(DecodeSpec(path, size_px, tolerance_seconds), workers) as pool:
        frames = np.empty((len(times), *pool.size_px, 3), np.uint8)
        share = -(-len(times) // workers)
        cuts = [slice(start, start + share) for start in range(0, len(times), share)]
        with closing(pool.decode(ChunkRequest(cut.start, times[cut], frames[cut]) for cut in cuts)) as parts:
            filled = list(parts)
        duration_seconds, last_second = pool.info.duration_seconds, pool.last_second
    pts_seconds = np.concatenate([part.pts_seconds for part in filled])
    if not len(pts_seconds):
        raise CutVideoError(
            f"no frame of '{path}' is on screen at the seconds asked for, {times[0]:g} to {times[-1]:g}",
            f"seconds at which it can be read: its last picture is at {last_second:.3f} of {duration_seconds:.3f} s",
            "choose other seconds, or repair or download the file again",
            last_second,
        )
    shown = _joined(frames, [part.frames for part in filled])
    return VideoClip(shown, pts_seconds, duration_seconds, str(path), len(times))


def _joined(room: Frames, parts: list[Frames]) -> Frames:
    """Close the gaps that missing frames leave between parts of one array; nothing moves where there are none."""
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
    """As `decode`, one frame at a time, without the memory of a clip; without `seconds`, every frame of the video.

    Args:
        path: a local file.
        seconds: wanted times, never decreasing, also from an iterator: those of one keyframe group are taken together.
            Those without a frame are left out, see `TimedFrame.number`.
        size_px: (height, width) to resize each frame to.
        tolerance_seconds: as `decode`.
        workers: threads that read ahead, while the caller works, by up to `AHEAD_FRAMES` frames each, which stay in
            memory together; they need `seconds`, and take all of them at once. One does it alone where stretches would
            share a keyframe group. The frames are the same for any number.

    Raises:
        ConfigError: as `decode`, or several workers for every frame of a video.
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
    """Frames from several workers; from one, where the stretches of several would lie in the same keyframe group."""
    stretch = min(-(-len(times) // workers), AHEAD_FRAMES)
    with DecodePool(spec, workers) as pool:
        parts = parts_of(iter(times.tolist()), stretch)
        with closing(pool.decode(parts, together=pool.spans_groups(times[:stretch]))) as filled:
            for one in filled:
                yield from map(TimedFrame, one.frames, one.pts_seconds.tolist(), one.numbers.tolist())
