"""Scenes as training data: clips rendered to arrays, with their questions and the content of every cell."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from longpanda.errors import ConfigError, nearest
from longpanda.longwatch import world
from longpanda.longwatch.events import Card, Lamp, Move
from longpanda.longwatch.families import FAMILIES, PRACTICE, vocabulary
from longpanda.longwatch.gallery import gallery
from longpanda.longwatch.generate import generate, generate_still
from longpanda.longwatch.limits import LONGEST_MINUTES, require_known
from longpanda.longwatch.render import SMALLEST_PX, render
from longpanda.longwatch.scene import Scene
from longpanda.longwatch.script import Level
from longpanda.longwatch.splits import Split, scene_seed
from longpanda.types import Example, Sample, VideoClip

CELL_ATTRIBUTES: dict[str, int] = {
    "colour": 1 + len(world.CARD_COLOURS),
    "shape": 1 + len(world.SHAPES),
    "tens": 10,
    "units": 11,
    "lamp": 1 + len(world.LAMP_COLOURS),
    "object": 1 + len(world.OBJECTS),
}
"""The labels of a cell, with the number of classes of each. Class 0 is "none"."""
LABEL_GRID: Final = (3, 3)
"""Rows and columns of the world's cells."""

DWELL_STEPS: Final = 2.0
"""Least duration of an event in a gallery film, in steps between frames."""
GALLERY_FRAMES: Final = 24
"""Number of frames for which a gallery script always fits into a film at that pace."""

_MOST_STILLS = 64
"""Most stills in a clip. A clip's first seed is a multiple of it, so that no two clips share a still."""

SCENES_PER_STAGE: Final = 10**8
"""Seeds reserved for one stage, so that no two stages share a scene."""

_MOST_DRAWS = 200
"""Scenes tried for one example: enough even if only one clip in ten has a question."""


@dataclass(frozen=True)
class LongWatchData:
    """Training data from the generated world: questions with exact answers, and labels of what each cell shows.

    Args:
        frames: clip lengths to draw from, in frames.
        stills: whether every frame shows a still scene of its own, with cards; otherwise a clip is one film.
        still_cards: most cards on a still; the fewest is one. The content of five full cells is hard to keep in one
            token (docs/log.md).
        scenes: scenes of the films: "generate" for short scenes with few events, or "gallery" for a whole script of the
            benchmark, spread over the clip, with each event visible for at least two steps.
        start_minutes: half of the films start at a random moment up to this one, like parts of a long video; the other
            half start at 0.
        step_seconds: shortest and longest time between two frames.
        families: question families; if empty, only the labels of the cells are trained on.
        questions: most questions per clip and family.
        size_px: side of the frames; null is the side of the model's frames.
        kind: name of this kind of data in a recipe.

    Raises:
        ConfigError: a family or kind of scenes is unknown, or a number is out of range.
    """

    frames: tuple[int, ...] = (24,)
    stills: bool = False
    still_cards: int = len(world.CARD_CELLS)
    scenes: str = "generate"
    start_minutes: float = 0.0
    step_seconds: tuple[float, float] = (5.0, 8.0)
    families: tuple[str, ...] = ()
    questions: int = 6
    size_px: int | None = None
    kind: str = field(default="longwatch", init=False)

    def __post_init__(self) -> None:
        known = {**FAMILIES, **PRACTICE}
        for name in self.families:
            if name not in known:
                raise ConfigError(f"family '{name}'", "a family of LongWatch", nearest(name, known))
        self._require(min(self.frames, default=0) >= 1, "frames", "clip lengths of at least 1")
        self._require(self.questions >= 1, "questions", "at least 1")
        self._require(1 <= self.still_cards <= len(world.CARD_CELLS), "still_cards", f"1 to {len(world.CARD_CELLS)}")
        self._require(0 <= self.start_minutes <= LONGEST_MINUTES, "start_minutes", f"0 to {LONGEST_MINUTES:g}")
        shortest, longest = self.step_seconds
        self._require(0 < shortest <= longest < math.inf, "step_seconds", "above 0, the shortest first")
        self._require(self.size_px is None or self.size_px >= SMALLEST_PX, "size_px", f"at least {SMALLEST_PX}")
        require_known("kind of scenes", (self.scenes,), _FILMS)
        self._check_clips()

    def _check_clips(self) -> None:
        """Raise ConfigError if fields contradict each other."""
        if self.stills and max(self.frames) > _MOST_STILLS:
            raise ConfigError(f"clips of {max(self.frames)} stills", f"at most {_MOST_STILLS}", "lower frames")
        if self.stills and self.families and max(self.frames) > 1:
            raise ConfigError("questions on clips of several stills", "frames: [1]", "ask about one still at a time")
        if self.scenes == "gallery" and (self.stills or min(self.frames) < GALLERY_FRAMES):
            found = f"frames={self.frames}, stills={self.stills} of gallery scenes"
            raise ConfigError(found, f"films of at least {GALLERY_FRAMES} frames", "show more, or scenes: generate")

    def _require(self, holds: bool, name: str, expected: str) -> None:
        if not holds:
            raise ConfigError(f"{name}={getattr(self, name)}", expected, f"change {name}")

    @property
    def asks(self) -> bool:
        """Whether there are questions to train on."""
        return bool(self.families)

    @property
    def label_classes(self) -> Mapping[str, int]:
        """The labels of a cell, with the number of classes of each."""
        return CELL_ATTRIBUTES

    @property
    def label_grid(self) -> tuple[int, int]:
        """Rows and columns of cells that are labelled in a frame."""
        return LABEL_GRID

    def vocabulary(self) -> Iterable[str]:
        """Return all words of questions and answers."""
        return vocabulary()

    def source(self, count: int, number: int, size_px: int) -> "LongWatchExamples":
        """Return the examples of a run's `number`-th stage, from scenes that no other stage uses.

        Args:
            count: number of examples.
            number: number of the stage.
            size_px: side of the frames if `self.size_px` is None.

        Raises:
            ConfigError: `count` is below 1.
        """
        return LongWatchExamples(self, count, number * SCENES_PER_STAGE, self.size_px or size_px)


