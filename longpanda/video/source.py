"""Opens a file for reading pictures: one container, one video stream, and an error a user can act on otherwise."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from longpanda.errors import VideoError

_TS_DISCONTINUOUS = 0x0200  # AVFMT_TS_DISCONT of FFmpeg
_NO_TIMESTAMPS = 0x0080  # AVFMT_NOTIMESTAMPS
_ERRORS_UNSAID = ("hevc",)
"""Codecs whose decoders give out a picture that they could not read to its end as if it were whole."""


class Source:
    """An open file and the one stream of it that is watched.

    The stream is the one FFmpeg calls best: most pixels, and no cover picture. It may be opened again, which puts it
    back to its first packet, also where the container cannot seek.

    What the system says of the file is in `told`.

    Args:
        path: the file, as it was given.
        is_strict: as `reopen` has it.

    Raises:
        VideoError: no such file, a directory, an empty or unreadable file, no media file, no pictures in it,
            or a codec this FFmpeg has no decoder for.
    """

    def __init__(self, path: str | Path, is_strict: bool = False) -> None:
        self.path, self._is_strict = str(path), is_strict
        self.told = _checked(Path(path))  # before it is opened, so that what takes its place then is not taken for it
        self._open()

    def __repr__(self) -> str:
        return f"Source({self.path!r}, {self.container.format.name}, stream {self.stream.index})"

    @property
    def codec(self) -> Any:
        """PyAV's codec context, which decodes the stream's packets."""
        return self.stream.codec_context

    @property
    def clock_may_jump(self) -> bool:
        """Does the format allow a file's clock to go far ahead or back, as where recordings are joined?"""
        return bool(int(self.container.format.flags) & _TS_DISCONTINUOUS)

    @property
    def has_no_times(self) -> bool:
        """Is it a bare stream, whose pictures FFmpeg takes to be evenly spaced?"""
        return bool(int(self.container.format.flags) & _NO_TIMESTAMPS)

    @property
    def hides_errors(self) -> bool:
        """Does the decoder say only when asked to be strict that it could not read a picture to its end?"""
        return self.codec.codec.canonical_name in _ERRORS_UNSAID

    def close(self) -> None:
        """Close the file."""
        self.container.close()

    def reopen(self, is_strict: bool | None = None) -> None:
        """Begin again at the first packet, whatever the container says of seeking, with a new decoder.

        Args:
            is_strict: have a decoder that hides errors raise at whatever it cannot read, and give no picture from there
                on for that packet; None leaves that as it is.
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
        self.codec.thread_count = 1  # frame threads decode ahead, which every seek throws away
        self.codec.copy_opaque = True  # so that a picture says which packet it comes from
        if self._is_strict and self.hides_errors:
            self.codec.options = {"err_detect": "explode"}
        self.is_at_start = True


@contextmanager
def open_source(path: str | Path) -> Iterator[Source]:
    """Open `path` and choose its video stream; the file is closed when the block ends. Raises as `Source`."""
    source = Source(path)
    try:
        yield source
    finally:
        source.close()


def _open_container(path: str) -> Any:
    """Local files only: playlists may not reach the network. Damaged metadata text is replaced, not fatal."""
    import av

    try:
        # Whole, because "12:30.mp4" would be the file ":30.mp4" of a protocol called 12.
        return av.open(os.path.abspath(path), metadata_errors="replace", options={"protocol_whitelist": "file"})
    except av.error.FFmpegError as error:
        raise VideoError(
            f"'{path}' is no media file that can be read ({error.strerror})",
            "a video such as MP4, MKV, WebM, MOV, AVI, MPEG-TS or GIF",
            "check that it plays elsewhere and was downloaded completely",
        ) from error


def _checked(path: Path) -> os.stat_result:
    """What the system says of the file. Raises VideoError where it is none that can be read."""
    expected = "a video file"
    try:
        if not path.exists():
            is_address = re.match(r"\w+:/", str(path)) is not None
            remedy = "download it first: only local files are read" if is_address else "check the path"
            raise VideoError(f"no such file: '{path}'", expected, remedy)
        if path.is_dir():
            raise VideoError(f"'{path}' is a directory", expected, "name one file in it")
        if not path.is_file():
            raise VideoError(f"'{path}' is no regular file", expected, "copy what it gives to a file")
        told = path.stat()
        if told.st_size == 0:
            raise VideoError(f"'{path}' is empty (0 bytes)", expected, "copy or download it again")
        with path.open("rb"):
            return told
    except OSError as error:
        raise VideoError(f"'{path}' cannot be read ({error.strerror})", expected, "check its permissions") from error


def _choose_stream(container: Any, path: str) -> Any:
    """The stream FFmpeg calls best, cover pictures aside."""
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
        raise VideoError(
            f"'{path}' uses a codec with no decoder here", "a codec FFmpeg can decode", "convert it to H.264"
        )
    return best
