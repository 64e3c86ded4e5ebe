"""Scenes to MP4 files, in constant memory, each with its scene beside it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from longpanda.errors import ConfigError
from longpanda.longwatch.render import render
from longpanda.longwatch.scene import Scene
from longpanda.types import Frames, Seconds
from longpanda.video import check_writable, encode, write_whole

_CHUNK_FRAMES: Final = 32


def film(scene: Scene, path: str | Path, size_px: int = 448, fps: float = 2.0, crf: int = 18) -> int:
    """Writes the video of a scene to `path` and the scene itself to the same name with the suffix .json.

    Frame i shows the scene at i / fps seconds. The .json is written last and an old one is removed first, so that it
    marks a complete film, whenever this is interrupted.

    Args:
        scene: what to film.
        path: of the MP4 file.
        size_px: side of the square frames; even.
        fps: frames per second.
        crf: H.264 quality, lower is better.

    Returns:
        the number of frames written.

    Raises:
        ConfigError: a video of less than one frame, or a size, fps, crf or path that cannot be used.
        VideoError: an odd `size_px`.
    """
    moments, target = _moments(scene, fps), Path(path)
    check_target(target)
    beside = target.with_suffix(".json")
    beside.unlink(missing_ok=True)
    count = encode(_frames(scene, size_px, moments), target, fps, crf=crf, preset="veryfast")
    write_whole(beside, scene.to_json() + "\n")
    return count


def check_target(path: str | Path) -> None:
    """Refuse a name that no film can take, before the work.

    Raises:
        ConfigError: it does not end in .mp4, is a directory, or stands in a folder that is missing or cannot be
            written.
    """
    target = Path(path)
    check_writable(target)
    if target.suffix != ".mp4":
        raise ConfigError(f"a film named '{target}'", "a name ending in .mp4", "the .json beside it is the scene")
    check_writable(target.with_suffix(".json"))


def check_free(path: str | Path) -> None:
    """Refuse a name under which something else than a film of ours stands, which `film` would replace.

    Raises:
        ConfigError: there is such a file, or one of the name of the scene beside.
    """
    target = Path(path)
    taken = [f"'{file}'" for file in (target, target.with_suffix(".json")) if file.exists()]
    try:
        if taken:
            read_scene(target)
    except ConfigError as error:
        found = f"{' and '.join(taken)}, not made by LongPanda"
        raise ConfigError(found, "a new name, or that of an older film", "choose another name") from error


def read_scene(path: str | Path) -> Scene:
    """The scene that `film` wrote beside the video at `path`.

    Raises:
        ConfigError: no such file, or one that holds no scene.
    """
    beside = Path(path).with_suffix(".json")
    if not beside.is_file():
        raise ConfigError(f"no file '{beside}'", "the scene that film() wrote beside the video", "film the scene again")
    return Scene.from_json(beside.read_text(encoding="utf-8"))


def _moments(scene: Scene, fps: float) -> Seconds:
    """When each frame is shown."""
    if not 0 < fps * scene.duration_seconds < float("inf") or int(fps * scene.duration_seconds) < 1:
        found = f"fps = {fps} for {scene.duration_seconds} s"
        raise ConfigError(found, "at least one frame in the video", "raise fps")
    return np.arange(int(fps * scene.duration_seconds)) / fps


def _frames(scene: Scene, size_px: int, moments: Seconds) -> Iterator[Frames]:
    """The frames uint8 [S, S, 3] one by one, rendered a chunk at a time."""
    for start in range(0, len(moments), _CHUNK_FRAMES):
        yield from render(scene, moments[start : start + _CHUNK_FRAMES], size_px)
