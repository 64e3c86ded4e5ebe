"""Movies that the tests write themselves: every frame carries its own number in its pixels."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

BITS = 10
BLOCK_PX = 16


def numbered(number: int, height_px: int = 64, width_px: int = BITS * BLOCK_PX) -> np.ndarray:
    """A grey frame whose top 16 rows spell `number` in black and white blocks, lowest bit left."""
    pixels = np.full((height_px, width_px, 3), 128, np.uint8)
    for bit in range(BITS):
        pixels[:BLOCK_PX, bit * BLOCK_PX : (bit + 1) * BLOCK_PX] = 255 if number >> bit & 1 else 0
    pixels[BLOCK_PX:, :, 0] = (number * 37) % 256
    return pixels


def number_in(pixels: np.ndarray, block_px: int = BLOCK_PX) -> int:
    """The number that `numbered` drew."""
    centres = pixels[BLOCK_PX // 2, block_px // 2 : BITS * block_px : block_px].astype(int).mean(axis=-1)
    assert np.all((centres < 60) | (centres > 195)), f"no number in {centres}"
    return sum(1 << bit for bit, value in enumerate(centres) if value > 128)


def write_movie(
    path: Path,
    frames: Sequence[np.ndarray],
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    ticks: Sequence[int] | None = None,
    fps: int = 30,
    options: dict[str, str] | None = None,
    mux_options: dict[str, str] | None = None,
    format: str | None = None,
    prepare: Callable[[Any], None] | None = None,
) -> Path:
    """Encode frames at `ticks` (in 1/fps s; default 0, 1, 2, ...)."""
    settings = {"preset": "veryfast", "crf": "15", "threads": "1"} if codec == "libx264" else {}
    with av.open(str(path), "w", format=format, options=mux_options or {}) as container:
        stream = container.add_stream(codec, rate=fps, options=settings | (options or {}))
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pix_fmt
        stream.codec_context.time_base = Fraction(1, fps)
        if prepare is not None:
            prepare(stream)
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
            frame.pts = ticks[number] if ticks is not None else number
            frame.time_base = Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_sound(path: Path) -> Path:
    """One second of silence."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000, layout="mono")
        for start in range(0, 8000, 1000):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1000), np.float32), "fltp", "mono")
            frame.sample_rate, frame.pts, frame.time_base = 8000, start, Fraction(1, 8000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


B_FRAMES = {"bf": "3", "g": "60", "keyint_min": "60", "sc_threshold": "0", "b-pyramid": "normal"}


def remux(source: Path, target: Path, shift_seconds: float = 0.0, **open_options: Any) -> Path:
    """Copy the packets into another container, later by `shift_seconds`."""
    with av.open(str(source)) as read, av.open(str(target), "w", **open_options) as write:
        stream = read.streams.video[0]
        copy = write.add_stream_from_template(stream)
        for packet in read.demux(stream):
            if packet.dts is None:
                continue
            shift = round(shift_seconds / packet.time_base)
            packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, copy
            write.mux(packet)
    return target
