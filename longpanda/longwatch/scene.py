"""Scenes: the complete description of one generated video, with a deterministic JSON form."""

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, TypeVar

from longpanda.errors import ConfigError, nearest
from longpanda.longwatch.events import KIND_NAMES, KINDS, Card, Event, Lamp, Move
from longpanda.longwatch.world import ROOMS

SCENE_VERSION: Final = 3

_Kind = TypeVar("_Kind", bound=Event)


@dataclass(frozen=True)
class Background:
    """A smooth dark texture, larger than the frame, over which the camera pans slowly.

    Args:
        seed: draws the texture's grid of colours.
        pan_x_period_seconds: period of the horizontal pan.
        pan_y_period_seconds: period of the vertical pan.
        brightness_period_seconds: period of the brightness.
        phase: initial phase of all three, in periods, 0 to 1.
    """

    seed: int
    pan_x_period_seconds: float
    pan_y_period_seconds: float
    brightness_period_seconds: float
    phase: float

    def __post_init__(self) -> None:
        periods = (self.pan_x_period_seconds, self.pan_y_period_seconds, self.brightness_period_seconds)
        if min(periods) <= 0 or self.seed < 0:
            raise ConfigError(f"background {self}", "positive periods and a seed of 0 or more", "change them")


@dataclass(frozen=True)
class Shot:
    """The stretch from `start_seconds` to the next shot, with one background.

    Raises:
        ConfigError: `start_seconds` is negative.
    """

    start_seconds: float
    background: Background

    def __post_init__(self) -> None:
        if self.start_seconds < 0:
            raise ConfigError(f"a shot from {self.start_seconds} s", "0 or more", "move its start")


@dataclass(frozen=True)
class Topic:
    """The subject of a test question, drawn so that no answer is more likely than another before watching.

    Args:
        family: name of the question family.
        subject: what the question names, in the family's own notation.
        chance: accuracy of the best constant answer.

    Raises:
        ConfigError: `chance` is not within 0 to 1.
    """

    family: str
    subject: str
    chance: float

    def __post_init__(self) -> None:
        if not 0 <= self.chance <= 1:
            raise ConfigError(f"chance {self.chance}", "0 to 1", "give it as a share")


@dataclass(frozen=True)
class Scene:
    """Everything that determines the pixels and the answers of one video.

    Args:
        seed: the seed that it was generated from.
        duration_seconds: duration of the video.
        shots: the backgrounds, ordered by start; the first starts at 0.
        topics: what the questions are about.
        events: all events, ordered by start.
        room: one of `ROOMS`.
        version: version of the JSON format.

    Raises:
        ConfigError: the version is another one, the room is unknown, the duration is not positive, or an event lies
            outside the video.
    """

    seed: int
    duration_seconds: float
    shots: tuple[Shot, ...]
    topics: tuple[Topic, ...]
    events: tuple[Event, ...]
    room: str = "gallery"
    version: int = SCENE_VERSION

    def __post_init__(self) -> None:
        if self.version != SCENE_VERSION:
            raise ConfigError(f"scene version {self.version}", f"version {SCENE_VERSION}", "generate the scene again")
        if self.room not in ROOMS:
            remedy = nearest(str(self.room), ROOMS, is_listed=True)
            raise ConfigError(f"room {self.room!r}", f"one of {', '.join(ROOMS)}", remedy)
        if not 0 < self.duration_seconds < float("inf"):
            raise ConfigError(f"duration_seconds {self.duration_seconds}", "more than 0", "give a positive duration")
        starts = [shot.start_seconds for shot in self.shots]
        if starts[:1] != [0.0] or sorted(set(starts)) != starts:
            raise ConfigError(f"shots from {starts} s", "increasing starts, the first at 0", "sort the shots")
        for event in self.events:
            if not 0 <= event.start_seconds < event.end_seconds <= self.duration_seconds:
                span = f"0 <= start < end <= {self.duration_seconds} s"
                raise ConfigError(f"event {event}", span, "move the event")

    @property
    def name(self) -> str:
        """The identifier of the video in `Sample.video`."""
        return f"longwatch-{self.seed}-{self.duration_seconds:g}s"

    def of(self, kind: type[_Kind]) -> tuple[_Kind, ...]:
        """Return the events of one type, ordered by start."""
        return tuple(event for event in self.events if isinstance(event, kind))

    @property
    def cards(self) -> tuple[Card, ...]:
        """The cards, ordered by start."""
        return self.of(Card)

    @property
    def lamps(self) -> tuple[Lamp, ...]:
        """The lamp events, ordered by start."""
        return self.of(Lamp)

    @property
    def moves(self) -> tuple[Move, ...]:
        """The moves, ordered by start."""
        return self.of(Move)

    def chances(self, family: str) -> dict[str, float]:
        """Return the subjects that a family is asked about, with the chance level of each."""
        return {topic.subject: topic.chance for topic in self.topics if topic.family == family}

    def to_json(self) -> str:
        """Return the scene as one line of JSON; equal scenes give equal bytes."""
        document = asdict(self)
        document["events"] = [{"kind": KIND_NAMES[type(event)], **asdict(event)} for event in self.events]
        return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> "Scene":
        """Read what `to_json` wrote.

        Raises:
            ConfigError: the text is not a JSON object, a key is unknown or missing, or a value is invalid.
        """
        try:
            document = json.loads(text)
        except json.JSONDecodeError as error:
            raise ConfigError(f"text that is not JSON ({error})", "a scene", "write it with Scene.to_json") from error
        try:
            scene = _with_keys(cls, document)
            scene["shots"] = tuple(_shot(entry) for entry in scene["shots"])
            scene["topics"] = tuple(Topic(**_with_keys(Topic, entry)) for entry in scene["topics"])
            scene["events"] = tuple(_event(entry) for entry in scene["events"])
            return cls(**scene)
        except TypeError as error:
            found = f"a scene with a value of the wrong type ({error})"
            raise ConfigError(found, "values of the types of its fields", "write scenes with Scene.to_json") from error


def _shot(entry: Any) -> Shot:
    values = _with_keys(Shot, entry)
    return Shot(values["start_seconds"], Background(**_with_keys(Background, values["background"])))


def _event(entry: Any) -> Event:
    if not isinstance(entry, dict) or entry.get("kind") not in KINDS:
        raise ConfigError(f"event {entry!r}", f"an object whose kind is one of {list(KINDS)}", "correct its kind")
    kind = KINDS[entry["kind"]]
    values = {key: value for key, value in entry.items() if key != "kind"}
    return kind(**_with_keys(kind, values))


def _with_keys(kind: type[Any], values: Any) -> dict[str, Any]:
    """Check that `values` is an object with exactly the fields of `kind`, and return it."""
    names = [field.name for field in fields(kind)]
    if not isinstance(values, dict):
        raise ConfigError(f"{values!r} for a {kind.__name__}", "an object", "write scenes with Scene.to_json")
    for key in values:
        if key not in names:
            remedy = nearest(key, names, is_listed=True)
            raise ConfigError(f"unknown key {key!r} of {kind.__name__}", f"keys {names}", remedy)
    if missing := [name for name in names if name not in values]:
        raise ConfigError(f"no {missing} in a {kind.__name__}", f"all of {names}", "write scenes with Scene.to_json")
    return values
