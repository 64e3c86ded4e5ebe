"""Films of numbered pictures, encoded by PyAV."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from benchmarks.corpus.counter import SIZE_PX, numbered

_CLEAR: Mapping[str, Mapping[str, str]] = {
    "libx264": {"preset": "veryfast", "crf": "16", "threads": "1"},
    "libx265": {"preset": "ultrafast", "crf": "18"},
    "libvpx": {"b": "600k", "deadline": "realtime", "cpu-used": "8"},
    "libvpx-vp9": {"b": "600k", "deadline": "good", "cpu-used": "8"},
    "libsvtav1": {"preset": "12", "crf": "25"},
}
"""Encoder options with which every cell stays black or white."""
_CLEAR_OTHERS: Mapping[str, str] = {"b": "2000000", "bt": "2000000"}
SOUND_RATE_HZ = 48000
os.environ.setdefault("SVT_LOG", "1")  # errors only: SVT does not write through Python


@dataclass(frozen=True)
class Film:
    """A film of numbered pictures, and its encoding.

    Args:
        codec: PyAV's name of the encoder.
        options: encoder options, in addition to those that keep the cells readable.
        count: number of pictures.
        fps: pictures per second.
        ticks: when each picture is shown, in units of `time_base`; None: evenly.
        time_base: seconds per tick; None: 1 / fps.
        format: FFmpeg's name of the container; None: by the file's name.
        mux: options of the muxer.
        pix_fmt: FFmpeg's name of the pixel format.
        size_px: (height, width).
        sound_seconds: duration of a silent audio track; 0 for none.
        sound_codec: encoder of that track.
        busy_from: first of the pictures that take many bytes, so that file positions do not tell times; None: none.
        first: number of the first picture.
    """

    codec: str = "libx264"
    options: Mapping[str, str] = field(default_factory=dict)
    count: int = 120
    fps: int | Fraction = 25
    ticks: Callable[[int], int] | None = None
    time_base: Fraction | None = None
    format: str | None = None
    mux: Mapping[str, str] = field(default_factory=dict)
    pix_fmt: str = "yuv420p"
    size_px: tuple[int, int] = SIZE_PX
    sound_seconds: float = 0.0
    sound_codec: str = "aac"
    busy_from: int | None = None
    first: int = 0

    @property
    def tick_seconds(self) -> Fraction:
        """Seconds per tick."""
        return self.time_base or 1 / Fraction(self.fps)

    def second_of(self, number: int) -> float:
        """Return when a picture is shown, in seconds after the first."""
        place = number - self.first
        if self.ticks is None:
            return float(place / Fraction(self.fps))
        return float((self.ticks(place) - self.ticks(0)) * self.tick_seconds)


def write(film: Film, path: Path) -> Path:
    """Encode a film.

    Raises:
        OSError, ValueError: PyAV has no such encoder or container, or one does not take the other.
    """
    clear = _CLEAR.get(film.codec, _CLEAR_OTHERS)
    with av.open(str(path), "w", format=film.format, options=dict(film.mux)) as container:
        stream: Any = container.add_stream(film.codec, rate=Fraction(film.fps), options={**clear, **film.options})
        stream.height, stream.width = film.size_px
        stream.pix_fmt = film.pix_fmt
        stream.codec_context.time_base = film.tick_seconds
        sound = container.add_stream(film.sound_codec, rate=SOUND_RATE_HZ) if film.sound_seconds else None
        for place in range(film.count):
            for packet in stream.encode(_picture(film, place)):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
        if sound is not None:
            _write_silence(container, sound, film.sound_seconds)
    return path


def _picture(film: Film, place: int) -> Any:
    """Return one picture with its time."""
    is_busy = film.busy_from is not None and place >= film.busy_from
    frame = av.VideoFrame.from_ndarray(numbered(film.first + place, film.size_px, is_busy), "rgb24")
    if film.pix_fmt != "rgb24":
        frame = frame.reformat(format=film.pix_fmt)
    frame.pts = place if film.ticks is None else film.ticks(place)
    frame.time_base = film.tick_seconds
    return frame


def _write_silence(container: Any, stream: Any, seconds: float) -> None:
    step = stream.codec_context.frame_size or 1024
    planar = stream.codec_context.format.name
    dtype = np.float32 if planar.startswith("flt") else np.int16
    for start in range(0, int(seconds * SOUND_RATE_HZ), step):
        samples = np.zeros((2, step) if planar.endswith("p") else (1, 2 * step), dtype)
        frame = av.AudioFrame.from_ndarray(samples, planar, "stereo")
        frame.sample_rate, frame.pts, frame.time_base = SOUND_RATE_HZ, start, Fraction(1, SOUND_RATE_HZ)
        container.mux(stream.encode(frame))
    container.mux(stream.encode())
