"""Scripts: what happens in a video, in which order and at which relative depth, for any duration."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Final

import numpy as np

from longpanda.errors import ConfigError, counted
from longpanda.longwatch.events import Event
from longpanda.longwatch.generate import draw_background, in_order
from longpanda.longwatch.scene import Scene, Shot, Topic
from longpanda.longwatch.world import ROOMS

MARGIN_SECONDS: Final = 1.0
"""Nothing happens in the last second, so that the last sampled frame may come before the very end."""
_LONGER: Final = "ask for a longer video or a faster level"
_SHOT_SECONDS: Final = (20.0, 60.0)
_FILLER_NAMESPACE: Final = 0xF111
FILLER_WAIT, FILLER_LEAST_SECONDS = (0.6, 1.0), 4.0
"""Time between the starts of two fillers, in dwells of the level, and its minimum. No question is about a filler."""


@dataclass(frozen=True)
class Track:
    """Events that keep their order, and approximately their relative depth, at every duration.

    Args:
        events: [n], each with times relative to its own start: from 0 to its duration.
        waits_seconds: [n], minimum time from the start of each event to the start of the next.
        depths: [n], increasing, 0 to 1: the share of the idle time that has passed before each event starts.

    Raises:
        ConfigError: the lists have different lengths, or the depths decrease or lie outside 0 to 1.
    """

    events: tuple[Event, ...]
    waits_seconds: tuple[float, ...]
    depths: tuple[float, ...]

    def __post_init__(self) -> None:
        if not len(self.events) == len(self.waits_seconds) == len(self.depths):
            found = f"{len(self.events)} events, {len(self.waits_seconds)} waits, {len(self.depths)} depths"
            raise ConfigError(found, "one of each per event", "pass lists of the same length")
        ordered = [0.0, *self.depths, 1.0]
        if sorted(ordered) != ordered:
            raise ConfigError(f"depths {self.depths}", "increasing, from 0 to 1", "sort them and keep the range")

    @property
    def shortest_seconds(self) -> float:
        """The shortest time in which all events can be shown."""
        starts = accumulate(self.waits_seconds, initial=0.0)
        return max((start + event.end_seconds for start, event in zip(starts, self.events, strict=False)), default=0.0)

    def placed(self, horizon_seconds: float) -> list[Event]:
        """Return the events at their times in a video, within 0 to `horizon_seconds`, rounded to milliseconds.

        Raises:
            ConfigError: the events do not fit.
        """
        idle_seconds = horizon_seconds - self.shortest_seconds
        if idle_seconds < 0:
            found = f"{horizon_seconds:.1f} s for {counted(len(self.events), 'event')}"
            raise ConfigError(found, f"at least {self.shortest_seconds:.1f} s", _LONGER)
        placed, busy_seconds = [], 0.0
        for event, wait_seconds, depth in zip(self.events, self.waits_seconds, self.depths, strict=True):
            start_seconds = round(busy_seconds + depth * idle_seconds, 3)
            end_seconds = round(start_seconds + event.end_seconds, 3)
            placed.append(replace(event, start_seconds=start_seconds, end_seconds=end_seconds))
            busy_seconds += wait_seconds
        return placed


@dataclass(frozen=True)
class Level:
    """How fast things happen. The number of events is the same at every level.

    Args:
        name: the key in `LEVELS`.
        dwell_seconds: minimum time for which every event is visible: sampling more often than that misses nothing.

    Raises:
        ConfigError: `dwell_seconds` is not positive.
    """

    name: str
    dwell_seconds: float

    def __post_init__(self) -> None:
        if self.dwell_seconds <= 0:
            raise ConfigError(f"dwell_seconds = {self.dwell_seconds}", "more than 0", "pass a positive dwell_seconds")


LEVELS: Final = {level.name: level for level in (Level("steady", 16.0), Level("brisk", 4.0), Level("flash", 1.0))}
"""At "steady", 512 frames sampled evenly over 120 minutes, 14.1 s apart, see everything; others need more frames."""


@dataclass(frozen=True)
class Script:
    """A video of which the duration is still open, so that the same content can be filmed at several durations.

    Args:
        seed: the seed that it was drawn from.
        room: one of `ROOMS`.
        level: how fast things happen.
        tracks: the events.
        topics: what the questions are about.
        filler: draws the fillers from a generator, the placed events and the horizon in seconds; no answer depends on
            them.
    """

    seed: int
    room: str
    level: Level
    tracks: tuple[Track, ...]
    topics: tuple[Topic, ...]
    filler: Callable[[np.random.Generator, list[Event], float], list[Event]]

    def scene(self, duration_seconds: float) -> Scene:
        """Return the scene at one duration.

        Raises:
            ConfigError: the tracks do not fit into that duration.
        """
        shortest_seconds = max((track.shortest_seconds for track in self.tracks), default=0.0) + MARGIN_SECONDS
        if duration_seconds < shortest_seconds:
            found = f"a video of {duration_seconds:g} s ({duration_seconds / 60:.3g} minutes)"
            expected = f"at least {shortest_seconds:.1f} s for the {self.room} at the level '{self.level.name}'"
            raise ConfigError(found, expected, _LONGER)
        salt = (_FILLER_NAMESPACE, ROOMS.index(self.room), self.seed, round(duration_seconds * 1000))
        rng = np.random.Generator(np.random.PCG64(salt))
        horizon_seconds = duration_seconds - MARGIN_SECONDS
        events = [event for track in self.tracks for event in track.placed(horizon_seconds)]
        events += self.filler(rng, events, horizon_seconds)
        shots = _shots(rng, duration_seconds)
        return Scene(self.seed, duration_seconds, shots, self.topics, in_order(events), self.room)


def shuffled(rng: np.random.Generator, items: Iterable[str]) -> list[str]:
    """Return the items in random order."""
    listed = list(items)
    return [listed[i] for i in rng.permutation(len(listed))]


def spread(rng: np.random.Generator, count: int) -> list[float]:
    """Divide the video into `count` equal parts and draw one depth in each."""
    return ((np.arange(count) + rng.random(count)) / count).tolist()  # type: ignore[no-any-return]


def filler_spans(
    rng: np.random.Generator, level: Level, horizon_seconds: float, dwells: tuple[float, float]
) -> Iterator[tuple[float, float]]:
    """Yield the (start, end) of each filler, in seconds. Long and short videos have as many per minute."""
    start_seconds = 0.0
    while True:
        wait_seconds = max(FILLER_LEAST_SECONDS, float(rng.uniform(*FILLER_WAIT)) * level.dwell_seconds)
        start_seconds = round(start_seconds + wait_seconds, 3)
        end_seconds = round(start_seconds + float(rng.uniform(*dwells)) * level.dwell_seconds, 3)
        if end_seconds > horizon_seconds:
            return
        yield start_seconds, end_seconds


def _shots(rng: np.random.Generator, duration_seconds: float) -> tuple[Shot, ...]:
    """A new background every 20 to 60 seconds."""
    starts = [0.0]
    while (cut_seconds := round(starts[-1] + rng.uniform(*_SHOT_SECONDS), 3)) < duration_seconds:
        starts.append(cut_seconds)
    return tuple(Shot(start, draw_background(rng)) for start in starts)
