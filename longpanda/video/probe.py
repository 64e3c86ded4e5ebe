"""What a file holds, without decoding more than its first two pictures."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from longpanda.video.frames import Geometry, geometry_of
from longpanda.video.packets import PacketReader
from longpanda.video.reader import ScreenReader
from longpanda.video.source import Source, open_source


@dataclass(frozen=True)
class VideoInfo:
    """One video file: the stream that is watched, and how it is shown.

    Args:
        path: the file.
        container: FFmpeg's name of the format.
        codec: name of the codec, for example "h264".
        width_px: width as displayed: square pixels, upright.
        height_px: height as displayed.
        coded_width_px: width as stored.
        coded_height_px: height as stored.
        pixel_format: FFmpeg's name, for example "yuv420p10le".
        sample_aspect_ratio: width of a stored pixel divided by its height.
        geometry: how stored pictures become displayed ones (rotation, mirroring).
        average_fps: pictures per second on average, None if unknown. No clock: pictures may be unevenly spaced.
        duration_seconds: length of the video track, from its first picture; what the header promises, where it does.
        frames_promised: pictures according to the header (hidden ones of an edit list included), None if unknown.
        has_audio: there is sound, too.
        stream_index: number of the stream in the file.
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
    frames_promised: int | None
    has_audio: bool
    stream_index: int

    @property
    def rotation_degrees(self) -> int:
        """Counterclockwise turn that makes the stored picture upright: 0, 90, 180 or 270."""
        return self.geometry.rotation_degrees


def probe(path: str | Path) -> VideoInfo:
    """Look at a video file, an animated GIF or a still image (a video of one frame).

    Decodes two pictures: the first, because PyAV offers the rotation nowhere else, and the second, because the time
    between them tells how long one lasts. Reads all packets, without decoding them, only where the duration is written
    nowhere (some WebM files).

    Args:
        path: a local file.

    Raises:
        VideoError: no such file, a directory, empty, no media file, no moving pictures (sound only, cover picture
            only), or nothing in it decodes.
    """
    with open_source(path) as source:
        return describe(source, ScreenReader(source))


def describe(source: Source, reader: ScreenReader) -> VideoInfo:
    """As `probe`, for a file that is open; its read position stays."""
    stream, first = source.stream, reader.first
    codec = stream.codec_context
    sample_aspect = Fraction(stream.sample_aspect_ratio or codec.sample_aspect_ratio or 1)
    geometry = geometry_of(first, sample_aspect)
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
        average_fps=float(stream.average_rate) if stream.average_rate else None,
        duration_seconds=_duration_seconds(source, reader),
        frames_promised=stream.frames or None,
        has_audio=bool(source.container.streams.audio),
        stream_index=stream.index,
    )


def _duration_seconds(source: Source, reader: ScreenReader) -> float:
    """Length of the video track: its header, Matroska's tag, the container's if it holds nothing else, or read."""
    stream, container = source.stream, source.container
    start_seconds = float(reader.origin_pts * reader.time_base)
    if stream.duration:
        return float(stream.duration * reader.time_base)
    tag_seconds = _clock_seconds(stream.metadata.get("DURATION", ""))
    if tag_seconds > start_seconds:
        return tag_seconds - start_seconds
    if container.duration and len(container.streams) == 1:
        return float(container.duration / 1_000_000) - start_seconds + (container.start_time or 0) / 1_000_000
    from_seconds = container.duration / 1_000_000 if container.duration else 0.0
    return _last_end_seconds(source, reader, from_seconds)


def _clock_seconds(text: str) -> float:
    """ "00:01:02.5" -> 62.5; 0 for anything else."""
    try:
        hours, minutes, seconds = (float(part) for part in text.split(":"))
    except ValueError:
        return 0.0
    return 3600 * hours + 60 * minutes + seconds


def _last_end_seconds(source: Source, reader: ScreenReader, from_seconds: float) -> float:
    """End of the last packet, looked for from a second near the end on, or from the start."""
    with open_source(source.path) as again:
        packets = PacketReader(again)
        if from_seconds > 0:
            packets.seek(reader.origin_pts + int(from_seconds / reader.time_base))
        timed = (packet for packet in packets.packets() if packet.pts is not None)
        end_pts = max((packet.pts + (packet.duration or reader.interval_ticks) for packet in timed), default=None)
    if end_pts is None:
        return _last_end_seconds(source, reader, 0.0)
    return float((end_pts - reader.origin_pts) * reader.time_base)
