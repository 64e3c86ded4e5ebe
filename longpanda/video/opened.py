"""An open video that yields finished frames: decoded, upright, RGB, resized."""

import logging
import math
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from longpanda.errors import ConfigError, VideoError
from longpanda.types import Frames
from longpanda.video.display_order import LOST, DisplayOrder
from longpanda.video.gop import GopDecoder
from longpanda.video.gop_reader import GopReader, Shown
from longpanda.video.info import VideoInfo, describe
from longpanda.video.letterbox import resize
from longpanda.video.packets import KEY, PacketReader
from longpanda.video.rgb import UprightRgb
from longpanda.video.sequential_reader import SequentialReader
from longpanda.video.source import Source
from longpanda.video.survey import survey

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class TimedFrame:
    """One frame and its time.

    Args:
        pixels: uint8 [H, W, 3], RGB, upright, square pixels.
        pts_seconds: when it is shown, from the start of the stream.
        number: index of its requested second, or, without those, of the frame in the video.
    """

    pixels: Frames
    pts_seconds: float
    number: int

    def __repr__(self) -> str:
        height, width, _ = self.pixels.shape
        return f"TimedFrame({self.number}: {width}x{height} px at {self.pts_seconds:.3f} s)"


@dataclass(frozen=True)
class DecodeSpec:
    """A file, the size of its frames and the tolerance of their times, as arguments of `decode`.

    Raises:
        ConfigError: an impossible size or tolerance.
    """

    path: str | Path
    size_px: tuple[int, int] | None = None
    tolerance_seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.size_px is not None and min(self.size_px) < 1:
            raise ConfigError(f"size_px={self.size_px}", "a height and width of at least 1 px", "pass such a size")
        if not (math.isfinite(self.tolerance_seconds) and self.tolerance_seconds >= 0):
            found = f"tolerance_seconds={self.tolerance_seconds}"
            raise ConfigError(found, "0 (exact) or a number of seconds", "pass such a tolerance")


class OpenVideo:
    """A file that is open until `close`; also a context manager, which closes it.

    Args:
        spec: the file, and the form of its frames.
        other: the same file, opened before; its timeline and info are reused.

    Raises:
        VideoError: the file is no video, see `probe`.
    """

    def __init__(self, spec: DecodeSpec, other: "OpenVideo | None" = None) -> None:
        self._spec, self.source = spec, Source(spec.path, is_strict=True)
        try:
            self.timeline: DisplayOrder = other.timeline if other else survey(self.source)
            self.decoder = GopDecoder(PacketReader(self.source, self.timeline.table), self.timeline)
            # Not shared between openings: PyAV changes a frame while converting it, so two threads may not use one.
            first, begins_damaged = _first(self.decoder, self.timeline)
            self.info: VideoInfo = other.info if other else describe(self.source, self.timeline, first.frame)
        except BaseException:
            self.close()
            raise
        self._upright = UprightRgb(self.info.geometry)
        self._reader: GopReader | SequentialReader
        if self.timeline.is_in_order and first.number != LOST:
            self._reader = GopReader(self.decoder, self.timeline, first, spec.tolerance_seconds, begins_damaged)
        else:
            self._reader = SequentialReader(self.decoder, self.timeline, first)

    def __enter__(self) -> "OpenVideo":
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self.source.close()

    @property
    def size_px(self) -> tuple[int, int]:
        """(height, width) of the frames."""
        return self._spec.size_px or (self.info.height_px, self.info.width_px)

    @property
    def last_second(self) -> float:
        """When the last picture begins to be shown."""
        return self.timeline.seconds_of(self.timeline.times[-1])

    @property
    def can_skip(self) -> bool:
        """Whether decoding can start at a keyframe, not only at the start of the file."""
        return isinstance(self._reader, GopReader)

    @property
    def damage(self) -> set[int]:
        """Times of damaged packets, in ticks: those marked in the file, and those found by decoding so far."""
        return {*self.timeline.damaged, *self._reader.damaged}

    def at(self, seconds: Iterable[float]) -> Iterator[TimedFrame]:
        """Yield the frames on screen at seconds in order; a second without a frame is left out."""
        last, done = None, None
        for number, shown in self._reader.answers(seconds):
            if shown is None:
                continue
            if (shown.number, shown.ticks) != last or done is None:
                last, done = (shown.number, shown.ticks), self._finish(shown, number)
            yield TimedFrame(done.pixels, done.pts_seconds, number)

    def every(self) -> Iterator[TimedFrame]:
        """Yield all frames."""
        for number, shown in enumerate(self._reader.every()):
            yield self._finish(shown, number)

    def _finish(self, shown: Shown, number: int) -> TimedFrame:
        pixels = self._upright(shown.frame)
        if self._spec.size_px is not None:
            pixels = resize(pixels[None], *self._spec.size_px)[0]
        return TimedFrame(pixels, self.timeline.seconds_of(shown.ticks), number)


def _first(decoder: GopDecoder, timeline: DisplayOrder) -> tuple[Shown, bool]:
    """The first picture that decodes, and whether a keyframe before it does not. Raises VideoError if none does."""
    begins_damaged = False
    with closing(decoder.decode(0, len(timeline.table) - 1)) as frames:
        for number, frame in frames:
            if frame is None and decoder.be_lenient():
                return _first(decoder, timeline)
            if frame is None or frame.is_corrupt:
                begins_damaged = begins_damaged or bool(timeline.table.marks[number] & KEY)
                continue
            place = 0 if number == LOST or not timeline.is_in_order else timeline.place_of(number)
            if place is not None:
                return Shown(frame, int(timeline.times[place]), number), begins_damaged
    found = f"no picture of '{decoder.path}' can be decoded ({decoder.codec_name})"
    raise VideoError(found, "at least one whole picture", "repair it, or download or copy it again")


def warn_of_damage(path: str | Path, damaged_pts: set[int]) -> None:
    """Log a warning if packets of a file were damaged."""
    if damaged_pts:
        _log.warning("'%s': damaged packets left out: %d", path, len(damaged_pts))
