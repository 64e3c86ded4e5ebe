"""Open a file for reading pictures: one container, one video stream, or an error that the user can act on."""

import os
import re
from pathlib import Path
from typing import Any

from longpanda.errors import VideoError

_TS_DISCONTINUOUS = 0x0200  # AVFMT_TS_DISCONT of FFmpeg
_NO_TIMESTAMPS = 0x0080  # AVFMT_NOTIMESTAMPS
_ERRORS_UNSAID = ("hevc",)
"""Codecs whose decoders return a picture that they could not read to its end as if it were whole."""


class Source:
    """An open file and its video stream.

    The stream is FFmpeg's best: most pixels, and no cover picture. Reopening it returns to the first packet even if the
    container cannot seek. `stat` is the file's `os.stat_result`.

    Args:
        path: the file.
        is_strict: see `reopen`.

    Raises:
        VideoError: the file does not exist, is a directory, empty, unreadable or no media file, holds no pictures, or
            has a codec without a decoder in this FFmpeg.
    """

    def __init__(self, path: str | Path, is_strict: bool = False) -> None:
        self.path, self._is_strict = str(path), is_strict
        self.stat = _checked(Path(path))  # before opening, so that a file that replaces it then is not mistaken for it
        self._open()

    @property
    def codec(self) -> Any:
        """PyAV's codec context, the decoder of the stream."""
        return self.stream.codec_context

    @property
    def clock_may_jump(self) -> bool:
        """Whether the format allows a clock to jump, as in concatenated recordings."""
        return bool(int(self.container.format.flags) & _TS_DISCONTINUOUS)

    @property
    def has_no_times(self) -> bool:
        """Whether it is a bare stream, whose pictures FFmpeg assumes to be evenly spaced."""
        return bool(int(self.container.format.flags) & _NO_TIMESTAMPS)

    @property
    def hides_errors(self) -> bool:
        """Whether the decoder reports a picture that it could not read to its end only in strict mode."""
        return self.codec.codec.canonical_name in _ERRORS_UNSAID

    def close(self) -> None:
        """Close the file."""
        self.container.close()

    def reopen(self, is_strict: bool | None = None) -> None:
        """Return to the first packet with a new decoder.

        Args:
            is_strict: make a decoder that hides errors raise at anything it cannot read, and return no picture for that
                packet; None keeps the mode.
        """
        self.close()
        self._is_strict = self._is_strict if is_strict is None else is_strict
        self._open()

    def _open(self) -> None:
        self.container: Any = _open_container(self.path)
        try:
            self.stream: Any = _choose_stream(self.container, self.path)
        except BaseException:
            self.container.close()
            raise
        self.codec.thread_count = 1  # frame threads decode ahead, which every seek discards
        self.codec.copy_opaque = True  # so that a picture tells its packet
        if self._is_strict and self.hides_errors:
            self.codec.options = {"err_detect": "explode"}
        self.is_at_start = True


def _open_container(path: str) -> Any:
    """Open a local file. Playlists may not reach the network, and damaged metadata text is replaced."""
    import av

    try:
        # Absolute, because "12:30.mp4" would be the file ":30.mp4" of a protocol called 12.
        return av.open(os.path.abspath(path), metadata_errors="replace", options={"protocol_whitelist": "file"})
    except av.error.FFmpegError as error:
        found = f"'{path}' is no media file that can be read ({error.strerror})"
        expected = "a video such as MP4, MKV, WebM, MOV, AVI, MPEG-TS or GIF"
        raise VideoError(found, expected, "check that it plays elsewhere and was downloaded completely") from error


def _checked(path: Path) -> os.stat_result:
    """The status of the file. Raises VideoError if it is no readable file."""
    expected = "a video file"
    try:
        if not path.exists():
            is_address = re.match(r"\w+:/", str(path)) is not None
            remedy = "download it first: only local files are read" if is_address else "check the path"
            raise VideoError(f"no such file: '{path}'", expected, remedy)
        if path.is_dir():
            raise VideoError(f"'{path}' is a directory", expected, "name one file in it")
        if not path.is_file():
            raise VideoError(f"'{path}' is no regular file", expected, "copy its data to a file")
        stat = path.stat()
        if stat.st_size == 0:
            raise VideoError(f"'{path}' is empty (0 bytes)", expected, "copy or download it again")
        with path.open("rb"):
            return stat
    except OSError as error:
        raise VideoError(f"'{path}' cannot be read ({error.strerror})", expected, "check its permissions") from error


def _choose_stream(container: Any, path: str) -> Any:
    """FFmpeg's best stream, ignoring cover pictures."""
    from av.stream import Disposition

    expected, remedy = "moving pictures", "give a file that has a video track"
    best = container.streams.best("video")
    if best is None:
        kinds = sorted({stream.type for stream in container.streams})
        if "audio" in kinds:
            raise VideoError(f"'{path}' holds sound but no pictures", expected, remedy)
        raise VideoError(f"'{path}' holds no pictures ({', '.join(kinds) or 'no streams'})", expected, remedy)
    if best.disposition & Disposition.attached_pic:
        moving = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
        if not moving:
            raise VideoError(f"'{path}' holds only a cover picture", expected, remedy)
        best = max(moving, key=lambda s: (s.width or 0) * (s.height or 0))
    if best.codec_context is None:
        found = f"'{path}' uses a codec with no decoder here"
        raise VideoError(found, "a codec FFmpeg can decode", "convert it to H.264")
    return best
