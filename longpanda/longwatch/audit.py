"""Audit of a suite: controls that would show if its questions could be guessed, and the oracle that can answer them.

Every control answers every question from less than the video: nothing, the words of the question, one frame, eight
frames, all frames in another order, or a bag of frames. The decoded film is read once, for the controls and the oracle
alike, so that a control fails because information is missing and not because it reads frames badly. Two invariances
check that answers survive changes that must not affect them: the film shown twice, and followed by an empty room.
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
from longpanda.longwatch.oracle import LOOKS_PER_DWELL, ReadFilm, answer, read_film_sights
from longpanda.longwatch.reader import Sight
from longpanda.longwatch.script import LEVELS
from longpanda.longwatch.suite import SuitePlan
from longpanda.longwatch.textonly import TextOnly, by_family, public_plan
from longpanda.types import Sample, Seconds

MARGIN: Final = 0.03
"""Most that a guess from the question's words may score above chance."""
LIFT: Final = 0.5
"""Most of the way from chance to the oracle that a control may reach."""
ORACLE: Final = 0.99
"""Least accuracy of the oracle and of the invariances."""
EIGHT_FRAMES_MINUTES: Final = 10.0
"""From this length on, eight frames, which are then more than 75 s apart, must not be enough."""
TEXT_PAIRS: Final = 5000
BAG_PAIRS: Final = 1000
"""Number of questions of each family on which the guessers from words and from a bag of frames are trained."""
_Z: Final = 1.959964


@dataclass(frozen=True)
class Control:
    """A way to answer from less than the video.

    Args:
        name: name in the table.
        see: reduces what was watched to what the control sees.
        bounds: returns whether the control is a bound for a family at a length in minutes; otherwise it is only shown.
    """

    name: str
    see: Callable[[ReadFilm, np.random.Generator], ReadFilm]
    bounds: Callable[[Family, float], bool]


def single(watched: ReadFilm, rng: np.random.Generator) -> ReadFilm:  # noqa: ARG001
    """Keep the middle frame."""
    middle = len(watched.sights) // 2
    return watched.of(watched.sights[middle : middle + 1])


def eight(watched: ReadFilm, rng: np.random.Generator) -> ReadFilm:  # noqa: ARG001
    """Keep eight frames, each from the middle of an eighth of the film."""
    return _at(watched, (np.arange(8) + 0.5) / 8)


def ends(watched: ReadFilm, rng: np.random.Generator) -> ReadFilm:  # noqa: ARG001
    """Keep eight evenly spaced frames, from the first to the last."""
    return _at(watched, np.linspace(0, 1, 8))


def _at(watched: ReadFilm, depths: Seconds) -> ReadFilm:
    last = len(watched.sights) - 1
    places = np.minimum((depths * len(watched.sights)).astype(int), last)
    return watched.of([watched.sights[i] for i in dict.fromkeys(places.tolist()) if i >= 0])


def shuffled_frames(watched: ReadFilm, rng: np.random.Generator) -> ReadFilm:
    """Put all frames in random order, at the original times."""
    order = rng.permutation(len(watched.sights))
    times = [moment for moment, _ in watched.sights]
    return watched.of([(moment, watched.sights[i][1]) for moment, i in zip(times, order, strict=True)])


def reversed_frames(watched: ReadFilm, rng: np.random.Generator) -> ReadFilm:  # noqa: ARG001
    """Reverse the order of the frames, at the original times."""
    times = [moment for moment, _ in watched.sights]
    sights = [sight for _, sight in reversed(watched.sights)]
    return watched.of(list(zip(times, sights, strict=True)))


def twice(watched: ReadFilm, rng: np.random.Generator) -> ReadFilm:  # noqa: ARG001
    """Repeat the film once."""
    again = [(moment + watched.duration_seconds, sight) for moment, sight in watched.sights]
    return replace(watched, sights=watched.sights + again, duration_seconds=2 * watched.duration_seconds)


def padded(watched: ReadFilm, rng: np.random.Generator) -> ReadFilm:  # noqa: ARG001
    """Append an empty room of the same length as the film."""
    nothing: list[tuple[float, Sight]] = [(moment + watched.duration_seconds, {}) for moment, _ in watched.sights]
    return replace(watched, sights=watched.sights + nothing, duration_seconds=2 * watched.duration_seconds)


