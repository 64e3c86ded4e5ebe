"""Describe an open video file: its stream, geometry, length, and oddities of its times."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from longpanda.video.clock import ClockJump
from longpanda.video.crop import container_crop
from longpanda.video.display_order import DisplayOrder
from longpanda.video.rgb import Geometry, geometry_of
from longpanda.video.source import Source

_SHORT_SECONDS, _SHORT_SHARE = 0.5, 0.01
"""A file that is shorter than its header says by more than both has been cut."""
_JUMPS_SAID = 5
_STILL_SECONDS, _STILL_INTERVALS, _LEAST_TO_JUDGE = 10.0, 20, 8


@dataclass(frozen=True)
class VideoInfo:
    """One video file and its video stream.

    Args:
        path: the file.
        container: FFmpeg's name of the format.
        codec: name of the codec, for example "h264".
        width_px, height_px: displayed size: square pixels, upright.
        coded_width_px, coded_height_px: stored size.
        pixel_format: FFmpeg's name, for example "yuv420p10le".
        sample_aspect_ratio: width of a stored pixel divided by its height.
        geometry: how stored pictures become displayed ones (rotation, mirroring).
        average_fps: pictures per second on average, None if unknown. Pictures may be unevenly spaced, so it gives no
            times. For a file without times, this is the rate that its pictures are assumed to have.
        duration_seconds: length of the video track, from second 0 (see `decode`) to the end of its last picture, by its
            packets.
        promised_seconds: the same by the header; more if the file has been cut, and may be wrong; 0 if not given.
        frames_promised: pictures according to the header (hidden ones of an edit list included), None if unknown.
        has_audio: whether there is an audio track.
        stream_index: index of the video stream in the file.
        clock_jumps: places where the file's clock jumps, as in concatenated recordings; all times are on one clock
            without jumps.
        wrong_times: number of pictures left out because the time of their packet cannot be right.
        spacing_seconds: assumed interval of the pictures if the file holds no times; else None.
        longest_still: (start, length) in seconds of a picture that stays on screen for much longer than the others, or
            None. A clock that jumps ahead looks the same.
    """

    path: str
    container: str
    codec: str
    width_px: int
    height_px: int
    coded_width_px: int
    coded_height_px: int
    pixel_format: str
    sample_aspect_ratio: Fraction
    geometry: Geometry
    average_fps: float | None
    duration_seconds: float
    promised_seconds: float
    frames_promised: int | None
    has_audio: bool
    stream_index: int
    clock_jumps: tuple[ClockJump, ...] = ()
    wrong_times: int = 0
    spacing_seconds: float | None = None
    longest_still: tuple[float, float] | None = None

    @property
    def notice(self) -> str:
        """What a user should know about the file's times, or ""."""
        notes = []
        if self.promised_seconds - self.duration_seconds > max(_SHORT_SECONDS, _SHORT_SHARE * self.promised_seconds):
            promised, there = self.promised_seconds, self.duration_seconds
            notes.append(f"The file's header promises {promised:.1f} s; there are pictures for {there:.1f} s.")
        if self.clock_jumps:
            jumps = ", ".join(map(str, self.clock_jumps[:_JUMPS_SAID]))
            more = len(self.clock_jumps) - _JUMPS_SAID
            jumps += f", and {more} more" if more > 0 else ""
            notes.append(f"The file's clock jumps ({jumps}); times here are without the jumps.")
        if self.wrong_times:
            notes.append(f"Pictures left out because their times cannot be right: {self.wrong_times}.")
        if self.spacing_seconds is not None:
            apart = f"{self.spacing_seconds:.3f} s apart"
            notes.append(f"The file holds no times: its pictures are assumed to be {apart}, which may be wrong.")
        if self.longest_still:
            at, lasting = self.longest_still
            held = f"stays on screen for {lasting:.1f} s from {at:.3f} s on"
            notes.append(f"One picture {held}; the clock may have jumped.")
        return "".join(f"{sentence} " for sentence in notes)

    @property
    def rotation_degrees(self) -> int:
        """See `Geometry`."""
        return self.geometry.rotation_degrees


def describe(source: Source, timeline: DisplayOrder, first: Any) -> VideoInfo:
    """Describe an open file. `first` is its first PyAV frame; PyAV gives rotation and cropping only on frames."""
    stream, codec = source.stream, source.codec
    sample_aspect = Fraction(stream.sample_aspect_ratio or codec.sample_aspect_ratio or 1)
    geometry = geometry_of(first, sample_aspect, container_crop(source))
    spacing_seconds = _spacing_seconds(source, timeline)
    return VideoInfo(
        path=source.path,
        container=source.container.format.name,
        codec=codec.codec.canonical_name,
        width_px=geometry.width_px,
        height_px=geometry.height_px,
        coded_width_px=first.width,
        coded_height_px=first.height,
        pixel_format=first.format.name,
        sample_aspect_ratio=sample_aspect,
        geometry=geometry,
        average_fps=_average_fps(source, spacing_seconds),
        duration_seconds=float(timeline.duration * timeline.time_base),
        promised_seconds=_promised_seconds(source, timeline),
        frames_promised=stream.frames or None,
        has_audio=bool(source.container.streams.audio),
        stream_index=stream.index,
        clock_jumps=timeline.jumps,
        wrong_times=timeline.wrong_times,
        spacing_seconds=spacing_seconds,
        longest_still=_longest_still(timeline),
    )


def _average_fps(source: Source, spacing_seconds: float | None) -> float | None:
    """See `VideoInfo`. FFmpeg says 25 for every bare stream, whatever the stream's own header says."""
    if source.has_no_times:
        return 1 / spacing_seconds if spacing_seconds else None
    rate = source.stream.average_rate
    return float(rate) if rate else None


def _spacing_seconds(source: Source, timeline: DisplayOrder) -> float | None:
    if not source.has_no_times or len(timeline) < 2:
        return None
    return float(np.median(np.diff(timeline.times)) * timeline.time_base)


def _longest_still(timeline: DisplayOrder) -> tuple[float, float] | None:
    steps = np.diff(timeline.times)
    usual = float(np.median(steps)) if len(steps) >= _LEAST_TO_JUDGE else 0.0
    at = int(steps.argmax()) if usual else 0
    lasting = float(int(steps[at]) * timeline.time_base) if usual else 0.0
    if lasting < _STILL_SECONDS or steps[at] < _STILL_INTERVALS * usual:
        return None
    return timeline.seconds_of(timeline.times[at]), lasting


def _promised_seconds(source: Source, timeline: DisplayOrder) -> float:
    """Length by the stream's header, Matroska's tag, or the container's header if it holds nothing else; else 0."""
    stream, container = source.stream, source.container
    start_seconds = float(timeline.origin * timeline.time_base)
    if stream.duration:
        return float(stream.duration * timeline.time_base)
    tag_seconds = _clock_seconds(stream.metadata.get("DURATION", ""))
    if tag_seconds > start_seconds:
        return tag_seconds - start_seconds
    if container.duration and len(container.streams) == 1:
        return float(container.duration / 1_000_000) - start_seconds + (container.start_time or 0) / 1_000_000
    return 0.0


def _clock_seconds(text: str) -> float:
    """ "00:01:02.5" -> 62.5; 0 for anything else."""
    try:
        hours, minutes, seconds = (float(part) for part in text.split(":"))
    except ValueError:
        return 0.0
    return 3600 * hours + 60 * minutes + seconds
