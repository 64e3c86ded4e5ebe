"""The plan of a suite on real footage: the videos, how much of each is used, and the cards inserted into them."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from re import sub
from typing import ClassVar, Final

import numpy as np

from longpanda.errors import ConfigError, counted
from longpanda.longwatch.deck import FOOTAGE_FAMILIES, deck, hands_for
from longpanda.longwatch.families import FAMILIES
from longpanda.longwatch.film import file_sha256
from longpanda.longwatch.limits import (
    SCENES_PER_SEED,
    require_each_once,
    require_known,
    require_pace,
    require_quality,
    require_seed,
)
from longpanda.longwatch.scene import Background, Scene, Shot
from longpanda.longwatch.script import LEVELS, MARGIN_SECONDS, Script
from longpanda.longwatch.splits import Split, scene_seed
from longpanda.longwatch.suite import FOOTAGE_PLAN
from longpanda.types import Sample
from longpanda.video import probe

FOOTAGE_VERSION: Final = 1
LEAST_SIDE_PX: Final = 112
"""Least length of the shorter side of the frames; the digits of a smaller card do not survive H.264."""
_QUESTIONS_NAMESPACE: Final = 0xF0A5
_LONGEST_STEM: Final = 40
_ROUNDING_SECONDS: Final = 1.0
"""A video may be shorter than a length by at most this much."""
_NO_SHOT: Final = (Shot(0.0, Background(0, 60.0, 60.0, 60.0, 0.0)),)
"""A scene needs a shot, although the background here is the footage."""


@dataclass(frozen=True)
class Footage:
    """One video that the user supplies.

    Args:
        name: name of the file, without folders.
        sha256: hash of the file.
        duration_seconds: duration of the video stream.
        height_px: displayed height.
        width_px: displayed width.
    """

    name: str
    sha256: str
    duration_seconds: float
    height_px: int
    width_px: int

    @classmethod
    def of(cls, path: Path) -> "Footage":
        """Probe and hash a file. Raises VideoError if it is not a video."""
        info = probe(path)
        return cls(path.name, file_sha256(path), info.duration_seconds, info.height_px, info.width_px)


@dataclass(frozen=True)
class FootageEntry:
    """One film to be written.

    Args:
        index: position of its footage in the plan.
        minutes: its length, by which reports group it.
        frames: number of frames.
        name: name of the file without its suffix, and `Sample.video` of the questions about it.
    """

    index: int
    minutes: float
    frames: int
    name: str


@dataclass(frozen=True)
class FootagePlan:
    """Everything that determines a suite on real footage, apart from the content of the footage.

    Args:
        footage: the videos.
        minutes: lengths of the films; every video is cut to each of them, with the same cards. () for the whole video.
        depths: where the needles start, as increasing shares of the video; () to spread them evenly.
        families: the question families.
        seed: selects the cards, 0 to 2**20 - 1.
        level: how long cards are shown: "steady", "brisk" or "flash".
        height_px: larger frames are scaled down to this height; None to keep their size.
        fps: frames per second.
        crf: H.264 quality.
        version: version of this format.

    Raises:
        ConfigError: an unknown family, level or version, a number out of range, or a video that is given twice, too
            small, too short for its cards or shorter than a length.
    """

    FILE: ClassVar[str] = FOOTAGE_PLAN

    footage: tuple[Footage, ...]
    minutes: tuple[float, ...] = ()
    depths: tuple[float, ...] = ()
    families: tuple[str, ...] = FOOTAGE_FAMILIES
    seed: int = 0
    level: str = "steady"
    height_px: int | None = None
    fps: float = 2.0
    crf: int = 28
    version: int = FOOTAGE_VERSION

    def __post_init__(self) -> None:
        if self.version != FOOTAGE_VERSION:
            raise ConfigError(f"footage of version {self.version}", f"version {FOOTAGE_VERSION}", "insert it again")
        require_known("family on footage", self.families, FOOTAGE_FAMILIES)
        require_known("level", (self.level,), LEVELS)
        require_each_once("length", [f"{minutes:g}" for minutes in self.minutes])
        require_seed(self.seed)
        require_pace(self.fps, self.level)
        require_quality(self.crf)
        self._check_each_once()
        for index, one in enumerate(self.footage):
            self._check_size(index, one)
            self._check_lengths(index, one)

    def _check_each_once(self) -> None:
        if not self.footage:
            raise ConfigError("no footage", "at least one video", "name a video")
        names: dict[str, str] = {}
        for one in self.footage:
            if one.sha256 in names:
                found = f"'{names[one.sha256]}' and '{one.name}', which are the same video"
                raise ConfigError(found, "each video once", "remove one of them")
            names[one.sha256] = one.name

    def _check_size(self, index: int, one: Footage) -> None:
        if min(self.size_px(index)) < LEAST_SIDE_PX:
            height_px, width_px = self.size_px(index)
            found = f"frames of {width_px}x{height_px} px for '{one.name}'"
            raise ConfigError(
                found, f"at least {LEAST_SIDE_PX} px each way", "use larger footage, or raise --height-px"
            )

    def _check_lengths(self, index: int, one: Footage) -> None:
        for minutes in self.minutes:
            if not 0 < 60 * minutes <= one.duration_seconds + _ROUNDING_SECONDS:
                found = f"a length of {counted(minutes, 'minute')} of '{one.name}'"
                expected = f"more than 0, and at most its {one.duration_seconds / 60:.1f} minutes"
                raise ConfigError(found, expected, "remove that length, or that video")
        (cards,) = self.scripts[index].tracks
        least_seconds, given_seconds = cards.shortest_seconds + MARGIN_SECONDS, self._seconds(index, self._shortest)
        if given_seconds < least_seconds:
            found = f"{given_seconds:.1f} s of '{one.name}'"
            expected = (
                f"at least {least_seconds:.1f} s for {counted(len(cards.events), 'card')} at the level '{self.level}'"
            )
            raise ConfigError(found, expected, "use longer footage, a faster --level, or fewer --depths")

    @property
    def _shortest(self) -> float | None:
        return min(self.minutes, default=None)

    def _seconds(self, index: int, minutes: float | None) -> float:
        """Return the length of a film, rounded down to whole frames."""
        all_seconds = self.footage[index].duration_seconds
        seconds = all_seconds if minutes is None else min(60 * minutes, all_seconds)
        return int(seconds * self.fps + 1e-6) / self.fps

    @cached_property
    def scripts(self) -> tuple[Script, ...]:
        """The cards of each video: as many as fit into its shortest length, so that all lengths have the same cards."""
        level = LEVELS[self.level]
        return tuple(
            deck(
                scene_seed(Split.PRIVATE, self.seed * SCENES_PER_SEED + index),
                level,
                hands_for(self._seconds(index, self._shortest), level, len(self.depths)),
                self.depths,
            )
            for index in range(len(self.footage))
        )

    def size_px(self, index: int) -> tuple[int, int]:
        """Return the height and width of a film's frames: both even, with the aspect ratio of the video."""
        one = self.footage[index]
        height_px = one.height_px if self.height_px is None else min(one.height_px, self.height_px)
        width_px = one.width_px * height_px / one.height_px
        return max(2, height_px // 2 * 2), max(2, int(width_px / 2 + 0.5) * 2)

    @property
    def entries(self) -> tuple[FootageEntry, ...]:
        """The films to be written, all lengths of a video together."""
        lengths: list[float | None] = [*sorted(self.minutes)] or [None]
        return tuple(self._entry(index, minutes) for index in range(len(self.footage)) for minutes in lengths)

    def _entry(self, index: int, minutes: float | None) -> FootageEntry:
        seconds = self._seconds(index, minutes)
        shown = _rounded(seconds / 60) if minutes is None else minutes
        stem = sub(r"[^\w-]+", "-", Path(self.footage[index].name).stem)[:_LONGEST_STEM]
        return FootageEntry(index, shown, round(seconds * self.fps), f"{index:04d}-{stem}-{shown:g}min")

    def scene(self, entry: FootageEntry) -> Scene:
        """Return the scene of the cards that a film shows in front of its footage."""
        return replace(self.scripts[entry.index].scene(entry.frames / self.fps), shots=_NO_SHOT)

    def samples(self) -> Iterator[Sample]:
        """Yield all questions, those about the same film together."""
        for entry in self.entries:
            scene = self.scene(entry)
            rng = np.random.Generator(np.random.PCG64((_QUESTIONS_NAMESPACE, scene.seed)))
            for family in self.families:
                yield from (self._about(sample, entry, scene) for sample in FAMILIES[family].ask(scene, rng))

    def _about(self, sample: Sample, entry: FootageEntry, scene: Scene) -> Sample:
        """Return a question with the facts that a report groups it by."""
        one = self.footage[entry.index]
        depth = sample.evidence_seconds[0][0] / scene.duration_seconds if sample.evidence_seconds else None
        facts = replace(
            sample.facts,
            minutes=entry.minutes,
            depth=depth,
            cluster=f"footage-{one.sha256[:16]}",
            footage=one.name,
        )
        return replace(sample, video=entry.name, facts=facts, id="")

    def to_json(self) -> str:
        """Return the plan as JSON; equal plans give equal bytes."""
        return json.dumps(asdict(self), indent=2, sort_keys=True)

    @classmethod
    def read(cls, folder: Path) -> "FootagePlan":
        """Read the plan from a folder that `insert` wrote.

        Raises:
            ConfigError: the folder holds no such plan.
        """
        path = folder / FOOTAGE_PLAN
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            lists = {name: tuple(values[name]) for name in ("minutes", "depths", "families")}
            return cls(**values | lists | {"footage": tuple(Footage(**one) for one in values["footage"])})
        except (OSError, ValueError, TypeError, KeyError) as error:
            found = f"'{path}' is not the plan of a suite on footage ({error})"
            expected = "the plan that 'longpanda longwatch insert' wrote"
            raise ConfigError(found, expected, "insert into a new folder") from error


def _rounded(minutes: float) -> float:
    """Round to whole minutes, below ten to tenths, so that a report groups films of similar length."""
    return float(round(minutes)) if minutes >= 10 else round(minutes, 1)
