"""The rooms: their fixtures, and the places where events appear."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from longpanda.longwatch import machine, people, sprites, world
from longpanda.longwatch.events import Card, Effect, Event, Gauge, Hold, Lamp, Move, Pull, Visitor, Word
from longpanda.longwatch.sprites import Placed

_PLACED: Final[dict[type[Event], Callable[[Any, int], Placed]]] = {
    Card: sprites.card_placed,
    Lamp: sprites.lamp_placed,
    Move: sprites.move_placed,
    Word: machine.word_placed,
    Pull: machine.pull_placed,
    Effect: machine.effect_placed,
    Gauge: machine.gauge_placed,
    Visitor: people.visitor_placed,
    Hold: people.hold_placed,
}
_FIXTURES: Final[dict[str, tuple[Callable[[int], list[Placed]], ...]]] = {
    "gallery": (sprites.dark_lamp, sprites.boxes),
    "workshop": (sprites.dark_lamp, machine.empty_boards, machine.resting_machine),
    "hall": (people.empty_stages,),
}


def placed(event: Event, size_px: int) -> Placed:
    """Return the sprite of an event with its top and left in pixels."""
    return _PLACED[type(event)](event, size_px)


def fixtures(room: str, size_px: int) -> list[Placed]:
    """Return the sprites that are always visible in a room."""
    return [one for draw in _FIXTURES[room] for one in draw(size_px)]


@dataclass(frozen=True)
class Place:
    """A fixed position that shows one event at a time. Cards move within their cells, so they have no `Place`.

    Args:
        name: unique within the room.
        looks: all events that can appear there, from 0 to 1 s.
        furnished: whether a fixture is visible there when no event is; otherwise the background is.
    """

    name: str
    looks: tuple[Event, ...]
    furnished: bool


@lru_cache(maxsize=4)
def places(room: str) -> tuple[Place, ...]:
    """Return all places of a room; the cells of its cards are not among them."""
    lamp = Place("lamp", tuple(Lamp(0.0, 1.0, colour) for colour in world.LAMP_COLOURS), True)
    if room == "gallery":
        return (lamp, *(Place(box, _things(box), False) for box in world.PLACES))
    if room == "workshop":
        boards = [Place(board, _words(board), True) for board in world.BOARDS]
        levers = [Place(lever, (Pull(0.0, 1.0, lever),), True) for lever in world.LEVERS]
        effects = [Place(what, (Effect(0.0, 1.0, what),), True) for what in world.EFFECTS]
        gauge = Place("gauge", tuple(Gauge(0.0, 1.0, level) for level in world.GAUGE_LEVELS), True)
        return (lamp, *boards, *levers, *effects, gauge)
    spots = [Place(f"spot {spot}", _visitors(spot), False) for spot in world.SPOTS]
    return (*spots, *(Place(thing, _holders(thing), True) for thing in world.OBJECTS))


CARDS: Final = {"gallery": world.CARD_CELLS, "workshop": (), "hall": world.HALL_CELLS}
"""The cells that show cards, by room."""


def _things(box: str) -> tuple[Event, ...]:
    return tuple(Move(0.0, 1.0, thing, box) for thing in world.OBJECTS)


def _words(board: str) -> tuple[Event, ...]:
    return tuple(Word(0.0, 1.0, board, word, size) for size in world.LETTER_SIZES for word in world.WORDS)


def _visitors(spot: int) -> tuple[Event, ...]:
    fronts = [Visitor(0.0, 1.0, spot, colour=colour) for colour in world.CARD_COLOURS]
    return (*fronts, *(Visitor(0.0, 1.0, spot, badge=badge) for badge in world.BADGES))


def _holders(thing: str) -> tuple[Event, ...]:
    return tuple(Hold(0.0, 1.0, thing, colour) for colour in world.CARD_COLOURS)
