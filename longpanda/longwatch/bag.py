"""The bag-of-frames baseline: guess from the frames that show what the question names, without their order or times.

This control follows the one that solved a benchmark of long memory from single frames (arXiv 2511.16655). Here frames
are read perfectly and the guess is learned: whether the more or the less frequent of the things shown is right more
often, or which answer goes with that number of frames.
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
_UNNAMED_FIELDS: Final = ("start_seconds", "end_seconds", "cell", "spot", "dx", "dy", "size")
"""Fields of events that no question or answer names."""

Look = Sequence[Event]
"""The events that one frame shows."""
_Bin = tuple[str, int, int, int]
"""A template, and the (binned) numbers of candidates, things and frames."""


@dataclass(frozen=True)
class _Found:
    """What the frames that match a question best show.

    Args:
        template: name of the question's template.
        looks: number of these frames.
        things: number of different things that they show.
        candidates: the answers that they show, most frequent first.
    """

    template: str
    looks: int
    things: int
    candidates: tuple[str, ...]


class BagOfFrames:
    """A guesser that is fitted to the questions of one family about some scenes.

    Args:
        family: name of the question family.
        taught: for each scene, its frames in any order, and the questions about it.
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
        """Return the most likely answer, or "" if the fit saw no such case."""
        found = _find(self.family, question, looks)
        label = self._best.get(self._bin(found), "")
        return label if not label.startswith("#") else _from_rank(found, label)

    def _bin(self, found: _Found) -> _Bin:
        edges = self._edges.get(found.template, [])
        return found.template, min(len(found.candidates), BINS), found.things, bisect_right(edges, found.looks)


def looks_at(scene: Scene, step_seconds: float) -> list[Look]:
    """Return what a scene shows every `step_seconds`."""
    moments = np.arange(0, scene.duration_seconds, step_seconds)
    return [[one for one in scene.events if one.start_seconds <= now < one.end_seconds] for now in moments.tolist()]


def _find(family: str, question: str, looks: Sequence[Look]) -> _Found:
    understood = FAMILIES[family].understand(question)
    template, asked = understood or ("", {})
    named = {word for value in (*asked.values(), template) for word in _words(value)}
    overlaps = [[(len(named & _words_of(event)), event) for event in look] for look in looks]
    most = max((overlap for look in overlaps for overlap, _ in look), default=0)
    matched = [look for look in overlaps if most and any(overlap == most for overlap, _ in look)]
    things = {_words_of(event) for look in matched for overlap, event in look if overlap == most}
    shown: Counter[str] = Counter()
    answers = {answer: frozenset(_words(answer)) for answer in FAMILIES[family].answers}
    for look in matched:
        shown_words = [_words_of(event) for _, event in look]
        shown.update(answer for answer, words in answers.items() if any(words <= one for one in shown_words))
    ranked = sorted(shown, key=lambda answer: (-shown[answer], answer))
    return _Found(template, len(matched), len(things), tuple(ranked))


@lru_cache(maxsize=2**16)
def _words_of(event: Event) -> frozenset[str]:
    """Return the words that describe an event."""
    values = [getattr(event, field.name) for field in fields(event) if field.name not in _UNNAMED_FIELDS]
    values += [side for side, spots in SIDES.items() if isinstance(event, Visitor) and event.spot in spots]
    return frozenset(word for value in values for word in _words(str(value)))


def _words(text: str) -> list[str]:
    return normalise(text).split()


def _by_rank(found: _Found, target: str) -> str:
    """Return the ranks of the target: "#0", or "#2,0,1" for a list; or the target itself if a part is no candidate."""
    parts = target.split(", ")
    if not all(part in found.candidates for part in parts):
        return target
    return "#" + ",".join(str(found.candidates.index(part)) for part in parts)


def _from_rank(found: _Found, label: str) -> str:
    ranks = [int(rank) for rank in label[1:].split(",")]
    return ", ".join(found.candidates[rank] for rank in ranks if rank < len(found.candidates))
