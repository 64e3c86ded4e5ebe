"""The best guess from a bag of frames: those that show what a question names, without order or time.

A control after the one that solved a benchmark of long memory from single frames (arXiv 2511.16655). Here frames are
read perfectly and the guess is learned: whether the commoner or the rarer of the things shown is right more often, or
which answer goes with so many frames.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Final

import numpy as np

from longpanda.longwatch.events import Event, Visitor
from longpanda.longwatch.families import FAMILIES
from longpanda.longwatch.scene import Scene
from longpanda.longwatch.text import normalise
from longpanda.longwatch.world import SIDES
from longpanda.types import Sample

BINS: Final = 8
_UNTOLD: Final = ("start_seconds", "end_seconds", "cell", "spot", "dx", "dy", "size")
"""Fields of events that nobody would name."""

Look = Sequence[Event]
"""What one frame shows."""
_Bin = tuple[str, int, int, int]
"""A template, and how many candidates, things and frames there are."""


@dataclass(frozen=True)
class _Found:
    """What the frames that match a question best show.

    Args:
        template: of the question.
        looks: how many frames they are.
        things: how many different things they show.
        candidates: the answers that they show, the one on most frames first.
    """

    template: str
    looks: int
    things: int
    candidates: tuple[str, ...]


class BagOfFrames:
    """Learned from the questions about some scenes.

    Args:
        family: whose questions.
        taught: frames of a scene without their order, and the questions about it.
    """

    def __init__(self, family: str, taught: Iterable[tuple[Sequence[Look], Sequence[Sample]]]) -> None:
        self.family = family
        found = [
            (_find(family, sample.question, looks), sample.target) for looks, samples in taught for sample in samples
        ]
        counts: dict[str, list[int]] = defaultdict(list)
        for one, _ in found:
            counts[one.template].append(one.looks)
        self._edges = {name: np.quantile(looks, np.arange(1, BINS) / BINS).tolist() for name, looks in counts.items()}
        labels: dict[_Bin, Counter[str]] = defaultdict(Counter)
        for one, target in found:
            labels[self._bin(one)].update({target, _by_rank(one, target)})
        self._best = {key: counter.most_common(1)[0][0] for key, counter in labels.items()}

    def answer(self, question: str, looks: Sequence[Look]) -> str:
        """The likeliest answer, or "" where nothing like it was learned."""
        found = _find(self.family, question, looks)
        label = self._best.get(self._bin(found), "")
        return label if not label.startswith("#") else _from_rank(found, label)

    def _bin(self, found: _Found) -> _Bin:
        edges = self._edges.get(found.template, [])
        return found.template, min(len(found.candidates), BINS), found.things, bisect_right(edges, found.looks)


def looks_at(scene: Scene, step_seconds: float) -> list[Look]:
    """What a scene shows every `step_seconds`."""
    moments = np.arange(0, scene.duration_seconds, step_seconds)
    return [[one for one in scene.events if one.start_seconds <= now < one.end_seconds] for now in moments.tolist()]


def _find(family: str, question: str, looks: Sequence[Look]) -> _Found:
    understood = FAMILIES[family].understand(question)
    template, asked = understood or ("", {})
    named = {word for value in (*asked.values(), template) for word in _words(value)}
    overlaps = [[(len(named & _said(event)), event) for event in look] for look in looks]
    most = max((overlap for look in overlaps for overlap, _ in look), default=0)
    matched = [look for look in overlaps if most and any(overlap == most for overlap, _ in look)]
    things = {_said(event) for look in matched for overlap, event in look if overlap == most}
    shown: Counter[str] = Counter()
    answers = {answer: frozenset(_words(answer)) for answer in FAMILIES[family].answers}
    for look in matched:
        said = [_said(event) for _, event in look]
        shown.update(answer for answer, words in answers.items() if any(words <= one for one in said))
    ranked = sorted(shown, key=lambda answer: (-shown[answer], answer))
    return _Found(template, len(matched), len(things), tuple(ranked))


@lru_cache(maxsize=2**16)
def _said(event: Event) -> frozenset[str]:
    """The words that tell an event from others."""
    values = [getattr(event, field.name) for field in fields(event) if field.name not in _UNTOLD]
    values += [side for side, spots in SIDES.items() if isinstance(event, Visitor) and event.spot in spots]
    return frozenset(word for value in values for word in _words(str(value)))


def _words(text: str) -> list[str]:
    return normalise(text).split()


def _by_rank(found: _Found, target: str) -> str:
    """The target as places among the candidates: "#0", or "#2,0,1" for a list; the target itself where that fails."""
    parts = target.split(", ")
    if not all(part in found.candidates for part in parts):
        return target
    return "#" + ",".join(str(found.candidates.index(part)) for part in parts)


def _from_rank(found: _Found, label: str) -> str:
    ranks = [int(rank) for rank in label[1:].split(",")]
    return ", ".join(found.candidates[rank] for rank in ranks if rank < len(found.candidates))
