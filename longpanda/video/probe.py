"""Describe a file without decoding more than its first picture."""

from pathlib import Path

from longpanda.video.info import VideoInfo
from longpanda.video.opened import DecodeSpec, OpenVideo


def probe(path: str | Path) -> VideoInfo:
    """Describe a video file, an animated GIF or a still image (a video of one frame).

    Reads all packets (about 6 microseconds each) and decodes the first picture.

    Args:
        path: a local file.

    Raises:
        VideoError: the file does not exist, is a directory, empty, no media file or encrypted, has no moving pictures
            (sound only, cover picture only), or nothing in it decodes.
    """
    with OpenVideo(DecodeSpec(path)) as video:
        return video.info
