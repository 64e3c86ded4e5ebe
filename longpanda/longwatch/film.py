"""Scenes to MP4 files, in constant memory, each with its scene beside it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from longpanda.errors import ConfigError
from longpanda.longwatch.render import render
from longpanda.longwatch.scene import Scene
from longpanda.types import Frames
from longpanda.video import encode

_CHUNK_FRAMES: Final = 32


def film(scene: Scene, path: str | Path, size_px: int = 448, fps: float = 2.0, crf: int = 18) -> int:
    """Writes the video of a scene to `path` and the scene itself to the same name with the suffix .json.

    Frame i shows the scene at i / fps seconds.

    Args:
        scene: what to film.
        path: of the MP4 file.
        size_px: side of the square frames; even.
        fps: frames per second.
        crf: H.264 quality, lower is better.

    Returns:
        the number of frames written.

    Raises:
        ConfigError: a video of less than one frame, or a size, fps, crf or directory that cannot be used.
        VideoError: an odd `size_px`.
    """
    target = Path(path)
    if target.suffix == ".json":
        raise ConfigError(f"a film named '{target}'", "a name ending in .mp4", "the .json beside it is the scene")
    count = encode(_frames(scene, size_px, fps), target, fps, crf=crf, preset="veryfast")
    target.with_suffix(".json").write_text(scene.to_json() + "\n", encoding="utf-8")
    return count


def read_scene(path: str | Path) -> Scene:
    """The scene that `film` wrote beside the video at `path`.

    Raises:
        ConfigError: no such file, or one that holds no scene.
    """
    beside = Path(path).with_suffix(".json")
    if not beside.is_file():
        raise ConfigError(f"no file '{beside}'", "the scene that film() wrote beside the video", "film the scene again")
    return Scene.from_json(beside.read_text(encoding="utf-8"))


def _frames(scene: Scene, size_px: int, fps: float) -> Iterator[Frames]:
    """The frames uint8 [S, S, 3] one by one, rendered a chunk at a time."""
    if not 0 < fps * scene.duration_seconds < float("inf") or int(fps * scene.duration_seconds) < 1:
        found = f"fps = {fps} for {scene.duration_seconds} s"
        raise ConfigError(found, "at least one frame in the video", "raise fps")
    moments = np.arange(int(fps * scene.duration_seconds)) / fps
    for start in range(0, len(moments), _CHUNK_FRAMES):
        yield from render(scene, moments[start : start + _CHUNK_FRAMES], size_px)