@dataclass(frozen=True)
class LongWatchExamples:
    """The examples of a stage. An index gives the same example in every process, so that training resumes exactly.

    Args:
        data: settings of clips and questions.
        count: number of examples.
        first_index: index of their first scene in the training split.
        size_px: side of the frames.
    """

    data: LongWatchData
    count: int
    first_index: int = 0
    size_px: int = 96

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ConfigError(f"count={self.count} examples", "at least 1", "train for more steps")

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Example:
        """Return the `index`-th example. Its scene, moments and wording are determined by its seed.

        If there are question families, every example has a question: a batch without one would leave the language model
        without gradient, and training on several processes would wait for it. A scene without a question is replaced by
        one from beyond the last scene of the stage.

        Raises:
            IndexError: there is no such example, which ends a loop over the stage.
            ConfigError: no scene has a question.
        """
        data = self.data
        if not 0 <= index < self.count:
            raise IndexError(f"example {index} of {self.count}")
        for draw in range(_MOST_DRAWS):
            example = self._draw(self.first_index + index + draw * self.count)
            if example.samples or not data.families:
                return example
        found = f"{_MOST_DRAWS} clips of {data.frames} frames without a question of {', '.join(data.families)}"
        raise ConfigError(found, "families that short clips can answer", "show more frames, or ask other families")

    def _draw(self, number: int) -> Example:
        """Draw the example of the `number`-th scene of the training split, which may have no question."""
        data = self.data
        seed = scene_seed(Split.TRAIN, number)
        rng = np.random.Generator(np.random.PCG64((0x1E550, seed)))
        frames = int(rng.choice(data.frames))
        if data.stills:
            seeds = [scene_seed(Split.TRAIN, number * _MOST_STILLS + i) for i in range(frames)]
            scene, clip, labels = _stills(seeds, rng, data, self.size_px)
        else:
            scene, clip, labels = _film(seed, rng, frames, data, self.size_px)
        samples = [sample for name in data.families for sample in _draw_samples(name, scene, rng, data.questions)]
        return Example(clip, tuple(samples), labels)


