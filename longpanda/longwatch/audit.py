"""Controls that would expose the benchmark if it could be guessed, and the oracle that shows it can be answered.

Every control answers every question from less than the video: nothing, the question's words, one frame, eight frames,
all frames in another order, or a bag of frames. What a control sees is read from the decoded film once, by the same
reader as the oracle's, so that a control fails for what is missing and not for how it looks. Two more say whether an
answer survives what must not change it: the video shown twice, and emptiness after it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Final

import numpy as np

from longpanda.longwatch.bag import BagOfFrames, looks_at
from longpanda.longwatch.families import FAMILIES, Family
from longpanda.longwatch.folder import read_questions
from longpanda.longwatch.manifest import VIDEOS
from longpanda.longwatch.oracle import LOOKS_PER_DWELL, Watched, answer, read_film_sights
from longpanda.longwatch.reader import Sight
from longpanda.longwatch.script import LEVELS
from longpanda.longwatch.suite import SuitePlan
from longpanda.longwatch.textonly import TextOnly, by_family, public_plan
from longpanda.types import Sample, Seconds

MARGIN: Final = 0.03
"""What a guess from the question's words may score above chance."""
LIFT: Final = 0.5
"""How much of the way from chance to the oracle a control may lead."""
ORACLE: Final = 0.99
EIGHT_FRAMES_MINUTES: Final = 10.0
"""From this length on eight frames, more than 75 s apart, must not be enough."""
TEXT_PAIRS: Final = 5000
BAG_PAIRS: Final = 1000
"""Questions of each family from which the words' and the frames' guesses are learned."""
_Z: Final = 1.959964


@dataclass(frozen=True)
class Control:
    """One way to answer from less than the video.

    Args:
        name: in the table.
        see: what is left of what was watched.
        bounds: whether a family is bounded by it at a length in minutes; else it is only shown.
    """

    name: str
    see: Callable[[Watched, np.random.Generator], Watched]
    bounds: Callable[[Family, float], bool]


def single(watched: Watched, rng: np.random.Generator) -> Watched:  # noqa: ARG001
    """The middle frame."""
    middle = len(watched.sights) // 2
    return watched.of(watched.sights[middle : middle + 1])


def eight(watched: Watched, rng: np.random.Generator) -> Watched:  # noqa: ARG001
    """Eight frames, each from the middle of an eighth."""
    return _at(watched, (np.arange(8) + 0.5) / 8)


def ends(watched: Watched, rng: np.random.Generator) -> Watched:  # noqa: ARG001
    """Eight frames, from the first to the last."""
    return _at(watched, np.linspace(0, 1, 8))


def _at(watched: Watched, depths: Seconds) -> Watched:
    last = len(watched.sights) - 1
    places = np.minimum((depths * len(watched.sights)).astype(int), last)
    return watched.of([watched.sights[i] for i in dict.fromkeys(places.tolist()) if i >= 0])


def shuffled(watched: Watched, rng: np.random.Generator) -> Watched:
    """All frames in random order, at even times."""
    order = rng.permutation(len(watched.sights))
    times = [moment for moment, _ in watched.sights]
    return watched.of([(moment, watched.sights[i][1]) for moment, i in zip(times, order, strict=True)])


def reversed_(watched: Watched, rng: np.random.Generator) -> Watched:  # noqa: ARG001
    """All frames from the last to the first, at even times."""
    times = [moment for moment, _ in watched.sights]
    sights = [sight for _, sight in reversed(watched.sights)]
    return watched.of(list(zip(times, sights, strict=True)))


def twice(watched: Watched, rng: np.random.Generator) -> Watched:  # noqa: ARG001
    """The video, and then the same again."""
    again = [(moment + watched.duration_seconds, sight) for moment, sight in watched.sights]
    return replace(watched, sights=watched.sights + again, duration_seconds=2 * watched.duration_seconds)


def padded(watched: Watched, rng: np.random.Generator) -> Watched:  # noqa: ARG001
    """The video, and then the empty room for as long."""
    nothing: list[tuple[float, Sight]] = [(moment + watched.duration_seconds, {}) for moment, _ in watched.sights]
    return replace(watched, sights=watched.sights + nothing, duration_seconds=2 * watched.duration_seconds)


CONTROLS: Final = (
    Control("single frame", single, lambda family, minutes: True),  # noqa: ARG005
    Control("eight frames", eight, lambda family, minutes: minutes >= EIGHT_FRAMES_MINUTES),  # noqa: ARG005
    Control("eight, ends", ends, lambda family, minutes: minutes >= EIGHT_FRAMES_MINUTES),  # noqa: ARG005
    Control("shuffled", shuffled, lambda family, minutes: family.needs_order),  # noqa: ARG005
    Control("reversed", reversed_, lambda family, minutes: family.needs_direction),  # noqa: ARG005
)
BAG: Final = Control("bag", lambda watched, rng: watched, lambda family, minutes: not family.one_look)  # noqa: ARG005
BOUNDED: Final = (*CONTROLS, BAG)
INVARIANCES: Final = {"twice": twice, "padded": padded}
"""What must leave the oracle's answers as they are, but that counts double when a video is shown twice."""


