"""Scenes and suites as annotated data: videos, conversations in JSONL, and a mixture that names both.

The conversations are natural language in the form of VideoChat-Flash, so that what trains on these files trains on any
other annotations in the same way.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from itertools import groupby, islice
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml

from longpanda.errors import ConfigError
from longpanda.files import not_writable, write_atomic
from longpanda.longwatch.families import FAMILIES, PRACTICE
from longpanda.longwatch.film import film
from longpanda.longwatch.generate import generate, generate_still
from longpanda.longwatch.limits import require_known
from longpanda.longwatch.scene import Scene
from longpanda.longwatch.splits import Split, scene_seed
from longpanda.types import Sample

CONVERSATIONS: Final = "conversations.jsonl"
MIXTURE: Final = "mixture.yaml"
VIDEOS: Final = "videos"
SETTINGS: Final = "clips.json"
"""File that says with which settings clips were generated."""
_NAMESPACE: Final = 0xC0257
_MOST_CLIPS: Final = 10**6
"""Room for the clips of one seed, so that seeds do not share any."""


def records_of(samples: Iterable[Sample], suffix: str, most_turns: int = 1) -> Iterator[dict[str, Any]]:
    """Questions as records of an annotation file.

    Args:
        samples: those of one video together.
        suffix: what `Sample.video` lacks of a file's name.
        most_turns: questions of one conversation about a video at most.
    """
    for video, asked in groupby(samples, lambda sample: sample.video):
        while some := list(islice(asked, most_turns)):
            turns = []
            for number, sample in enumerate(some):
                question = f"<video>\n{sample.question}" if number == 0 else sample.question
                turns += [{"from": "human", "value": question}, {"from": "gpt", "value": sample.target}]
            yield {"id": some[0].id, "video": f"{video}{suffix}", "conversations": turns}


def write_annotations(records: Iterable[dict[str, Any]], out: Path, frames_fps: float | None = None) -> None:
    """Write `CONVERSATIONS`, and `MIXTURE`, which marks the data set as complete.

    Args:
        records: of the annotation file.
        out: folder of the data set, which holds `VIDEOS`.
        frames_fps: frames per second of folders of frames; None for video files.
    """
    entry: dict[str, Any] = {"json_path": CONVERSATIONS, "sampling_strategy": "all", "data_root": VIDEOS}
    entry |= {} if frames_fps is None else {"video_read_type": "img", "frames_fps": frames_fps}
    write_atomic(out / CONVERSATIONS, "".join(json.dumps(record) + "\n" for record in records))
    write_atomic(out / MIXTURE, yaml.safe_dump({"datasets": [entry]}, sort_keys=False))


@dataclass(frozen=True)
class Clips:
    """Generated clips of the training split, and the questions about them.

    Args:
        count: number of clips; one whose scene has nothing to ask about is not in the conversations.
        seed: no two seeds share a clip.
        seconds: length of a clip.
        fps: frames per second.
        size_px: side of the square frames; even.
        families: question families.
        most_turns: questions of one conversation at most.
        stills: each clip shows one still scene; otherwise events follow each other.

    Raises:
        ConfigError: an unknown family, or numbers that make no clips.
    """

    count: int
    seed: int = 0
    seconds: float = 8.0
    fps: float = 1.0
    size_px: int = 96
    families: tuple[str, ...] = ("lamp_colour", "state", "card_count")
    most_turns: int = 4
    stills: bool = True

    def __post_init__(self) -> None:
        if not (1 <= self.count <= _MOST_CLIPS and self.seed >= 0 and self.seconds > 0 and self.most_turns >= 1):
            found = f"{self.count} clips of {self.seconds:g} s, seed {self.seed}, {self.most_turns} turns"
            expected = f"1 to {_MOST_CLIPS} clips longer than 0 s, a seed from 0, and at least 1 turn"
            raise ConfigError(found, expected, "change these numbers")
        require_known("family", self.families, {**FAMILIES, **PRACTICE})

    def scene(self, number: int) -> Scene:
        """Return what a clip shows."""
        seed = scene_seed(Split.TRAIN, self.seed * _MOST_CLIPS + number)
        if not self.stills:
            return generate(seed, self.seconds)
        cards = int(np.random.Generator(np.random.PCG64((_NAMESPACE, seed, 1))).integers(1, 3))
        return generate_still(seed, cards, self.seconds)

    def samples(self, scene: Scene, video: str) -> list[Sample]:
        """Return some questions about a clip."""
        rng = np.random.Generator(np.random.PCG64((_NAMESPACE, scene.seed)))
        kinds = [(FAMILIES | PRACTICE)[family] for family in self.families]
        asked = [sample for kind in kinds for sample in kind.ask(scene, rng)]
        chosen = [asked[i] for i in rng.permutation(len(asked))[: self.most_turns]]
        return [replace(sample, video=video, id="") for sample in chosen]


def generate_clips(clips: Clips, out: Path) -> Iterator[str]:
    """Write generated clips as an annotated data set. Existing clips are kept.

    Args:
        clips: what to write.
        out: folder of the data set: `VIDEOS`, `CONVERSATIONS` and, at last, `MIXTURE`.

    Yields:
        the name of each video once it is there.

    Raises:
        ConfigError: the folder cannot be written, or holds clips of other settings.
    """
    settings = json.dumps(asdict(clips), sort_keys=True) + "\n"
    _claim(out, settings)
    samples: list[Sample] = []
    for number in range(clips.count):
        scene, name = clips.scene(number), f"clip-{clips.seed}-{number:06d}"
        path = out / VIDEOS / f"{name}.mp4"
        if not path.with_suffix(".json").exists():
            film(scene, path, clips.size_px, clips.fps)
        samples += clips.samples(scene, name)
        yield path.name
    write_annotations(records_of(samples, ".mp4", clips.most_turns), out)


def _claim(out: Path, settings: str) -> None:
    """Make the folder, or find that it holds the same clips. Raises ConfigError."""
    try:
        (out / VIDEOS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise not_writable(out, error) from error
    stored = out / SETTINGS
    if stored.exists() and stored.read_text(encoding="utf-8") != settings:
        raise ConfigError(f"'{out}' holds clips of other settings", "a new folder", "use another --out, or delete it")
    write_atomic(stored, settings)
