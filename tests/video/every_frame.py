"""The slow obvious reader that the fast one is held to: decode the whole file in order, keep every frame."""

from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from movies import numbered

from longpanda.video import probe
from longpanda.video.rgb import UprightRgb


class Shown(NamedTuple):
    """Every frame of a file: pixels uint8 [T, H, W, 3], and from when on each is shown, in seconds [T]."""

    pixels: np.ndarray
    pts_seconds: np.ndarray

    def at(self, seconds):
        """Numbers of the frames on screen at the seconds: the last shown at or before, or else the first."""
        return np.maximum(np.searchsorted(self.pts_seconds, np.asarray(seconds) + 1e-6, side="right") - 1, 0)


def every_frame(path: Path) -> Shown:
    upright = UprightRgb(probe(path).geometry)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_count = 1
        shown = [(frame.pts, upright(frame)) for frame in container.decode(stream)]
        start, time_base = stream.start_time or 0, stream.time_base
        if container.format.name == "avi":  # tells when to decode: second 0 is where the first picture is shown
            start = shown[0][0]
    pts_seconds = [float((pts - min(start, shown[0][0])) * time_base) for pts, _ in shown]
    return Shown(np.stack([pixels for _, pixels in shown]), np.asarray(pts_seconds))


def textured(count: int, height_px: int = 96, width_px: int = 160) -> list[np.ndarray]:
    """Frames on which every pixel moves, with a cut now and then, so that a wrong reference picture shows."""
    texture = np.random.default_rng(0).integers(0, 256, (height_px, width_px, 3), np.uint8)
    texture = (texture // 2 + np.roll(texture, 1, axis=0) // 4 + np.roll(texture, 1, axis=1) // 4).astype(np.uint8)
    frames = []
    for number in range(count):
        pixels = np.roll(texture, (number, 2 * number + 31 * (number // 40)), axis=(0, 1))
        pixels[:16] = numbered(number)[:16]
        frames.append(pixels)
    return frames