def _stills(
    seeds: list[int], rng: np.random.Generator, data: LongWatchData, size_px: int
) -> tuple[Scene, VideoClip, npt.NDArray[np.int64]]:
    """Return the first scene, a clip of all the still scenes, and its cell labels."""
    scenes = [generate_still(seed, int(rng.integers(1, 1 + data.still_cards))) for seed in seeds]
    span = scenes[0].duration_seconds
    moments = rng.uniform(0, span, len(scenes))
    shown = list(zip(scenes, moments[:, None], strict=True))
    pixels = np.concatenate([render(scene, moment, size_px) for scene, moment in shown])
    labels = np.concatenate([cell_labels(scene, moment) for scene, moment in shown])
    return scenes[0], VideoClip(pixels, moments + np.arange(len(scenes)) * span, span * len(scenes)), labels


def _film(
    seed: int, rng: np.random.Generator, frames: int, data: LongWatchData, size_px: int
) -> tuple[Scene, VideoClip, npt.NDArray[np.int64]]:
    """Return a scene, a clip of it at even steps, and its cell labels."""
    step = rng.uniform(*data.step_seconds)
    moments = (rng.uniform() + np.arange(frames, dtype=np.float64)) * step
    scene = _FILMS[data.scenes](seed, frames, step)
    if data.start_minutes and rng.integers(2):
        start_seconds = round(rng.uniform(0, 60 * data.start_minutes), 3)
        scene, moments = later(scene, start_seconds), moments + start_seconds
    clip = VideoClip(render(scene, moments, size_px), moments, scene.duration_seconds)
    return scene, clip, cell_labels(scene, moments)


def _generated(seed: int, frames: int, step_seconds: float) -> Scene:
    return generate(seed, frames * step_seconds)


def paced_gallery(seed: int, frames: int, step_seconds: float) -> Scene:
    """Return a gallery scene for a number of frames, slow enough that frames at that step miss nothing.

    Raises:
        ConfigError: the script does not fit, as with fewer than about `GALLERY_FRAMES` frames.
    """
    return gallery(seed, Level("paced", DWELL_STEPS * step_seconds)).scene(frames * step_seconds)


_FILMS: Final = {"generate": _generated, "gallery": paced_gallery}


def later(scene: Scene, seconds: float) -> Scene:
    """Return a longer scene in which nothing happens before this one."""
    events = tuple(
        replace(
            event,
            start_seconds=round(event.start_seconds + seconds, 3),
            end_seconds=round(event.end_seconds + seconds, 3),
        )
        for event in scene.events
    )
    first, *shots = scene.shots
    shots = [replace(shot, start_seconds=shot.start_seconds + seconds) for shot in shots]
    duration_seconds = scene.duration_seconds + seconds
    return replace(scene, duration_seconds=duration_seconds, shots=(first, *shots), events=events)


def _draw_samples(family: str, scene: Scene, rng: np.random.Generator, most: int) -> list[Sample]:
    samples = {**FAMILIES, **PRACTICE}[family].ask(scene, rng)
    return [samples[i] for i in sorted(rng.permutation(len(samples))[:most])]


def cell_labels(scene: Scene, moments: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return the labels of each of the 3 x 3 cells at each moment: int64 [T, 3, 3, A], classes of `CELL_ATTRIBUTES`."""
    labels = np.zeros((len(moments), LABEL_GRID[0] * LABEL_GRID[1], len(CELL_ATTRIBUTES)), np.int64)
    for event in scene.events:
        shown = (moments >= event.start_seconds) & (moments < event.end_seconds)
        match event:
            case Card():
                tens, units = divmod(event.number, 10)
                colour, shape = world.CARD_COLOURS.index(event.colour), world.SHAPES.index(event.shape)
                labels[shown, event.cell, :4] = (1 + colour, 1 + shape, tens, 1 + units)
            case Lamp():
                labels[shown, world.LAMP_CELL, 4] = 1 + world.LAMP_COLOURS.index(event.colour)
            case Move():
                cell = 3 * world.BOX_ROW + world.PLACES.index(event.place)
                labels[shown, cell, 5] = 1 + world.OBJECTS.index(event.thing)
    return labels.reshape(len(moments), *LABEL_GRID, -1)
