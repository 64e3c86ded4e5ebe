"""Frames on screen at chosen seconds, with their true times."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from longpanda.errors import ConfigError, CutVideoError
from longpanda.types import Frames, Seconds, VideoClip
from longpanda.video.frames import UprightRgb
from longpanda.video.letterbox import resize
from longpanda.video.probe import VideoInfo, describe
from longpanda.video.reader import ScreenReader
from longpanda.video.sampling import explicit
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


def decode(
    path: str | Path, seconds: Sequence[float] | Seconds, *, size_px: tuple[int, int] | None = None
) -> VideoClip:
    """The frames that are on screen at the given seconds.

    Second 0 is where the stream starts (the container's start time of the video track, so MPEG-TS and edit lists begin
    at 0 as well). For a second the frame is the last one shown at or before it; for a second before the first frame,
    the first. Two seconds give the same frame only if it is on screen at both. A second that is past the end, or at
    which the file is damaged or cut off, gives no frame: nothing is put in its place, and `frames_promised` says how
    many were asked for.

    Memory is the clip and three stored pictures.

    Args:
        path: a local file.
        seconds: wanted times from the start of the video, never decreasing.
        size_px: (height, width) to resize each frame to, with `letterbox.resize`; None keeps the displayed size.

    Raises:
        ConfigError: seconds that are negative, not finite or not in order, or an impossible size.
        VideoError: the file is no video, see `probe`.
        CutVideoError: it has no frame at any of these seconds.
    """
    times = explicit(seconds)
    frames: Frames | None = None
    pts_seconds: list[float] = []
    with _Decoder(path, size_px) as decoder:
        for frame in decoder.at(times):
            if frames is None:
                frames = np.empty((len(times), *frame.pixels.shape), np.uint8)
            frames[len(pts_seconds)] = frame.pixels
            pts_seconds.append(frame.pts_seconds)
        duration_seconds, last_second = decoder.info.duration_seconds, decoder.last_second
    if frames is None:
        raise CutVideoError(
            f"no frame of '{path}' is on screen at the seconds asked for, {times[0]:g} to {times[-1]:g}",
            f"seconds at which it can be read: its last picture is at {last_second:.3f} of {duration_seconds:.3f} s",
            "choose other seconds, or repair or download the file again",
            last_second,
        )
    shown = frames[: len(pts_seconds)]
    return VideoClip(shown, np.asarray(pts_seconds, np.float64), duration_seconds, str(path), len(times))


def iter_frames(
    path: str | Path,
    seconds: Sequence[float] | Seconds | None = None,
    *,
    size_px: tuple[int, int] | None = None,
) -> Iterator[TimedFrame]:
    """As `decode`, one frame at a time in constant memory; without `seconds`, every frame of the video.

    Args:
        path: a local file.
        seconds: wanted times, never decreasing; those without a frame are left out, see `TimedFrame.number`.
        size_px: (height, width) to resize each frame to.

    Raises:
        ConfigError: as `decode`.
        VideoError: the file is no video, see `probe`.
    """
    times = None if seconds is None else explicit(seconds)
    with _Decoder(path, size_px) as decoder:
        yield from decoder.every() if times is None else decoder.at(times)


class _Decoder:
    """An open file that gives out finished frames; warns at the end if some of the file was damaged."""

    def __init__(self, path: str | Path, size_px: tuple[int, int] | None) -> None:
        if size_px is not None and min(size_px) < 1:
            raise ConfigError(f"size_px={size_px}", "a height and width of at least 1 px", "correct it")
        self._path, self._size_px, self._opening = path, size_px, open_source(path)

    def __enter__(self) -> "_Decoder":
        source = self._opening.__enter__()
        try:
            self._reader = ScreenReader(source)
            self.info: VideoInfo = describe(source, self._reader)
        except BaseException:
            self._opening.__exit__(None, None, None)
            raise
        self._upright = UprightRgb(self.info.geometry)
        return self

    def __exit__(self, *error: Any) -> None:
        self._opening.__exit__(None, None, None)
        if self._reader.damaged_packets:
            _log.warning("'%s': damaged packets left out: %d", self._path, self._reader.damaged_packets)

    @property
    def last_second(self) -> float:
        return self._reader.last_second

    def at(self, times: Seconds) -> Iterator[TimedFrame]:
        last, done = None, None
        for number, second in enumerate(times.tolist()):
            picture = self._reader.at(second)
            if picture is None:
                continue
            if picture is not last or done is None:
                last, done = picture, self._finish(picture, number)
            yield TimedFrame(done.pixels, done.pts_seconds, number)

    def every(self) -> Iterator[TimedFrame]:
        for number, picture in enumerate(self._reader.walk()):
            yield self._finish(picture, number)

    def _finish(self, picture: Any, number: int) -> TimedFrame:
        pixels = self._upright(picture)
        if self._size_px is not None:
            pixels = resize(pixels[None], *self._size_px)[0]
        return TimedFrame(pixels, self._reader.seconds_of(picture), number)
