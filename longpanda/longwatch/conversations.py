"""Scenes and suites as annotated data: videos, conversations in JSONL, and a mixture that names both.

The conversations are natural language in the form of VideoChat-Flash, so that what trains on these files trains on any
other annotations in the same way.
"""

import json
from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml

from longpanda.errors import ConfigError
from longpanda.files import write_atomic
from longpanda.longwatch.families import FAMILIES, PRACTICE
from longpanda.longwatch.film import film
from longpanda.longwatch.generate import generate
from longpanda.longwatch.limits import require_known
from longpanda.longwatch.splits import Split, scene_seed
from longpanda.types import Sample

CONVERSATIONS: Final = "conversations.jsonl"
MIXTURE: Final = "mixture.yaml"
VIDEOS: Final = "videos"
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


def generate_clips(
    out: Path,
    count: int,
    seed: int = 0,
    *,
    seconds: float = 12.0,
    fps: float = 1.0,
    size_px: int = 96,
    families: tuple[str, ...] = ("needle", "order", "count", "state"),
    most_turns: int = 4,
) -> Iterator[str]:
    """Write generated clips of the training split as an annotated data set. Existing clips are kept.

    Args:
        out: folder of the data set: `VIDEOS`, `CONVERSATIONS` and, at last, `MIXTURE`.
        count: clips; one whose scene holds nothing to ask about is left out of the conversations.
        seed: no two seeds share a clip.
        seconds: length of a clip.
        fps: frames per second.
        size_px: side of the square frames; even.
        families: of questions.
        most_turns: questions of one conversation at most.

    Yields:
        the name of each video once it is there.

    Raises:
        ConfigError: an unknown family, numbers that make no clips, or a folder that cannot be written.
    """
    if not (1 <= count <= _MOST_CLIPS and seed >= 0 and seconds > 0 and most_turns >= 1):
        found = f"count={count}, seed={seed}, seconds={seconds}, most_turns={most_turns}"
        raise ConfigError(found, f"1 to {_MOST_CLIPS} clips, a seed from 0, a length above 0, 1 turn", "change them")
    require_known("family", families, {**FAMILIES, **PRACTICE})
    (out / MIXTURE).unlink(missing_ok=True)
    (out / VIDEOS).mkdir(parents=True, exist_ok=True)
    samples: list[Sample] = []
    for number in range(count):
        scene = generate(scene_seed(Split.TRAIN, seed * _MOST_CLIPS + number), seconds)
        name = f"clip-{seed}-{number:06d}"
        path = out / VIDEOS / f"{name}.mp4"
        if not path.with_suffix(".json").exists():
            film(scene, path, size_px, fps)
        rng = np.random.Generator(np.random.PCG64((_NAMESPACE, scene.seed)))
        kinds = [(FAMILIES | PRACTICE)[family] for family in families]
        asked = [sample for kind in kinds for sample in kind.ask(scene, rng)]
        chosen = [asked[i] for i in rng.permutation(len(asked))[:most_turns]]
        samples += [_of_clip(sample, name) for sample in chosen]
        yield path.name
    write_annotations(records_of(samples, ".mp4", most_turns), out)


def _of_clip(sample: Sample, video: str) -> Sample:
    return Sample(sample.question, sample.target, sample.family, video, sample.evidence_seconds, sample.facts)
