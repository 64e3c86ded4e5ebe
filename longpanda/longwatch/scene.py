"""A scene: the complete program of one generated video, as frozen values and as JSON with stable bytes."""

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from longpanda.errors import ConfigError, nearest
from longpanda.longwatch.world import (
    CARD_CELLS,
    CARD_COLOURS,
    JITTER_LIMIT,
    LAMP_COLOURS,
    NUMBERS,
    OBJECTS,
    PLACES,
    SHAPES,
    TITLES,
)

SCENE_VERSION: Final = 2


def _require_member(name: str, value: object, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ConfigError(f"{name} {value!r}", f"one of {', '.join(known)}", nearest(str(value), known))


@dataclass(frozen=True)
class Card:
    """A coloured shape with a number, shown in one card cell during [start_seconds, end_seconds).

    Args:
        start_seconds: first moment at which the card is visible.
        end_seconds: first moment at which it is gone.
        cell: one of `CARD_CELLS`, counted row by row.
        colour: one of `CARD_COLOURS`.
        shape: one of `SHAPES`.
        number: 10 to 99.
        dx: offset to the right of the cell's centre, as a fraction of the frame's side, within +-`JITTER_LIMIT`.
        dy: offset downwards, likewise.
        sign: title of the card that a small sign on this one points to, or "".

    Raises:
        ConfigError: a colour, shape, cell, number, offset or sign that the world does not have.
    """

    start_seconds: float
    end_seconds: float
    cell: int
    colour: str
    shape: str
    number: int
    dx: float = 0.0
    dy: float = 0.0
    sign: str = ""

    def __post_init__(self) -> None:
        if self.sign:
            _require_member("card sign", self.sign, TITLES)
        _require_member("card colour", self.colour, CARD_COLOURS)
        _require_member("card shape", self.shape, SHAPES)
        if self.cell not in CARD_CELLS or self.number not in NUMBERS:
            found = f"a card with number {self.number!r} in cell {self.cell!r}"
            raise ConfigError(found, f"a number from 10 to 99 in one of the cells {CARD_CELLS}", "correct the scene")
        if max(abs(self.dx), abs(self.dy)) > JITTER_LIMIT:
            raise ConfigError(f"card offset ({self.dx}, {self.dy})", f"at most {JITTER_LIMIT}", "correct the scene")

    @property
    def title(self) -> str:
        """How questions and answers name the card: "red circle"."""
        return f"{self.colour} {self.shape}"


@dataclass(frozen=True)
class Lamp:
    """The lamp shines in one colour during [start_seconds, end_seconds).

    Raises:
        ConfigError: a colour that the lamp does not have.
    """

    start_seconds: float
    end_seconds: float
    colour: str

    def __post_init__(self) -> None:
        _require_member("lamp colour", self.colour, LAMP_COLOURS)


@dataclass(frozen=True)
class Move:
    """An object is seen above one box during [start_seconds, end_seconds), and is in that box afterwards.

    Raises:
        ConfigError: an object or a place that the world does not have.
    """

    start_seconds: float
    end_seconds: float
    thing: str
    place: str

    def __post_init__(self) -> None:
        _require_member("object", self.thing, OBJECTS)
        _require_member("place", self.place, PLACES)


Event = Card | Lamp | Move
_KINDS: Final[dict[str, type[Card] | type[Lamp] | type[Move]]] = {"card": Card, "lamp": Lamp, "move": Move}
_KIND_NAMES: Final = {kind: name for name, kind in _KINDS.items()}


@dataclass(frozen=True)
class Background:
    """A smooth dark texture, larger than the frame, over which the camera pans slowly.

    Args:
        seed: draws the texture's grid of colours.
        pan_x_period_seconds: time for the crop to go right and come back.
        pan_y_period_seconds: time for the crop to go down and come back.
        brightness_period_seconds: time for one dimming and brightening.
        phase: where all three start, in periods, 0 to 1.
    """

    seed: int
    pan_x_period_seconds: float
    pan_y_period_seconds: float
    brightness_period_seconds: float
    phase: float

    def __post_init__(self) -> None:
        periods = (self.pan_x_period_seconds, self.pan_y_period_seconds, self.brightness_period_seconds)
        if min(periods) <= 0 or self.seed < 0:
            raise ConfigError(f"background {self}", "positive periods and a seed of 0 or more", "correct the scene")


@dataclass(frozen=True)
class Shot:
    """From `start_seconds` to the next shot, the room is seen before one background.

    Raises:
        ConfigError: a negative start.
    """

    start_seconds: float
    background: Background

    def __post_init__(self) -> None:
        if self.start_seconds < 0:
            raise ConfigError(f"a shot from {self.start_seconds} s", "0 or more", "correct the scene")


@dataclass(frozen=True)
class Topic:
    """Something in the video that tests ask about, drawn so that its answers have no prior to guess by.

    Args:
        family: the question family.
        subject: what the question names, in the family's own words.
        chance: share of right answers of the best constant answer.

    Raises:
        ConfigError: a chance that is no share.
    """

    family: str
    subject: str
    chance: float

    def __post_init__(self) -> None:
        if not 0 <= self.chance <= 1:
            raise ConfigError(f"chance {self.chance}", "0 to 1", "correct the scene")


@dataclass(frozen=True)
class Scene:
    """Everything that decides the pixels and the answers of one video.

    Args:
        seed: what the scene was generated from.
        duration_seconds: length of the video.
        shots: what is behind everything, in order of their starts, the first at 0.
        topics: what tests ask about.
        events: all events, in order of their starts.
        version: of this format.

    Raises:
        ConfigError: another version, no duration, or an event outside the video.
    """

    seed: int
    duration_seconds: float
    shots: tuple[Shot, ...]
    topics: tuple[Topic, ...]
    events: tuple[Event, ...]
    version: int = SCENE_VERSION

    def __post_init__(self) -> None:
        if self.version != SCENE_VERSION:
            raise ConfigError(f"scene version {self.version}", f"version {SCENE_VERSION}", "generate the scene again")
        if not 0 < self.duration_seconds < float("inf"):
            raise ConfigError(f"duration_seconds {self.duration_seconds}", "more than 0", "correct the scene")
        starts = [shot.start_seconds for shot in self.shots]
        if starts[:1] != [0.0] or sorted(set(starts)) != starts:
            raise ConfigError(f"shots from {starts} s", "increasing starts, the first at 0", "correct the scene")
        for event in self.events:
            if not 0 <= event.start_seconds < event.end_seconds <= self.duration_seconds:
                span = f"0 <= start < end <= {self.duration_seconds} s"
                raise ConfigError(f"event {event}", span, "correct the scene")

    @property
    def name(self) -> str:
        """The identifier that samples carry as their video."""
        return f"longwatch-{self.seed}-{self.duration_seconds:g}s"

    @property
    def cards(self) -> tuple[Card, ...]:
        """The card events, in order of their starts."""
        return tuple(event for event in self.events if isinstance(event, Card))

    @property
    def lamps(self) -> tuple[Lamp, ...]:
        """The lamp events, in order of their starts."""
        return tuple(event for event in self.events if isinstance(event, Lamp))

    @property
    def moves(self) -> tuple[Move, ...]:
        """The move events, in order of their starts."""
        return tuple(event for event in self.events if isinstance(event, Move))

    def chances(self, family: str) -> dict[str, float]:
        """What tests ask of a family: the chance of each subject."""
        return {topic.subject: topic.chance for topic in self.topics if topic.family == family}

    def to_json(self) -> str:
        """The scene as one line of JSON; equal scenes give equal bytes."""
        document = asdict(self)
        document["events"] = [{"kind": _KIND_NAMES[type(event)], **asdict(event)} for event in self.events]
        return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> "Scene":
        """The scene that `to_json` wrote.

        Raises:
            ConfigError: no JSON object, an unknown or missing key, or values that no scene can have.
        """
        try:
            document = json.loads(text)
        except json.JSONDecodeError as error:
            raise ConfigError(f"text that is no JSON ({error})", "a scene", "write it with Scene.to_json") from error
        try:
            scene = _with_keys(cls, document)
            scene["shots"] = tuple(_shot(entry) for entry in scene["shots"])
            scene["topics"] = tuple(Topic(**_with_keys(Topic, entry)) for entry in scene["topics"])
            scene["events"] = tuple(_event(entry) for entry in scene["events"])
            return cls(**scene)
        except TypeError as error:
            found = f"a scene with a value of the wrong type ({error})"
            raise ConfigError(found, "numbers, strings and lists in their places", "correct the scene") from error


def _shot(entry: Any) -> Shot:
    values = _with_keys(Shot, entry)
    return Shot(values["start_seconds"], Background(**_with_keys(Background, values["background"])))


def _event(entry: Any) -> Event:
    if not isinstance(entry, dict) or entry.get("kind") not in _KINDS:
        raise ConfigError(f"event {entry!r}", f"an object whose kind is one of {list(_KINDS)}", "correct the scene")
    kind = _KINDS[entry["kind"]]
    values = {key: value for key, value in entry.items() if key != "kind"}
    return kind(**_with_keys(kind, values))


def _with_keys(kind: type[Any], values: Any) -> dict[str, Any]:
    """`values`, after checking that it is an object with exactly the fields of `kind`."""
    names = [field.name for field in fields(kind)]
    if not isinstance(values, dict):
        raise ConfigError(f"{values!r} for a {kind.__name__}", "an object", "write scenes with Scene.to_json")
    for key in values:
        if key not in names:
            raise ConfigError(f"unknown key {key!r} of {kind.__name__}", f"keys {names}", nearest(key, names))
    if missing := [name for name in names if name not in values]:
        raise ConfigError(f"no {missing} in a {kind.__name__}", f"all of {names}", "write scenes with Scene.to_json")
    return values
