"""A suite: films of several lengths and the questions about them, all determined by one small plan."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import islice, zip_longest
from pathlib import Path
from typing import ClassVar, Final
from zlib import crc32

import numpy as np

from longpanda.errors import ConfigError
from longpanda.longwatch.families import FAMILIES
from longpanda.longwatch.gallery import gallery
from longpanda.longwatch.hall import hall
from longpanda.longwatch.limits import (
    SCENES_PER_SEED,
    require_known,
    require_lengths,
    require_pace,
    require_quality,
    require_seed,
)
from longpanda.longwatch.render import SMALLEST_PX
from longpanda.longwatch.scene import Scene
from longpanda.longwatch.script import LEVELS, Script
from longpanda.longwatch.splits import Split, scene_seed
from longpanda.longwatch.workshop import workshop
from longpanda.types import Sample

SUITE_VERSION: Final = 3
PLAN: Final = "suite.json"
"""Name of the plan's file in a suite's folder."""
FOOTAGE_PLAN: Final = "footage.json"
"""Name of the plan's file in a folder that `insert` wrote."""
DEFAULT_MINUTES: Final = (3.0, 10.0, 30.0, 60.0, 120.0)
SPLITS: Final = {"dev": Split.DEV, "report": Split.TEST, "private": Split.PRIVATE}
"""Public seeds to develop on, public seeds to report on, and private seeds that the evaluator keeps secret."""
QUESTIONS_PER_VIDEO: Final = 4
"""Questions of one family per video. A larger number would make a suite cheaper and its answers less independent."""
ROOM_SCRIPTS: Final = {"gallery": gallery, "workshop": workshop, "hall": hall}
_QUESTIONS_NAMESPACE: Final = 0xA5C


@dataclass(frozen=True)
class Entry:
    """One film of a suite.

    Args:
        room: room in which the scene takes place.
        index: number of its script among those of the room.
        minutes: length of the film.
    """

    room: str
    index: int
    minutes: float

    @property
    def name(self) -> str:
        """Name of the file without its suffix, and `Sample.video` of the questions about it."""
        return f"{self.room}-{self.index:04d}-{self.minutes:g}min"


