"""Baselines that see only the text of a question: the best constant answer, and a trained classifier."""

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
    """Accuracies without any video.

    Args:
        constant: accuracy of the best constant answer to each template.
        trained: cross-validated accuracy of naive Bayes over the words of the question.
    """

    constant: float
    trained: float

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> "TextOnly":
        """Measure both on questions of one family. Folds of the cross-validation are split by video."""
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
    """Return the accuracy of the best constant answer to each template; for times, also of the best interval.

    It is chosen and measured on the same questions as the classifier of words, so that the two are comparable. The
    chance level in a report, `longpanda.evaluate.analysis.chance`, follows from how the questions are constructed.
    """
    labels: dict[tuple[str, str], list[str]] = defaultdict(list)
    for sample in samples:
        labels[sample.family, sample.facts.template].append(label(sample.question, sample.target))
    right = (FAMILIES[family].kind_of(template).most_right(own) for (family, template), own in labels.items())
    return sum(right) / len(samples)


def with_blind_chance(samples: Sequence[Sample]) -> list[Sample]:
    """Set `Facts.chance` of questions about intervals to whether a blind answer is right: 1.0 or 0.0.

    The blind answer is the best constant interval for the other scripts at the same length, so that it is not measured
    on the questions it was chosen on. Samples are unchanged if there are no other scripts, or if they have options.
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
    """Return the true interval of a question about an interval; None with options, for absent things and otherwise."""
    if sample.family not in FAMILIES or sample.choices:
        return None
    kind = FAMILIES[sample.family].kind_of(sample.facts.template)
    return interval_in(sample.target) if isinstance(kind, Span) else None


def public_plan(plan: SuitePlan, pairs: int) -> SuitePlan:
    """Return a plan of other videos to train guessers on: from public development seeds, never the plan's own seed.

    Args:
        plan: the plan whose answers are to be guessed.
        pairs: number of questions of each family.
    """
    last = SCENES_PER_SEED - 1
    seed = last - 1 if (plan.split, plan.seed) == ("dev", last) else last
    return replace(plan, split="dev", seed=seed, per_cell=pairs, minutes=(min(plan.minutes),))


def by_family(samples: Iterable[Sample]) -> dict[str, list[Sample]]:
    """Group samples by family."""
    grouped: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        grouped[sample.family].append(sample)
    return grouped


def label(question: str, target: str) -> str:
    """Return the answer as a class to learn: titles that the question names become their positions in it."""
    named = mentioned(question, TITLES)
    parts = target.split(", ")
    return ",".join(str(named.index(part)) for part in parts) if len(named) > 1 and set(parts) <= {*named} else target


def features(question: str) -> list[str]:
    """Return the words of a question, and pairs of adjacent words."""
    words = split_words(question)
    return [*words, *(f"{one} {other}" for one, other in pairwise(words))]


class _Bayes:
    """Naive Bayes over the words of a question, with add-one smoothing."""

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
