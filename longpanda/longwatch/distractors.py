"""Wrong answers (distractors) that cannot be told from the right one without the video.

A guesser who knows how the benchmark is made must not find the right option by how it differs from the wrong ones.
Wrong answers are therefore drawn from the same distribution as the right one: numbers on other cards, intervals of
other cards at depths that the family asks about, random orders. No wrong answer is a small variation of the right one,
unless the wrong answers are variations of each other as well; otherwise the right one would be the one that all others
resemble.
"""

from collections import defaultdict
from collections.abc import Sequence
from math import factorial
from typing import Final

import numpy as np

from longpanda.longwatch.answers import NEVER, Choice, Slots, Span, TitleList, mentioned
from longpanda.longwatch.families import FAMILIES
from longpanda.longwatch.families.grounding import spelled
from longpanda.longwatch.families.story import answers_about
from longpanda.longwatch.intervals import RIGHT_IOU, Interval
from longpanda.longwatch.script import shuffled
from longpanda.longwatch.text import normalise
from longpanda.longwatch.world import CARD_COLOURS
from longpanda.types import Sample

_Template = tuple[str, str]
"""Names of a family and of one of its templates."""
_TRIES: Final = 100
"""Number of attempts after which a video is considered to have no room for another interval."""
_PEOPLE: Final = 3
"""Number of people that the options of a story are about."""


class Distractors:
    """Draws wrong answers to the questions of a suite.

    Args:
        samples: all questions of the suite; more questions provide more wrong answers.
    """

    def __init__(self, samples: Sequence[Sample]) -> None:
        self._of_video: dict[str, list[Sample]] = defaultdict(list)
        templates: dict[_Template, list[Sample]] = defaultdict(list)
        for sample in samples:
            self._of_video[sample.video].append(sample)
            templates[_template(sample)].append(sample)
        self._true = {name: {one.target for one in asked} for name, asked in templates.items()}
        self._evidence = {name: _evidence_of(asked) for name, asked in templates.items()}
        self._naming = {name for name, asked in templates.items() if _names_its_options(asked)}
        self._named = {sample.question: _fields(sample) for sample in samples}

    def of(self, sample: Sample, most: int, rng: np.random.Generator) -> list[str]:
        """Return up to `most` different wrong answers to a question, in random order; none of them is "never"."""
        match FAMILIES[sample.family].kind_of(_template(sample)[1]):
            case Span():
                return self._intervals(sample, most, rng)
            case TitleList():
                return _orders(sample.target, most, rng)
            case Slots():
                return _stories(sample, most, rng)
            case _:
                return self._of_a_closed_set(sample, most, rng)

    def _of_a_closed_set(self, sample: Sample, most: int, rng: np.random.Generator) -> list[str]:
        """Return answers from a closed set: those true of other questions about the video first, then the others."""
        asked = self._named[sample.question]
        others = [one for one in self._plausible(sample) if one not in (sample.target, NEVER, *asked.values())]
        shown = self._true_of_video(sample)
        near, far = ([one for one in others if (one in shown) == side] for side in (True, False))
        return [*shuffled(rng, near), *shuffled(rng, far)][:most]

    def _true_of_video(self, sample: Sample) -> set[str]:
        """Return answers of the same kind that are right for, or named in, another question about the video."""
        answers, found = _answers(sample), set[str]()
        for one in self._of_video[sample.video]:
            if one.target != NEVER and _answers(one) == answers:
                found |= {one.target, *self._named[one.question].values()}
        return found

    def _plausible(self, sample: Sample) -> list[str]:
        """Return the answers that could be right.

        These are the options that the question names, if its template names them; else the answers that are right for
        any question of the template, and the first 1/chance answers. The others would give the right answer away: of
        ten counts that a family can express, only five may ever be drawn.
        """
        if _template(sample) in self._naming:
            return _options_named(sample)
        answers, true = _answers(sample), self._true[_template(sample)]
        chance = sample.facts.chance or 0.0
        drawn = round(1 / chance) if chance > 0 else len(answers)
        return [one for i, one in enumerate(answers) if i < drawn or one in true]

    def _intervals(self, sample: Sample, most: int, rng: np.random.Generator) -> list[str]:
        """Return intervals in which other things of the same kind were shown, at depths that the family asks about.

        Each is the one nearest to an interval that another question of the family asks about, so that wrong and right
        intervals have the same distribution of depths and durations. If the video does not show enough, it is that
        interval itself, or one of the same length elsewhere.
        """
        minutes, shown = sample.minutes, self._shown(sample)
        models = self._evidence[_template(sample)].get(minutes) or shown
        taken = list(sample.evidence_seconds)
        found = list[Interval]()
        for _ in range(_TRIES * bool(models)):
            model = models[rng.integers(len(models))]
            free = [one for one in shown if not _clash(one, taken)]
            free = free or [one for one in (model, _moved(model, 60 * minutes, rng)) if not _clash(one, taken)]
            if free:
                found.append(min(free, key=lambda one: abs(sum(one) - sum(model))))
                taken.append(found[-1])
            if len(found) == most:
                break
        return [spelled(*one) for one in found]

    def _shown(self, sample: Sample) -> list[Interval]:
        """Return the intervals in which the video shows things of the kind that the question names."""
        kind, others = self._named[sample.question].keys(), self._of_video[sample.video]
        spans = {span for one in others if kind <= self._named[one.question].keys() for span in one.evidence_seconds}
        return sorted(spans)