@dataclass(frozen=True)
class SuitePlan:
    """Everything that determines a suite: equal plans give equal scenes, frames and questions.

    Args:
        minutes: the lengths, at most a day each; every script is filmed at every length.
        families: the question families.
        per_cell: number of questions for each family and length.
        seed: selects the scripts, 0 to 2**20 - 1.
        split: "dev", "report" or "private".
        level: pace of the events: "steady", "brisk" or "flash".
        size_px: side of the square frames; even.
        fps: frames per second.
        crf: H.264 quality.
        version: version of this format.

    Raises:
        ConfigError: an unknown family, split, level or version, or a number out of range.
    """

    FILE: ClassVar[str] = PLAN

    minutes: tuple[float, ...] = DEFAULT_MINUTES
    families: tuple[str, ...] = tuple(FAMILIES)
    per_cell: int = 200
    seed: int = 0
    split: str = "report"
    level: str = "steady"
    size_px: int = 448
    fps: float = 2.0
    crf: int = 28
    version: int = SUITE_VERSION

    def __post_init__(self) -> None:
        if self.version != SUITE_VERSION:
            raise ConfigError(f"a suite of version {self.version}", f"version {SUITE_VERSION}", "make the suite again")
        require_known("family", self.families, FAMILIES)
        require_known("split", (self.split,), SPLITS)
        require_known("level", (self.level,), LEVELS)
        require_lengths(self.minutes)
        require_seed(self.seed)
        if not self.per_cell >= 1:
            found = f"per_cell = {self.per_cell}"
            raise ConfigError(found, "at least 1 question for each family and length", "raise per_cell")
        require_pace(self.fps, self.level)
        require_quality(self.crf)
        if self.size_px < SMALLEST_PX or self.size_px % 2:
            expected = f"an even number of at least {SMALLEST_PX}"
            raise ConfigError(f"size_px = {self.size_px}", expected, "choose another size")

    @cached_property
    def scripts(self) -> dict[str, tuple[Script, ...]]:
        """By room, the smallest number of scripts with enough questions for every family."""
        rooms = {room: [name for name in self.families if FAMILIES[name].room == room] for room in ROOM_SCRIPTS}
        return {room: tuple(self._scripts(room, names)) for room, names in rooms.items() if names}

    def _scripts(self, room: str, families: list[str]) -> Iterator[Script]:
        missing, count = dict.fromkeys(families, self.per_cell), 0
        while count * QUESTIONS_PER_VIDEO < self.per_cell or any(left > 0 for left in missing.values()):
            seed = scene_seed(SPLITS[self.split], self.seed * SCENES_PER_SEED + count)
            script = ROOM_SCRIPTS[room](seed, LEVELS[self.level])
            yield script
            shortest, count = script.scene(60 * min(self.minutes)), count + 1
            for name in missing:
                missing[name] -= len(_topics(name, shortest))

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The films, the shortest first."""
        numbered = [(room, i) for room, scripts in self.scripts.items() for i in range(len(scripts))]
        return tuple(Entry(room, i, minutes) for minutes in sorted(self.minutes) for room, i in numbered)

    def scene(self, entry: Entry) -> Scene:
        """Return the scene that a film shows."""
        return self.scripts[entry.room][entry.index].scene(60 * entry.minutes)

    def samples(self) -> Iterator[Sample]:
        """Yield all questions, those about a film together. Questions of a family are spread evenly over films."""
        for minutes in sorted(self.minutes):
            films = [(entry, self.scene(entry)) for entry in self.entries if entry.minutes == minutes]
            chosen: dict[str, list[Sample]] = {entry.name: [] for entry, _ in films}
            for name in self.families:
                shown = [(entry, scene) for entry, scene in films if entry.room == FAMILIES[name].room]
                turns = zip_longest(*(_asked(name, scene, entry) for entry, scene in shown))
                every = (sample for turn in turns for sample in turn if sample is not None)
                for sample in islice(every, self.per_cell):
                    chosen[sample.video].append(sample)
            for samples in chosen.values():
                yield from samples

    def to_json(self) -> str:
        """Return the plan as JSON; equal plans give equal bytes."""
        return json.dumps(asdict(self), indent=2, sort_keys=True)

    @classmethod
    def read(cls, folder: Path) -> "SuitePlan":
        """Read the plan from a suite's folder.

        Raises:
            ConfigError: the folder holds no generated suite.
        """
        path = folder / PLAN
        if (folder / FOOTAGE_PLAN).is_file():
            found = f"'{folder}' holds real footage with cards, which cannot be generated from its plan"
            expected = "a folder that 'longpanda longwatch make' wrote"
            raise ConfigError(found, expected, "use only 'run' and 'report' on this folder")
        if not path.is_file():
            raise ConfigError(
                f"no file '{path}'", "a folder that 'longpanda longwatch make' wrote", "make a suite first"
            )
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            return cls(**values | {name: tuple(values[name]) for name in ("minutes", "families")})
        except (ValueError, TypeError, KeyError) as error:
            raise ConfigError(
                f"'{path}' is not the plan of a suite ({error})", "the plan that make wrote", "make the suite again"
            ) from error


def _rng(scene: Scene, family: str) -> np.random.Generator:
    """Return a generator that is the same at every length of a script, so that the same questions are asked."""
    return np.random.Generator(np.random.PCG64((_QUESTIONS_NAMESPACE, scene.seed, crc32(family.encode()))))


def _topics(family: str, scene: Scene) -> list[Sample]:
    """Return the questions of a family for tests, without those for training only, whose answers can be guessed."""
    samples = FAMILIES[family].ask(scene, _rng(scene, family))
    return [sample for sample in samples if not sample.facts.training_only]


def _asked(family: str, scene: Scene, entry: Entry) -> list[Sample]:
    """Return all questions of a family about one film in random order, with the facts that a report groups them by."""
    samples = _topics(family, scene)
    return [_of_entry(samples[i], scene, entry) for i in _rng(scene, family).permutation(len(samples))]


def _of_entry(sample: Sample, scene: Scene, entry: Entry) -> Sample:
    depth = sample.evidence_seconds[0][0] / scene.duration_seconds if sample.evidence_seconds else None
    facts = replace(sample.facts, minutes=entry.minutes, depth=depth, cluster=f"{scene.room}-{scene.seed}")
    return replace(sample, video=entry.name, facts=facts, id="")
