"""A suite's folder on real footage: filled one video at a time, gone on with after any interruption."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from longpanda.errors import ConfigError, counted
from longpanda.files import write_atomic
from longpanda.longwatch.film import file_sha256
from longpanda.longwatch.folder import claimed, complete
from longpanda.longwatch.footage import FootageEntry, FootagePlan
from longpanda.longwatch.manifest import MANIFEST, VIDEOS
from longpanda.longwatch.overlay import Tick, overlay, unwatched
from longpanda.longwatch.scene import Scene


@dataclass(frozen=True)
class Overlaid:
    """What lies beside every video with cards: how it was made, to know it again.

    Args:
        footage_sha256: of the file that the cards lie over.
        scene: the cards.
        height_px: of the frames.
        width_px: of the frames.
        fps: frames per second.
        crf: H.264 quality.
        frames: how many.
        file_sha256: of the MP4 file.
    """

    footage_sha256: str
    scene: Scene
    height_px: int
    width_px: int
    fps: float
    crf: int
    frames: int
    file_sha256: str

    @classmethod
    def of(cls, plan: FootagePlan, entry: FootageEntry, file_sha256: str) -> "Overlaid":
        """The record of an entry whose file is there."""
        footage, size_px = plan.footage[entry.index], plan.size_px(entry.index)
        return cls(footage.sha256, plan.scene(entry), *size_px, plan.fps, plan.crf, entry.frames, file_sha256)

    def to_json(self) -> str:
        """One line of JSON; equal records give equal bytes."""
        document: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        document["scene"] = json.loads(self.scene.to_json())
        return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)


def insert(plan: FootagePlan, videos: Sequence[Path], folder: Path, tick: Tick = unwatched) -> None:
    """Write every video of the plan that is missing, then the questions and the manifest, which marks the folder whole.

    Args:
        plan: which cards over what.
        videos: the files of `plan.footage`, in its order.
        folder: where they go: footage.json, videos/, questions.jsonl, manifest.json.
        tick: called with a number of frames when they are there.

    Raises:
        ConfigError: the folder holds another suite or other files, is being filled by another process, or cannot be
            written.
        VideoError: a video shows nothing that can be read at some moment.
    """
    if len(videos) != len(plan.footage):
        raise ConfigError(counted(len(videos), "video"), f"the {len(plan.footage)} of the plan", "name those")
    with claimed(plan, folder):
        missing = [entry for entry in plan.entries if not _is_there(plan, entry, folder)]
        if missing:
            (folder / MANIFEST).unlink(missing_ok=True)
        for entry in plan.entries:
            if entry in missing:
                _write(plan, entry, videos[entry.index], folder, tick)
            else:
                tick(entry.frames)
        complete(plan, folder)


def _write(plan: FootagePlan, entry: FootageEntry, video: Path, folder: Path, tick: Tick) -> None:
    """The video, then its record with the video's hash, which marks it as whole."""
    target = folder / VIDEOS / f"{entry.name}.mp4"
    overlay(video, target, plan.scene(entry), plan.size_px(entry.index), plan.fps, plan.crf, tick)
    write_atomic(target.with_suffix(".json"), Overlaid.of(plan, entry, file_sha256(target)).to_json() + "\n")


def _is_there(plan: FootagePlan, entry: FootageEntry, folder: Path) -> bool:
    target = folder / VIDEOS / f"{entry.name}.mp4"
    try:
        wanted = Overlaid.of(plan, entry, file_sha256(target)).to_json() + "\n"
        return target.with_suffix(".json").read_text(encoding="utf-8") == wanted
    except (OSError, UnicodeDecodeError):
        return False