CONTROLS: Final = (
    Control("single frame", single, lambda family, minutes: True),  # noqa: ARG005
    Control("eight frames", eight, lambda family, minutes: minutes >= EIGHT_FRAMES_MINUTES),  # noqa: ARG005
    Control("eight, ends", ends, lambda family, minutes: minutes >= EIGHT_FRAMES_MINUTES),  # noqa: ARG005
    Control("shuffled", shuffled_frames, lambda family, minutes: family.needs_order),  # noqa: ARG005
    Control("reversed", reversed_frames, lambda family, minutes: family.needs_direction),  # noqa: ARG005
)
BAG: Final = Control("bag", lambda watched, rng: watched, lambda family, minutes: not family.one_look)  # noqa: ARG005
BOUNDED: Final = (*CONTROLS, BAG)
INVARIANCES: Final = {"twice": twice, "padded": padded}
"""Changes that must not affect the oracle's answers, except that counts double when a film is shown twice."""


@dataclass(frozen=True)
class Row:
    """One family at one length in the table of the audit.

    Args:
        family: name of the family.
        minutes: the length.
        questions: number of questions asked about the films.
        chance: accuracy of the best constant answer to each template.
        text_only: accuracy of a classifier trained on the words of other questions and their answers.
        oracle: accuracy of the classical reader of pixels.
        controls: accuracy of each of `BOUNDED`.
        invariances: accuracy of the oracle under each of `INVARIANCES`.
        broken: the bounds that do not hold.
        unsure: the controls for which there are too few questions to decide.
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
    """Check a suite against its bounds.

    Args:
        folder: folder of a complete suite.
        seed: seed of the shuffling.

    Returns:
        An iterator over the name of every film once it has been read, and then over one row for each family and length.
        The folder is checked at once; training and reading start with the first item.

    Raises:
        ConfigError: the folder holds no complete suite.
        VideoError: a film cannot be read.
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
    """Train a bag of frames on the questions of one family about public films."""
    entries = {entry.name: entry for entry in public.entries}
    videos = groupby(samples, key=lambda sample: sample.video)
    examples = [(looks_at(public.scene(entries[video]), step_seconds), list(asked)) for video, asked in videos]
    return BagOfFrames(samples[0].family, examples)


def _answered(
    watched: ReadFilm, samples: list[Sample], bags: dict[str, BagOfFrames], rng: np.random.Generator
) -> Iterator[tuple[Sample, dict[str, float]]]:
    """Yield every sample about one film with the scores of the oracle and of each control."""
    views = {control.name: control.see for control in CONTROLS} | INVARIANCES
    scenes = {"oracle": watched.scene(), **{name: see(watched, rng).scene() for name, see in views.items()}}
    bag = [list(sight.values()) for _, sight in watched.sights]
    for sample in samples:
        family = FAMILIES[sample.family]
        answers = {name: answer(scene, sample.question) for name, scene in scenes.items()}
        answers[BAG.name] = bags[sample.family].answer(sample.question, bag)
        if sample.facts.template in family.adds_up:
            del answers["twice"]
        yield sample, {name: family.score(text, sample) for name, text in answers.items()}


def _broken(row: Row) -> Iterator[str]:
    """Yield the bounds of a row that are violated significantly: the whole 95 % interval lies beyond the bound."""
    shares = {"oracle": row.oracle, **row.invariances}
    for name, share in shares.items():
        if _interval(share, row.questions)[1] < ORACLE:
            yield f"{name} below {ORACLE:.0%}"
    if row.text_only > row.chance + MARGIN:
        yield f"text only more than {MARGIN:.0%} above chance"
    for name, (low, _) in _bounded(row).items():
        if low > _bound(row):
            yield f"{name} more than half the way to the oracle"


def _unsure(row: Row) -> Iterator[str]:
    """Yield the controls whose 95 % interval contains the bound."""
    for name, (low, high) in _bounded(row).items():
        if low <= _bound(row) < high:
            yield name


def _bound(row: Row) -> float:
    """Return the highest accuracy that a control may reach."""
    return row.chance + LIFT * (row.oracle - row.chance)


def _bounded(row: Row) -> dict[str, tuple[float, float]]:
    """Return the intervals of the controls that are bounds for the row."""
    names = [control.name for control in BOUNDED if control.bounds(FAMILIES[row.family], row.minutes)]
    return {name: _interval(row.controls[name], row.questions) for name in names}


def _interval(share: float, questions: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval."""
    centre = (share + _Z**2 / (2 * questions)) / (1 + _Z**2 / questions)
    half = _Z / (1 + _Z**2 / questions) * (share * (1 - share) / questions + _Z**2 / (4 * questions**2)) ** 0.5
    return centre - half, centre + half
