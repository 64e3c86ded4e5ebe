"""The pixel oracle: it reads a video file, reconstructs the scene, and answers questions of every family.

It shows that every question can be answered from the pixels after H.264. It is not a model: the appearance of the world
and the rules of the families are built in.
"""

from collections.abc import Hashable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from longpanda.longwatch.events import Event
from longpanda.longwatch.families import FAMILIES
from longpanda.longwatch.generate import in_order
from longpanda.longwatch.reader import FrameReader, Sight, room_of
from longpanda.longwatch.scene import Background, Scene, Shot
from longpanda.video import iter_frames, probe

LOOKS_PER_DWELL: Final = 4
ENOUGH_PX: Final = 192
"""Frames are halved while their side stays at least this long: they remain readable, several times as fast."""
NOT_UNDERSTOOD: Final = "?"


@dataclass(frozen=True)
class ReadFilm:
    """What the oracle read from the frames of a film.

    Args:
        room: the room that the frames show.
        sights: (moment in seconds, what the frame shows), in order.
        step_seconds: time between two frames.
        duration_seconds: duration of the film.
    """

    room: str
    sights: list[tuple[float, Sight]]
    step_seconds: float
    duration_seconds: float

    def of(self, sights: list[tuple[float, Sight]]) -> "ReadFilm":
        """Return a copy with other sights."""
        return replace(self, sights=sights)

    def scene(self) -> Scene:
        """Return the reconstructed scene; its times are accurate to about half a step."""
        plain = (Shot(0.0, Background(0, 60.0, 60.0, 60.0, 0.0)),)
        events = _events(self.sights, self.step_seconds, self.duration_seconds)
        return Scene(0, self.duration_seconds, plain, (), in_order(events), self.room)


def read_film_sights(video: str | Path, step_seconds: float) -> ReadFilm:
    """Read the frames of a film at every `step_seconds`.

    Raises:
        VideoError: the video is missing or unreadable.
    """
    info = probe(video)
    seconds = np.arange(0, info.duration_seconds, step_seconds)
    sights: list[tuple[float, Sight]] = []
    reader = None
    size_px = info.height_px
    while size_px % 2 == 0 and size_px // 2 >= ENOUGH_PX:
        size_px //= 2
    for frame in iter_frames(video, seconds, size_px=(size_px, size_px)):
        reader = reader or FrameReader(room_of(frame.pixels), size_px)
        sights.append((frame.pts_seconds, reader.read(frame.pixels)))
    return ReadFilm(reader.room if reader else "gallery", sights, step_seconds, info.duration_seconds)


def answer(scene: Scene, question: str) -> str:
    """Return the answer of the family that a question belongs to, or `NOT_UNDERSTOOD`."""
    for family in FAMILIES.values():
        if asked := family.understand(question):
            return family.answer(scene, *asked).target
    return NOT_UNDERSTOOD


def _events(sights: list[tuple[float, Sight]], step_seconds: float, duration_seconds: float) -> list[Event]:
    """Return one event per run of frames that show the same in the same place."""
    events: list[Event] = []
    showing: dict[Hashable, tuple[Event, float, float]] = {}
    for moment, sight in [*sights, (float("inf"), {})]:
        for place, (what, first, last) in list(showing.items()):
            if sight.get(place) != what:
                start, end = max(0.0, first - step_seconds / 2), min(duration_seconds, last + step_seconds / 2)
                events.append(replace(what, start_seconds=start, end_seconds=end))
                del showing[place]
        for place, what in sight.items():
            showing[place] = (what, showing[place][1] if place in showing else moment, moment)
    return events
