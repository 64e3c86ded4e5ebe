"""The oracle from pixels: it sees only the file, writes down what happened, and answers every family.

It is the proof that every question is answerable from what is on screen after H.264; it is no model, and knows the
world's looks and the families' rules by heart.
"""

from collections.abc import Hashable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from longpanda.longwatch.families import FAMILIES
from longpanda.longwatch.generate import in_order
from longpanda.longwatch.reader import FrameReader, SeenCard, Sight
from longpanda.longwatch.scene import Background, Card, Event, Lamp, Move, Scene, Shot
from longpanda.video import iter_frames, probe

LOOKS_PER_DWELL: Final = 4
NOT_UNDERSTOOD: Final = "?"


@dataclass(frozen=True)
class Watched:
    """What was seen of a film.

    Args:
        sights: (moment in seconds, what the frame shows), in order.
        step_seconds: time between two looks.
        duration_seconds: of the film.
    """

    sights: list[tuple[float, Sight]]
    step_seconds: float
    duration_seconds: float

    def of(self, sights: list[tuple[float, Sight]]) -> "Watched":
        """The same film with other sights."""
        return replace(self, sights=sights)

    def scene(self) -> Scene:
        """What happened, with times to about half a step."""
        plain = (Shot(0.0, Background(0, 60.0, 60.0, 60.0, 0.0)),)
        events = _stretches(self.sights, self.step_seconds, self.duration_seconds)
        return Scene(0, self.duration_seconds, plain, (), in_order(events))


def read_film_sights(video: str | Path, step_seconds: float) -> Watched:
    """Look at a film every `step_seconds`.

    Raises:
        VideoError: no such video, or none that can be read.
    """
    info = probe(video)
    seconds = np.arange(0, info.duration_seconds, step_seconds)
    reader = FrameReader(info.height_px)
    sights = [(frame.pts_seconds, reader.read(frame.pixels)) for frame in iter_frames(video, seconds)]
    return Watched(sights, step_seconds, info.duration_seconds)


def answer(scene: Scene, question: str) -> str:
    """The answer of the family that the question belongs to."""
    for family in FAMILIES.values():
        if asked := family.understand(question):
            return family.answer(scene, *asked).target
    return NOT_UNDERSTOOD


def _stretches(sights: list[tuple[float, Sight]], step_seconds: float, duration_seconds: float) -> list[Event]:
    """One event for every stretch in which the same is seen in the same place."""
    events: list[Event] = []
    showing: dict[Hashable, tuple[object, float, float]] = {}
    for moment, sight in [*sights, (float("inf"), Sight({}, "", {}))]:
        now = _by_place(sight)
        for place, (what, first, last) in list(showing.items()):
            if now.get(place) != what:
                start = max(0.0, first - step_seconds / 2)
                events.append(_event(place, what, start, min(duration_seconds, last + step_seconds / 2)))
                del showing[place]
        for place, what in now.items():
            showing[place] = (what, showing[place][1] if place in showing else moment, moment)
    return events


def _by_place(sight: Sight) -> dict[Hashable, object]:
    lamp = {"lamp": sight.lamp} if sight.lamp else {}
    return dict([*sight.cards.items(), *lamp.items(), *sight.objects.items()])


def _event(place: Hashable, what: object, start_seconds: float, end_seconds: float) -> Event:
    if isinstance(what, SeenCard):
        colour, shape = what.title.split()
        return Card(start_seconds, end_seconds, int(str(place)), colour, shape, what.number, sign=what.sign)
    if place == "lamp":
        return Lamp(start_seconds, end_seconds, str(what))
    return Move(start_seconds, end_seconds, str(what), str(place))
