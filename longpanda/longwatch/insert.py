"""Write a suite on real footage into its folder, one video at a time; an interrupted run continues where it stopped."""

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
from longpanda.longwatch.overlay import Tick, no_tick, overlay
from longpanda.longwatch.scene import Scene


@dataclass(frozen=True)
class Overlaid:
    """The record beside every video with cards: its source, its encoding and the hash that identifies it.

    Args:
        footage_sha256: hash of the footage under the cards.
        scene: the cards.
        height_px: height of the frames.
        width_px: width of the frames.
        fps: frames per second.
        crf: H.264 quality.
        frames: number of frames.
        file_sha256: hash of the MP4 file.
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
        """Return the record of an entry whose video is written."""
        footage, size_px = plan.footage[entry.index], plan.size_px(entry.index)
        return cls(footage.sha256, plan.scene(entry), *size_px, plan.fps, plan.crf, entry.frames, file_sha256)

    def to_json(self) -> str:
        """Return one line of JSON; equal records give equal bytes."""
        document: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        document["scene"] = json.loads(self.scene.to_json())
        return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)


def insert(plan: FootagePlan, videos: Sequence[Path], folder: Path, tick: Tick = no_tick) -> None:
    """Write the missing videos of the plan, then the questions, then the manifest, which marks the suite as complete.

    Args:
        plan: the suite.
        videos: the files of `plan.footage`, in the same order.
        folder: the suite's folder, for footage.json, videos/, questions.jsonl and manifest.json.
        tick: called with the number of frames that have been written since its last call.

    Raises:
        ConfigError: the folder holds another suite or other files, is being filled by another process, or cannot be
            written.
        VideoError: a video has no readable picture at some moment.
    """
    if len(videos) != len(plan.footage):
        raise ConfigError(counted(len(videos), "video"), f"the {len(plan.footage)} of the plan", "pass all of them")
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
    """Write the video, then its record with the hash of the video, which marks it as complete."""
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
