"""Wrong answers that nothing but the video tells from the right one.

A guesser who knows the benchmark by heart must not find the right option by how it differs from the wrong ones. So
wrong answers are drawn as the right one was: numbers of other cards, intervals of other cards at depths that the family
asks about, orders that are as random as the true one. None is a small change of the right one, which would be the one
that all others resemble, unless they are small changes of each other as well.
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
from longpanda.longwatch.script import shuffled
from longpanda.longwatch.text import normalise
from longpanda.longwatch.world import CARD_COLOURS
from longpanda.types import Sample

Interval = tuple[float, float]
"""Start and end in seconds."""
_Template = tuple[str, str]
"""A family and one of its templates."""
_TRIES: Final = 100
"""After which a video is taken to have no room for one more interval."""
_TOO_MUCH: Final = 0.5
"""From this intersection over union on, two intervals would be right for the same question."""

_PEOPLE: Final = 3
"""To whom the options of a story belong."""


class Distractors:
    """Wrong answers to the questions of a suite.

    Args:
        samples: all questions of the suite; more questions know of more wrong answers.
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
        """Up to `most` wrong answers to one of the questions, in random order, all different; none is "never"."""
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
        """True answers to other questions about the video first, then whatever else could be true."""
        asked = self._named[sample.question]
        others = [one for one in self._plausible(sample) if one not in (sample.target, NEVER, *asked.values())]
        shown = self._true_of_video(sample)
        near, far = ([one for one in others if (one in shown) == side] for side in (True, False))
        return [*shuffled(rng, near), *shuffled(rng, far)][:most]

    def _true_of_video(self, sample: Sample) -> set[str]:
        """Answers of the same sort that are true of something in the video, or that a question about it names."""
        answers, found = _answers(sample), set[str]()
        for one in self._of_video[sample.video]:
            if one.target != NEVER and _answers(one) == answers:
                found |= {one.target, *self._named[one.question].values()}
        return found

    def _plausible(self, sample: Sample) -> list[str]:
        """What can be right: what the question names, if that; else what is anywhere, and the first 1/chance answers.

        Of ten counts that a family can write only five may ever be drawn; the others would give the right one away.
        """
        if _template(sample) in self._naming:
            return _options_named(sample)
        answers, true = _answers(sample), self._true[_template(sample)]
        chance = sample.facts.chance or 0.0
        drawn = round(1 / chance) if chance > 0 else len(answers)
        return [one for i, one in enumerate(answers) if i < drawn or one in true]

    def _intervals(self, sample: Sample, most: int, rng: np.random.Generator) -> list[str]:
        """When other things of the same kind showed, at depths like those that the family asks about.

        Each is the nearest to an interval that another question of the family asks about, so that the depths and
        durations of the wrong ones are distributed as those of the right ones; where the video shows too little, it is
        that interval itself, or as long a one elsewhere.
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
        """When things of the kind that the question names showed in its video."""
        kind, others = self._named[sample.question].keys(), self._of_video[sample.video]
        spans = {span for one in others if kind <= self._named[one.question].keys() for span in one.evidence_seconds}
        return sorted(spans)


def _template(sample: Sample) -> _Template:
    return sample.family, sample.facts.template


def _answers(sample: Sample) -> tuple[str, ...]:
    """What can be right of the sample's template."""
    family, template = _template(sample)
    return FAMILIES[family].answers_to(template)


def _fields(sample: Sample) -> dict[str, str]:
    """What the question was filled in with, by the sort of words: a colour and a shape, a thing, ..."""
    understood = FAMILIES[sample.family].understand(sample.question)
    return understood[1] if understood else {}


def _evidence_of(asked: Sequence[Sample]) -> dict[float, list[Interval]]:
    """The first interval of every question's evidence, by the length of the video in minutes."""
    found: dict[float, list[Interval]] = defaultdict(list)
    for sample in asked:
        for span in sample.evidence_seconds[:1]:
            found[sample.minutes].append(span)
    return found


def _names_its_options(asked: Sequence[Sample]) -> bool:
    """Whether every question of a template names what to choose from: "Which came first, the ... or the ...?"."""
    family, template = _template(asked[0])
    if not isinstance(FAMILIES[family].kind_of(template), Choice):
        return False
    named = [_options_named(one) for one in asked]
    return all(len(names) > 1 and one.target in (*names, NEVER) for one, names in zip(asked, named, strict=True))


def _options_named(sample: Sample) -> list[str]:
    """The answers that the question itself names."""
    written = {normalise(answer): answer for answer in _answers(sample)}
    return [written[name] for name in dict.fromkeys(mentioned(sample.question, tuple(written.values())))]


def _stories(sample: Sample, most: int, rng: np.random.Generator) -> list[str]:
    """Other answers about the three people who had the object, or about any three if nobody had it.

    All answers about three people are right equally often, of which the options are any: neither they, nor who had
    something else, nor a look at everyone who had the object tells the right one.
    """
    named = sample.facts.people or sample.target.split(", ")
    shown = [name for name in named if name in CARD_COLOURS]
    people = list(dict.fromkeys([*shown, *shuffled(rng, CARD_COLOURS)]))[:_PEOPLE]
    return shuffled(rng, [one for one in answers_about(people) if one != sample.target])[:most]


def _orders(target: str, most: int, rng: np.random.Generator) -> list[str]:
    """The true order backwards, and other orders of the same items, each with itself backwards.

    Every option has its reverse, so that having one says nothing.
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
    """An interval as long as another, anywhere in a video."""
    start_seconds = float(rng.uniform(0, max(0.0, duration_seconds - one[1] + one[0])))
    return start_seconds, start_seconds + one[1] - one[0]


def _clash(one: Interval, others: Sequence[Interval]) -> bool:
    """Whether an interval would be taken for one of the others."""
    for start, end in others:
        shared = max(0.0, min(one[1], end) - max(one[0], start))
        if shared >= _TOO_MUCH * (one[1] - one[0] + end - start - shared):
            return True
    return False
