"""Render scenes to pixels of any size, identical on every machine."""

import hashlib
from bisect import bisect_right

import numpy as np
import numpy.typing as npt

from longpanda.errors import ConfigError
from longpanda.longwatch import backdrop
from longpanda.longwatch.rooms import fixtures, placed
from longpanda.longwatch.scene import Scene
from longpanda.types import Frames

SMALLEST_PX = 48


def render(scene: Scene, seconds: npt.ArrayLike, size_px: int) -> Frames:
    """Render the frames of a scene at some moments.

    Args:
        scene: the scene to draw.
        seconds: [T] moments from the start of the video, in any order.
        size_px: side S of the square frames.

    Returns:
        uint8 [T, S, S, 3], RGB.

    Raises:
        ConfigError: a moment lies outside the video, or the size is too small for legible numbers.
    """
    moments = np.asarray(seconds, dtype=np.float64)
    if moments.ndim != 1 or not np.all((moments >= 0) & (moments <= scene.duration_seconds)):
        expected = f"one row of seconds from 0 to {scene.duration_seconds:g}"
        raise ConfigError(f"moments {moments}", expected, "ask for moments inside the video")
    if size_px < SMALLEST_PX:
        raise ConfigError(f"size_px = {size_px}", f"at least {SMALLEST_PX}", "render larger frames")
    frames = np.empty((len(moments), size_px, size_px, 3), dtype=np.uint8)
    cuts = [shot.start_seconds for shot in scene.shots]
    always = fixtures(scene.room, size_px)
    first, last = (moments.min(), moments.max()) if len(moments) else (0.0, 0.0)
    near = [event for event in scene.events if event.start_seconds <= last and first < event.end_seconds]
    shown = [(event.start_seconds, event.end_seconds, *placed(event, size_px)) for event in near]
    for frame, moment in zip(frames, moments.tolist(), strict=True):
        backdrop.paint(scene.shots[bisect_right(cuts, moment) - 1].background, moment, frame)
        for sprite, top_px, left_px in always:
            sprite.blend(frame, top_px, left_px)
        for start_seconds, end_seconds, sprite, top_px, left_px in shown:
            if start_seconds <= moment < end_seconds:
                sprite.blend(frame, top_px, left_px)
    return frames


def frame_hash(frames: Frames) -> str:
    """Return the SHA-256 of shape and pixels, to compare frames across machines."""
    digest = hashlib.sha256(repr(frames.shape).encode())
    digest.update(np.ascontiguousarray(frames).data)
    return digest.hexdigest()
