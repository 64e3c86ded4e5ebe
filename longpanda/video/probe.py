"""Looks at a file without asking anything of it."""

from pathlib import Path

from longpanda.video.info import VideoInfo
from longpanda.video.opened import DecodeSpec, OpenVideo


def probe(path: str | Path) -> VideoInfo:
    """Look at a video file, an animated GIF or a still image (a video of one frame).

    Reads all packets (about 6 microseconds each) and decodes the first picture.

    Args:
        path: a local file.

    Raises:
        VideoError: no such file, a directory, empty, no media file, no moving pictures (sound only, cover picture
            only), encrypted, or nothing in it decodes.
    """
    with OpenVideo(DecodeSpec(path)) as video:
        return video.info
