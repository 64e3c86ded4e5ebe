"""Is a video still growing; is it what it was when it was indexed, and more of it?"""

import os
import time
from pathlib import Path

from longpanda.errors import CutVideoError, IndexFileError
from longpanda.index import thumbnails
from longpanda.index.store import Piece, Store
from longpanda.index.thumbnails import Thumbnail
from longpanda.index.video_index import TAIL, part_of
from longpanda.video import VideoInfo, decode

SETTLED_SECONDS = 2.0
"""What lies nearer to the last picture that was read is indexed again when a file has grown: it may have changed."""
SAME_PICTURE = 8.0
"""Mean difference of two thumbnails, of 255, up to which they show the same frame."""
COMPARED = 4
"""Blocks whose first thumbnail is compared."""
RECORDING_SECONDS = 60.0
"""A file that was written to so short a time ago may be a recording in progress."""
DEFAULT_WORKERS = 4


def workers_for(video: Path) -> int:
    """Threads to decode a video with: one for each core that this process may use, 4 at most.

    One alone for a recording in progress: several open it one after another, and each would see another end of it.
    """
    is_growing = time.time() - video.stat().st_mtime < RECORDING_SECONDS
    return 1 if is_growing else min(DEFAULT_WORKERS, _cores())


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_same_video(store: Store, state: Piece, video: Path, info: VideoInfo, size_px: tuple[int, int]) -> None:
    """Compare some thumbnails of an index with the video as it is now.

    Raises:
        IndexFileError: it is shorter, or shows something else.
    """
    before = state.facts["duration_seconds"]
    if info.duration_seconds < before - SETTLED_SECONDS:
        found = f"'{video}' is {info.duration_seconds:.1f} s long, and was {before:.1f} s when it was indexed"
        raise IndexFileError(found, "the same video, or a longer one", "use another --out")
    for known in _known(store, state):
        try:
            frame = decode(video, [known.seconds], size_px=size_px).frames[0]
        except CutVideoError:
            frame = None
        now = None if frame is None else Thumbnail(known.seconds, thumbnails.jpeg_of(frame))
        if now is None or thumbnails.difference(known, now) > SAME_PICTURE:
            found = f"'{video}' shows something else at {known.seconds:.1f} s than when it was indexed"
            raise IndexFileError(found, "the video of this index, or a longer one", "use another --out")


def _known(store: Store, state: Piece) -> list[Thumbnail]:
    """The first thumbnail of some blocks, and of what lies beyond them."""
    count = store.blocks
    numbers = sorted({round(i * (count - 1) / (COMPARED - 1)) for i in range(COMPARED)}) if count else []
    beyond = part_of(state, TAIL)
    pieces = [store.block(number) for number in numbers] + ([beyond] if beyond.tensors else [])
    return [thumbnails.unpack(piece.tensors)[0] for piece in pieces]