@dataclass(frozen=True)
class Row:
    """One family at one length in the table of the audit.

    Args:
        family: its name.
        minutes: the length.
        questions: how many were asked of the films.
        chance: share of right answers of the best constant answer to a question of its template.
        text_only: share of a classifier that was trained on other questions and their answers.
        oracle: share of the classical reader of pixels.
        controls: share of each of `BOUNDED`.
        invariances: share of the oracle's answers that stay right, of each of `INVARIANCES`.
        broken: the bounds that do not hold.
        unsure: the controls of which so few questions do not tell.
    """

    family: str
    minutes: float
    questions: int
    chance: float
    text_only: float
    oracle: float
    controls: dict[str, float]
    invariances: dict[str, float]
    broken: tuple[str, ...] = ()
    unsure: tuple[str, ...] = ()


def audit(folder: Path, seed: int = 0) -> Iterator[Row | str]:
    """Hold a suite against its bounds.

    Args:
        folder: of a complete suite.
        seed: of the shuffling.

    Returns:
        the name of every video once it is read, then one row for each family and length; nothing is learned or read
        before the first is asked for, but a folder that holds no complete suite is refused at once.

    Raises:
        ConfigError: the folder holds no complete suite.
        VideoError: a video cannot be read.
    """
    return _audited(SuitePlan.read(folder), read_questions(folder), folder, seed)


def _audited(plan: SuitePlan, samples: list[Sample], folder: Path, seed: int) -> Iterator[Row | str]:
    step_seconds = LEVELS[plan.level].dwell_seconds / LOOKS_PER_DWELL
    public = public_plan(plan, TEXT_PAIRS)
    pairs = by_family(public.samples())
    guesses = {family: TextOnly.of(asked) for family, asked in pairs.items()}
    bags = {family: _bag(public, asked[:BAG_PAIRS], step_seconds) for family, asked in pairs.items()}
    rng = np.random.default_rng(seed)
    right: dict[tuple[str, float], dict[str, list[float]]] = {}
    for video, group in groupby(samples, key=lambda sample: sample.video):
        watched = read_film_sights(folder / VIDEOS / f"{video}.mp4", step_seconds)
        for sample, scores in _answered(watched, list(group), bags, rng):
            cell = right.setdefault((sample.family, sample.minutes), defaultdict(list))
            for name, score in scores.items():
                cell[name].append(score)
        yield video
    for (family, minutes), cell in sorted(right.items()):
        shares = {name: float(np.mean(values)) for name, values in cell.items()}
        asked, guess, oracle = len(cell["oracle"]), guesses[family], shares.pop("oracle")
        invariances = {name: shares.pop(name) for name in INVARIANCES if name in shares}
        row = Row(family, minutes, asked, guess.constant, guess.trained, oracle, shares, invariances)
        yield replace(row, broken=tuple(_broken(row)), unsure=tuple(_unsure(row)))


def _bag(public: SuitePlan, samples: list[Sample], step_seconds: float) -> BagOfFrames:
    """Taught by the questions of one family about public videos."""
    entries = {entry.name: entry for entry in public.entries}
    videos = groupby(samples, key=lambda sample: sample.video)
    taught = [(looks_at(public.scene(entries[video]), step_seconds), list(asked)) for video, asked in videos]
    return BagOfFrames(samples[0].family, taught)


def _answered(
    watched: Watched, samples: list[Sample], bags: dict[str, BagOfFrames], rng: np.random.Generator
) -> Iterator[tuple[Sample, dict[str, float]]]:
    """Every sample of one video with what the oracle and each control score."""
    sees = {control.name: control.see for control in CONTROLS} | INVARIANCES
    scenes = {"oracle": watched.scene(), **{name: see(watched, rng).scene() for name, see in sees.items()}}
    bag = [list(sight.values()) for _, sight in watched.sights]
    for sample in samples:
        family = FAMILIES[sample.family]
        said = {name: answer(scene, sample.question) for name, scene in scenes.items()}
        said[BAG.name] = bags[sample.family].answer(sample.question, bag)
        if sample.facts.template in family.adds_up:
            del said["twice"]
        yield sample, {name: family.score(text, sample) for name, text in said.items()}


def _broken(row: Row) -> Iterator[str]:
    """The bounds of a row that surely do not hold: the whole 95 % interval lies beyond."""
    certain = {"oracle": row.oracle, **row.invariances}
    for name, share in certain.items():
        if _interval(share, row.questions)[1] < ORACLE:
            yield f"{name} below {ORACLE:.0%}"
    if row.text_only > row.chance + MARGIN:
        yield f"text only more than {MARGIN:.0%} above chance"
    for name, (low, _) in _bounded(row).items():
        if low > _most(row):
            yield f"{name} more than half the way to the oracle"


def _unsure(row: Row) -> Iterator[str]:
    """The bounds of which so few questions cannot tell whether they hold."""
    for name, (low, high) in _bounded(row).items():
        if low <= _most(row) < high:
            yield name


def _most(row: Row) -> float:
    return row.chance + LIFT * (row.oracle - row.chance)


def _bounded(row: Row) -> dict[str, tuple[float, float]]:
    """The intervals of the controls that a bound applies to."""
    names = [control.name for control in BOUNDED if control.bounds(FAMILIES[row.family], row.minutes)]
    return {name: _interval(row.controls[name], row.questions) for name in names}


def _interval(share: float, questions: int) -> tuple[float, float]:
    """Wilson's."""
    centre = (share + _Z**2 / (2 * questions)) / (1 + _Z**2 / questions)
    half = _Z / (1 + _Z**2 / questions) * (share * (1 - share) / questions + _Z**2 / (4 * questions**2)) ** 0.5
    return centre - half, centre + half
