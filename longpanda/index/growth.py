"""Tell whether a video is still growing, and whether it is the one that was indexed, or more of it."""

import hashlib
import os
import time
from pathlib import Path
from typing import Any

from longpanda.errors import CutVideoError, IndexFileError
from longpanda.index import thumbnails
from longpanda.index.store import Piece, Store
from longpanda.index.thumbnails import Thumbnail
from longpanda.index.video_index import TAIL, part_of
from longpanda.video import VideoInfo, decode

SETTLED_SECONDS = 2.0
"""Frames closer than this to the last picture read are indexed again when the file has grown: they may change."""
SAME_PICTURE = 8.0
"""Largest mean difference (of 255) of two thumbnails that show the same frame."""
COMPARED = 4
"""Number of blocks whose first thumbnail is compared."""
RECORDING_SECONDS = 60.0
"""A file that was written to more recently than this may be a recording in progress."""
DEFAULT_WORKERS = 4
_EDGE_BYTES = 2**16


def workers_for(video: Path) -> int:
    """Default number of decoding threads: one for each core that this process may use, at most 4.

    A recording in progress gets one: several threads open the file one after another and would see different ends.
    """
    is_growing = time.time() - video.stat().st_mtime < RECORDING_SECONDS
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 1 if is_growing else min(DEFAULT_WORKERS, cores)


def source_fingerprint(video: Path) -> dict[str, Any]:
    """The size of a file and a hash of its first and last 64 KiB. Name and date are left out: files get moved."""
    size = video.stat().st_size
    digest = hashlib.sha256()
    with video.open("rb") as file:
        digest.update(file.read(_EDGE_BYTES))
        file.seek(max(0, size - _EDGE_BYTES))
        digest.update(file.read(_EDGE_BYTES))
    return {"bytes": size, "edges": digest.hexdigest()}


def check_same_video(store: Store, state: Piece, video: Path, info: VideoInfo, size_px: tuple[int, int]) -> None:
    """Compare some thumbnails of an index with the video. Raises IndexFileError if it is shorter or another one."""
    before = state.facts["duration_seconds"]
    if info.duration_seconds < before - SETTLED_SECONDS:
        found = f"'{video}' is {info.duration_seconds:.1f} s long, and was {before:.1f} s when it was indexed"
        raise IndexFileError(found, "the same video, or a longer one", "use another --out")
    for known in _sample(store, state):
        try:
            frame = decode(video, [known.seconds], size_px=size_px).frames[0]
        except CutVideoError:
            frame = None
        now = None if frame is None else Thumbnail(known.seconds, thumbnails.jpeg_of(frame))
        if now is None or thumbnails.difference(known, now) > SAME_PICTURE:
            found = f"'{video}' shows something else at {known.seconds:.1f} s than when it was indexed"
            raise IndexFileError(found, "the video of this index, or a longer one", "use another --out")


def _sample(store: Store, state: Piece) -> list[Thumbnail]:
    """The first thumbnail of some blocks, and of the frames after the last block."""
    count = store.blocks
    numbers = sorted({round(i * (count - 1) / (COMPARED - 1)) for i in range(COMPARED)}) if count else []
    beyond = part_of(state, TAIL)
    pieces = [store.block(number) for number in numbers] + ([beyond] if beyond.tensors else [])
    return [thumbnails.unpack(piece.tensors)[0] for piece in pieces]
