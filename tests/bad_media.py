"""Readers of media that fail as decoders do; alone in a file, so that processes that use them start at once."""

import os
import signal
import threading
from dataclasses import replace

from longpanda.data.frame_choice import FrameChoice
from longpanda.data.media import read_clip
from longpanda.data.mixture import Source
from longpanda.data.schema import Media
from longpanda.types import VideoClip


def bad_read(media: Media, source: Source, choice: FrameChoice, size_px: tuple[int, int] | None) -> VideoClip:
    """1.mp4 hangs, 2.mp4 ends its process, 2.jpg is missing."""
    if media.path == "1.mp4":
        threading.Event().wait()
    if media.path == "2.mp4":
        os.kill(os.getpid(), signal.SIGKILL)
    return damaged_pictures(media, source, choice, size_px)


def damaged_pictures(media: Media, source: Source, choice: FrameChoice, size_px: tuple[int, int] | None) -> VideoClip:
    """2.jpg is missing."""
    path = media.path if media.path != "2.jpg" else "gone.jpg"
    return read_clip(replace(media, path=path), source, choice, size_px)
