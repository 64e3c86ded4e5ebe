"""Film scenes as MP4 files in constant memory, each with a .json record of its scene."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

import numpy as np

from longpanda.errors import ConfigError
from longpanda.files import check_writable, write_atomic
from longpanda.longwatch.render import render
from longpanda.longwatch.scene import Scene
from longpanda.types import Frames, Seconds
from longpanda.video import encode

_CHUNK_FRAMES: Final = 32


@dataclass(frozen=True)
class Film:
    """The record beside every film: its scene, its encoding and the hashes that identify it.

    Args:
        scene: the scene that was filmed.
        size_px: side of the square frames.
        fps: frames per second.
        crf: H.264 quality.
        frames: number of frames.
        frames_sha256: hash of the raw frames before encoding; the same on every machine.
        file_sha256: hash of the MP4 file; the same for the same version of x264.
    """

    scene: Scene
    size_px: int
    fps: float
    crf: int
    frames: int
    frames_sha256: str
    file_sha256: str

    def to_json(self) -> str:
        """Return one line of JSON; equal films give equal bytes."""
        document = {f.name: getattr(self, f.name) for f in fields(self)} | {"scene": json.loads(self.scene.to_json())}
        return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)


def film(scene: Scene, path: str | Path, size_px: int = 448, fps: float = 2.0, crf: int = 18) -> Film:
    """Write the video of a scene to `path` and its record to the same name with the suffix .json.

    Frame i shows the scene at i / fps seconds. An old .json is removed first and the new one is written last, so its
    presence always marks a complete film.

    Args:
        scene: the scene to film.
        path: path of the MP4 file.
        size_px: side of the square frames; even.
        fps: frames per second.
        crf: H.264 quality, lower is better.

    Raises:
        ConfigError: the video would have no frame, or the size, fps, crf or path cannot be used.
        VideoError: `size_px` is odd.
    """
    moments, target = _moments(scene, fps), Path(path)
    check_target(target)
    beside = target.with_suffix(".json")
    beside.unlink(missing_ok=True)
    digest = hashlib.sha256()
    count = encode(_hashed(_frames(scene, size_px, moments), digest), target, fps, crf=crf, preset="veryfast")
    made = Film(scene, size_px, fps, crf, count, digest.hexdigest(), file_sha256(target))
    write_atomic(beside, made.to_json() + "\n")
    return made


def raw_sha256(scene: Scene, size_px: int, fps: float) -> str:
    """Render a scene again and return the hash of its raw frames, as in `Film.frames_sha256`."""
    digest = hashlib.sha256()
    for _ in _hashed(_frames(scene, size_px, _moments(scene, fps)), digest):
        pass
    return digest.hexdigest()


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_target(path: str | Path) -> None:
    """Check that a film can be written to `path`. Call it before long work.

    Raises:
        ConfigError: the name does not end in .mp4 or is a directory, or its folder is missing or not writable.
    """
    target = Path(path)
    check_writable(target)
    if target.suffix != ".mp4":
        raise ConfigError(f"a film named '{target}'", "a name ending in .mp4", "the .json beside it is the scene")
    check_writable(target.with_suffix(".json"))


def check_free(path: str | Path) -> None:
    """Check that `film` would not replace a file that LongPanda did not make.

    Raises:
        ConfigError: there is such a file at `path` or at the path of its record.
    """
    target = Path(path)
    taken = [f"'{file}'" for file in (target, target.with_suffix(".json")) if file.exists()]
    try:
        if taken:
            read_scene(target)
    except ConfigError as error:
        found = f"{' and '.join(taken)}, not made by LongPanda"
        raise ConfigError(found, "a new name, or that of an existing film", "choose another name") from error


def read_film(path: str | Path) -> Film:
    """Read the record that `film` wrote beside the video at `path`.

    Raises:
        ConfigError: the record is missing or invalid.
    """
    beside = Path(path).with_suffix(".json")
    if not beside.is_file():
        raise ConfigError(
            f"no file '{beside}'", "the record that film() wrote beside the video", "film the scene again"
        )
    try:
        document = json.loads(beside.read_text(encoding="utf-8"))
        return Film(**document | {"scene": Scene.from_json(json.dumps(document["scene"]))})
    except (ValueError, TypeError, KeyError) as error:
        raise ConfigError(
            f"'{beside}' is no record of a film ({error})", "the record that film() wrote", "film the scene again"
        ) from error


def read_scene(path: str | Path) -> Scene:
    """Return the scene of the video at `path`. Raises ConfigError under the same conditions as `read_film`."""
    return read_film(path).scene


def _hashed(frames: Iterator[Frames], digest: "hashlib._Hash") -> Iterator[Frames]:
    for frame in frames:
        digest.update(np.ascontiguousarray(frame).data)
        yield frame


def _moments(scene: Scene, fps: float) -> Seconds:
    """Return the time of each frame."""
    if not 0 < fps * scene.duration_seconds < float("inf") or int(fps * scene.duration_seconds) < 1:
        found = f"fps = {fps} for {scene.duration_seconds} s"
        raise ConfigError(found, "at least one frame in the video", "raise fps")
    return np.arange(int(fps * scene.duration_seconds)) / fps


def _frames(scene: Scene, size_px: int, moments: Seconds) -> Iterator[Frames]:
    """Yield frames, uint8 [S, S, 3], rendered one chunk at a time."""
    for start in range(0, len(moments), _CHUNK_FRAMES):
        yield from render(scene, moments[start : start + _CHUNK_FRAMES], size_px)
