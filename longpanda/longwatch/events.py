"""Events: everything that can happen in a generated video, as validated dataclasses."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from longpanda.errors import ConfigError, nearest
from longpanda.longwatch.world import (
    BADGES,
    BOARDS,
    CARD_CELLS,
    CARD_COLOURS,
    EFFECTS,
    GAUGE_LEVELS,
    JITTER_LIMIT,
    LAMP_COLOURS,
    LETTER_SIZES,
    LEVERS,
    NUMBERS,
    OBJECTS,
    PLACES,
    SHAPES,
    SPOTS,
    TITLES,
    WORDS,
)


def _require_member(name: str, value: object, known: Iterable[str]) -> None:
    names = tuple(known)
    if value not in names:
        raise ConfigError(f"{name} {value!r}", f"one of {', '.join(names)}", nearest(str(value), names, is_listed=True))


@dataclass(frozen=True)
class Card:
    """A coloured shape with a number, shown in one card cell during [start_seconds, end_seconds).

    Args:
        start_seconds: first moment at which the card is visible.
        end_seconds: first moment at which it is no longer visible.
        cell: one of `CARD_CELLS`.
        colour: one of `CARD_COLOURS`.
        shape: one of `SHAPES`.
        number: 10 to 99.
        dx: offset from the cell's centre to the right, as a fraction of the frame's side, within +-`JITTER_LIMIT`.
        dy: offset downwards, in the same unit and range.
        sign: title of the card that a small sign on this one points to, or "".

    Raises:
        ConfigError: the colour, shape, cell, number, offset or sign does not exist in the world.
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
            raise ConfigError(found, f"a number from 10 to 99 in one of the cells {CARD_CELLS}", "choose from these")
        if max(abs(self.dx), abs(self.dy)) > JITTER_LIMIT:
            raise ConfigError(f"card offset ({self.dx}, {self.dy})", f"at most {JITTER_LIMIT}", "reduce the offset")

    @property
    def title(self) -> str:
        """The name of the card in questions and answers: "red circle"."""
        return f"{self.colour} {self.shape}"


@dataclass(frozen=True)
class Lamp:
    """The lamp shines in one colour during [start_seconds, end_seconds).

    Raises:
        ConfigError: the lamp does not have that colour.
    """

    start_seconds: float
    end_seconds: float
    colour: str

    def __post_init__(self) -> None:
        _require_member("lamp colour", self.colour, LAMP_COLOURS)


@dataclass(frozen=True)
class Move:
    """An object is visible above a box during [start_seconds, end_seconds), and is in that box afterwards.

    Raises:
        ConfigError: the object or the place is unknown.
    """

    start_seconds: float
    end_seconds: float
    thing: str
    place: str

    def __post_init__(self) -> None:
        _require_member("object", self.thing, OBJECTS)
        _require_member("place", self.place, PLACES)


@dataclass(frozen=True)
class Word:
    """A board shows a word during [start_seconds, end_seconds).

    Raises:
        ConfigError: the board, the word or the letter size is unknown.
    """

    start_seconds: float
    end_seconds: float
    board: str
    word: str
    size: str

    def __post_init__(self) -> None:
        _require_member("board", self.board, BOARDS)
        _require_member("word", self.word, WORDS)
        _require_member("letter size", self.size, LETTER_SIZES)


@dataclass(frozen=True)
class Pull:
    """A lever is down during [start_seconds, end_seconds).

    Raises:
        ConfigError: the machine does not have that lever.
    """

    start_seconds: float
    end_seconds: float
    lever: str

    def __post_init__(self) -> None:
        _require_member("lever", self.lever, LEVERS)


@dataclass(frozen=True)
class Effect:
    """The gate is open, or the bell rings, during [start_seconds, end_seconds).

    Raises:
        ConfigError: the machine does not have that effect.
    """

    start_seconds: float
    end_seconds: float
    what: str

    def __post_init__(self) -> None:
        _require_member("effect", self.what, EFFECTS)


@dataclass(frozen=True)
class Gauge:
    """The gauge has `level` lit steps during [start_seconds, end_seconds), and none at other times.

    Raises:
        ConfigError: the gauge does not have that level.
    """

    start_seconds: float
    end_seconds: float
    level: int

    def __post_init__(self) -> None:
        if self.level not in GAUGE_LEVELS:
            raise ConfigError(f"gauge level {self.level!r}", f"one of {list(GAUGE_LEVELS)}", "choose one of them")


@dataclass(frozen=True)
class Visitor:
    """A visitor stands at one spot during [start_seconds, end_seconds), seen from the front or from behind.

    Args:
        start_seconds: first moment of this view of the visitor.
        end_seconds: first moment after it.
        spot: one of `SPOTS`.
        colour: colour of the clothes, seen from the front; "" from behind.
        badge: badge on the back, seen from behind; "" from the front.

    Raises:
        ConfigError: the spot, colour or badge is unknown, or not exactly one of colour and badge is given.
    """

    start_seconds: float
    end_seconds: float
    spot: int
    colour: str = ""
    badge: str = ""

    def __post_init__(self) -> None:
        if self.spot not in SPOTS or bool(self.colour) == bool(self.badge):
            found = f"a visitor at spot {self.spot!r} with colour {self.colour!r} and badge {self.badge!r}"
            raise ConfigError(found, f"one of both, at one of the spots {tuple(SPOTS)}", "give a colour or a badge")
        if self.colour:
            _require_member("visitor's colour", self.colour, CARD_COLOURS)
        else:
            _require_member("visitor's badge", self.badge, BADGES)


@dataclass(frozen=True)
class Hold:
    """A person holds up an object during [start_seconds, end_seconds), and keeps it until another person holds it up.

    Raises:
        ConfigError: the object or the colour is unknown.
    """

    start_seconds: float
    end_seconds: float
    thing: str
    colour: str

    def __post_init__(self) -> None:
        _require_member("object", self.thing, OBJECTS)
        _require_member("holder's colour", self.colour, CARD_COLOURS)


Event = Card | Lamp | Move | Word | Pull | Effect | Gauge | Visitor | Hold
KINDS: Final[dict[str, type[Event]]] = {
    "card": Card,
    "lamp": Lamp,
    "move": Move,
    "word": Word,
    "pull": Pull,
    "effect": Effect,
    "gauge": Gauge,
    "visitor": Visitor,
    "hold": Hold,
}
"""Event types by their names in JSON."""
KIND_NAMES: Final = {kind: name for name, kind in KINDS.items()}