def _template(sample: Sample) -> _Template:
    return sample.family, sample.facts.template


def _answers(sample: Sample) -> tuple[str, ...]:
    """Return the answers that can be right for the sample's template."""
    family, template = _template(sample)
    return FAMILIES[family].answers_to(template)


def _fields(sample: Sample) -> dict[str, str]:
    """Return the values of the template's fields in a question, such as a colour and a shape."""
    understood = FAMILIES[sample.family].understand(sample.question)
    return understood[1] if understood else {}


def _evidence_of(asked: Sequence[Sample]) -> dict[float, list[Interval]]:
    """Return the first evidence interval of every question, by the length of the video in minutes."""
    found: dict[float, list[Interval]] = defaultdict(list)
    for sample in asked:
        for span in sample.evidence_seconds[:1]:
            found[sample.minutes].append(span)
    return found


def _names_its_options(asked: Sequence[Sample]) -> bool:
    """Return whether every question of a template names its options: "Which came first, the ... or the ...?"."""
    family, template = _template(asked[0])
    if not isinstance(FAMILIES[family].kind_of(template), Choice):
        return False
    named = [_options_named(one) for one in asked]
    return all(len(names) > 1 and one.target in (*names, NEVER) for one, names in zip(asked, named, strict=True))


def _options_named(sample: Sample) -> list[str]:
    """Return the answers that the question itself names."""
    written = {normalise(answer): answer for answer in _answers(sample)}
    return [written[name] for name in dict.fromkeys(mentioned(sample.question, tuple(written.values())))]


def _stories(sample: Sample, most: int, rng: np.random.Generator) -> list[str]:
    """Return other answers about the three people who had the object, or about any three if nobody had it.

    All answers about three people are right equally often, and the options are a random choice of them. So neither the
    options, nor who had another object, nor knowing everyone who had the object reveals the right one.
    """
    named = sample.facts.people or sample.target.split(", ")
    shown = [name for name in named if name in CARD_COLOURS]
    people = list(dict.fromkeys([*shown, *shuffled(rng, CARD_COLOURS)]))[:_PEOPLE]
    return shuffled(rng, [one for one in answers_about(people) if one != sample.target])[:most]


def _orders(target: str, most: int, rng: np.random.Generator) -> list[str]:
    """Return the reversed true order, and other orders of the same items, each with its reverse.

    Every option has its reverse among the options, so that having one reveals nothing.
    """
    items = target.split(", ")
    pairs = min((most - 1) // 2, factorial(len(items)) // 2 - 1)
    orders = [items, items[::-1]]
    while len(orders) < 2 * (pairs + 1):
        order = shuffled(rng, items)
        if order not in orders:
            orders += [order, order[::-1]]
    return [", ".join(order) for order in orders[1:]]


def _moved(one: Interval, duration_seconds: float, rng: np.random.Generator) -> Interval:
    """Return an interval of the same length at a random position in the video."""
    start_seconds = float(rng.uniform(0, max(0.0, duration_seconds - one[1] + one[0])))
    return start_seconds, start_seconds + one[1] - one[0]


def _clash(one: Interval, others: Sequence[Interval]) -> bool:
    """Return whether an interval overlaps another so much that it would be marked right in its place."""
    for start, end in others:
        shared = max(0.0, min(one[1], end) - max(one[0], start))
        if shared >= RIGHT_IOU * (one[1] - one[0] + end - start - shared):
            return True
    return False
