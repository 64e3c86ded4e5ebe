"""One open video that gives out finished frames: the reader, upright RGB and the wanted size in one."""

import logging
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from longpanda.errors import ConfigError
from longpanda.types import Frames
from longpanda.video.frames import UprightRgb
from longpanda.video.letterbox import resize
from longpanda.video.planned import PlannedReader
from longpanda.video.probe import VideoInfo, describe
from longpanda.video.reader import ScreenReader
from longpanda.video.source import open_source

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class TimedFrame:
    """One frame and when it is shown.

    Args:
        pixels: uint8 [H, W, 3], RGB, upright, square pixels.
        pts_seconds: from the start of the stream.
        number: which of the wanted seconds it answers, or which frame of the video it is.
    """

    pixels: Frames
    pts_seconds: float
    number: int

    def __repr__(self) -> str:
        height, width, _ = self.pixels.shape
        return f"TimedFrame({self.number}: {width}x{height} px at {self.pts_seconds:.3f} s)"


@dataclass(frozen=True)
class Wish:
    """What is wanted of every frame of a file.

    Args:
        path: a local file.
        size_px: (height, width) to resize each frame to, with `letterbox.resize`; None keeps the displayed size.
        tolerance_seconds: take the nearest keyframe if it is no further from the second asked for than this.

    Raises:
        ConfigError: an impossible size or tolerance.
    """

    path: str | Path
    size_px: tuple[int, int] | None = None
    tolerance_seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.size_px is not None and min(self.size_px) < 1:
            raise ConfigError(f"size_px={self.size_px}", "a height and width of at least 1 px", "correct it")
        if not (math.isfinite(self.tolerance_seconds) and self.tolerance_seconds >= 0):
            found = f"tolerance_seconds={self.tolerance_seconds}"
            raise ConfigError(found, "0 (exact) or a number of seconds", "correct it")


class OpenVideo:
    """A file that is open until `close`; also a context manager, which closes it.

    Args:
        wish: which file, and how its frames are to be.
        info: what `describe` says of the file, if that is known already.

    Raises:
        VideoError: the file is no video, see `probe`.
    """

    def __init__(self, wish: Wish, info: VideoInfo | None = None) -> None:
        self._wish, self._opening = wish, open_source(wish.path)
        source = self._opening.__enter__()
        try:
            self._reader = ScreenReader(source)
            self.info = info or describe(source, self._reader)
            self._planned = PlannedReader(source, self._reader, wish.tolerance_seconds)
        except BaseException:
            self.close()
            raise
        self._upright = UprightRgb(self.info.geometry)

    def __enter__(self) -> "OpenVideo":
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._opening.__exit__(None, None, None)

    @property
    def size_px(self) -> tuple[int, int]:
        """(height, width) of the frames given out."""
        return self._wish.size_px or (self.info.height_px, self.info.width_px)

    @property
    def last_second(self) -> float:
        """See `ScreenReader`."""
        return self._reader.last_second

    @property
    def damage(self) -> set[int]:
        """Times of damaged packets, in ticks, among those read so far."""
        return self._reader.packets.damaged_ever

    def keyframes_between(self, first_second: float, last_second: float, most: int) -> int:
        """See `PacketReader`."""
        first, last = self._reader.ticks_of(first_second), self._reader.ticks_of(last_second)
        return self._reader.packets.keyframes_between(first, last, most)

    def at(self, seconds: Iterable[float]) -> Iterator[TimedFrame]:
        """The frames on screen at seconds in order; a second without a frame is left out."""
        last, done = None, None
        for number, picture in self._planned.answers(seconds):
            if picture is None:
                continue
            if picture is not last or done is None:
                last, done = picture, self._finish(picture, number)
            yield TimedFrame(done.pixels, done.pts_seconds, number)

    def every(self) -> Iterator[TimedFrame]:
        """All frames, for a file of which nothing was asked yet."""
        for number, picture in enumerate(self._reader.walk()):
            yield self._finish(picture, number)

    def _finish(self, picture: Any, number: int) -> TimedFrame:
        pixels = self._upright(picture)
        if self._wish.size_px is not None:
            pixels = resize(pixels[None], *self._wish.size_px)[0]
        return TimedFrame(pixels, self._reader.seconds_of(picture), number)


def warn_of_damage(path: str | Path, damaged_pts: set[int]) -> None:
    """Say that some of a file was damaged, if it was."""
    if damaged_pts:
        _log.warning("'%s': damaged packets left out: %d", path, len(damaged_pts))
