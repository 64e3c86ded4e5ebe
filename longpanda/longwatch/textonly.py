"""What the words of a question give away: the best constant answer, and a classifier trained on other pairs."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from longpanda.longwatch.answers import Span, interval_in, mentioned
from longpanda.longwatch.families import FAMILIES
from longpanda.longwatch.intervals import RIGHT_IOU, Interval, best_constant, iou
from longpanda.longwatch.limits import SCENES_PER_SEED
from longpanda.longwatch.suite import SuitePlan
from longpanda.longwatch.text import split_words
from longpanda.longwatch.world import TITLES
from longpanda.types import Sample

FOLDS = 5


@dataclass(frozen=True)
class TextOnly:
    """Shares of right answers without any video.

    Args:
        constant: of the best constant answer to each template.
        trained: of naive Bayes over the words of the question, each fold answered by what the others taught.
    """

    constant: float
    trained: float

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> "TextOnly":
        """Over questions of one family; a fold of the videos is answered by what the others taught."""
        labels = [label(sample.question, sample.target) for sample in samples]
        words = [features(sample.question) for sample in samples]
        videos = {name: i for i, name in enumerate(dict.fromkeys(sample.video for sample in samples))}
        folds = [videos[sample.video] % FOLDS for sample in samples]
        right = 0.0
        for fold in range(FOLDS):
            taught = [i for i in range(len(samples)) if folds[i] != fold]
            model = _Bayes([words[i] for i in taught], [labels[i] for i in taught])
            right += sum(model.guess(words[i]) == labels[i] for i in range(len(samples)) if folds[i] == fold)
        return cls(constant_share(samples), right / len(samples))


def constant_share(samples: Sequence[Sample]) -> float:
    """Share of right answers of the best constant answer to each template; of times, of the best interval, too.

    Measured on questions drawn for it, on which a classifier of words is measured as well, so that both are picked
    alike. What chance is on a page of results, `longpanda.evaluate.analysis.chance`, follows from the construction.
    """
    labels: dict[tuple[str, str], list[str]] = defaultdict(list)
    for sample in samples:
        labels[sample.family, sample.facts.template].append(label(sample.question, sample.target))
    right = (FAMILIES[family].kind_of(template).most_right(own) for (family, template), own in labels.items())
    return sum(right) / len(samples)


def with_blind_chance(samples: Sequence[Sample]) -> list[Sample]:
    """The samples, of which those about intervals tell as their chance whether a blind answer is right: 1.0 or 0.0.

    The blind answer is the best constant interval of the other scripts at that length, so that it is found on other
    questions than it is held against. Where there are none, and where there are options, samples stay as they are.
    """
    cells: dict[float, list[tuple[str, Interval]]] = defaultdict(list)
    for sample in samples:
        if (span := _asked_interval(sample)) is not None:
            cells[sample.minutes].append((sample.cluster, span))
    blind: dict[tuple[float, str], Interval] = {}
    for minutes, found in cells.items():
        for script in {script for script, _ in found}:
            if others := [span for other, span in found if other != script]:
                blind[minutes, script] = best_constant(others)
    return [_with_chance(sample, blind) for sample in samples]


def _with_chance(sample: Sample, blind: Mapping[tuple[float, str], Interval]) -> Sample:
    span = _asked_interval(sample)
    guess = None if span is None else blind.get((sample.minutes, sample.cluster))
    if span is None or guess is None:
        return sample
    return replace(sample, facts=replace(sample.facts, chance=float(iou(guess, span) >= RIGHT_IOU)))


def _asked_interval(sample: Sample) -> Interval | None:
    """The true answer of a question about an interval without options; None of any other, and of what is absent."""
    if sample.family not in FAMILIES or sample.choices:
        return None
    kind = FAMILIES[sample.family].kind_of(sample.facts.template)
    return interval_in(sample.target) if isinstance(kind, Span) else None


def public_plan(plan: SuitePlan, pairs: int) -> SuitePlan:
    """A plan of other videos, to learn guesses from: of public development seeds, and never of the plan's own.

    Args:
        plan: what is to be guessed.
        pairs: questions of each of its families.
    """
    last = SCENES_PER_SEED - 1
    seed = last - 1 if (plan.split, plan.seed) == ("dev", last) else last
    return replace(plan, split="dev", seed=seed, per_cell=pairs, minutes=(min(plan.minutes),))


def by_family(samples: Iterable[Sample]) -> dict[str, list[Sample]]:
    """The samples of each family."""
    grouped: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        grouped[sample.family].append(sample)
    return grouped


def label(question: str, target: str) -> str:
    """The answer as a guesser may learn it: titles that the question names become their places in it."""
    named = mentioned(question, TITLES)
    parts = target.split(", ")
    return ",".join(str(named.index(part)) for part in parts) if len(named) > 1 and set(parts) <= {*named} else target


def features(question: str) -> list[str]:
    """Words, and pairs of neighbours."""
    words = split_words(question)
    return [*words, *(f"{one} {other}" for one, other in pairwise(words))]


class _Bayes:
    """Naive Bayes over the words of a question, with one added to every count."""

    def __init__(self, questions: list[list[str]], labels: list[str]) -> None:
        self.labels = sorted(set(labels))
        self.words = {word: i for i, word in enumerate(sorted({word for words in questions for word in words}))}
        counts = np.ones((len(self.labels), len(self.words)))
        row = {one: i for i, one in enumerate(self.labels)}
        for words, one in zip(questions, labels, strict=True):
            np.add.at(counts[row[one]], [self.words[word] for word in words], 1)
        share = np.array([Counter(labels)[one] for one in self.labels]) / len(labels)
        self.log_word = np.log(counts / counts.sum(1, keepdims=True))
        self.log_share = np.log(share)

    def guess(self, words: list[str]) -> str:
        known = [self.words[word] for word in words if word in self.words]
        return self.labels[int((self.log_share + self.log_word[:, known].sum(1)).argmax())]
