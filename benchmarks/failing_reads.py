"""A reader of clips whose decoder hangs or crashes at some files, in a module that worker processes import at once."""

import os
import signal
import threading
from pathlib import PurePosixPath

from longpanda.data.frame_choice import FrameChoice
from longpanda.data.media import read_clip
from longpanda.data.mixture import Source
from longpanda.data.schema import Media
from longpanda.types import VideoClip


def failing_read(media: Media, source: Source, choice: FrameChoice, size_px: tuple[int, int] | None) -> VideoClip:
    """As `read_clip`, but files named hang... never end, and those named crash... end the process."""
    name = PurePosixPath(media.path).name
    if name.startswith("hang"):
        threading.Event().wait()
    if name.startswith("crash"):
        os.kill(os.getpid(), signal.SIGKILL)
    return read_clip(media, source, choice, size_px)
