"""A template-matching reader of frames that knows the appearance of the world but nothing about a scene."""

from functools import cache, lru_cache
from itertools import product

import numpy as np

from longpanda.longwatch import rooms, sprites, world
from longpanda.longwatch.events import Card, Lamp, Move

_GREY = 60


def template(sprite):
    """Draw the sprite on plain grey: float32 [h * w * 3]."""
    height_px, width_px = sprite.transparency.shape[:2]
    frame = np.full((height_px, width_px, 3), _GREY, dtype=np.uint8)
    sprite.blend(frame, 0, 0)
    return frame.astype(np.float32).ravel()


def nearest(pixels, named):
    """Return the name of the template with the least squared difference."""
    names, stack = named
    differences = stack - pixels.astype(np.float32).ravel()
    return names[int(np.argmin(np.einsum("ij,ij->i", differences, differences)))]


def _stacked(named):
    return list(named), np.stack([template(sprite) for sprite in named.values()])


@cache
def _looks(size_px):
    titles = list(product(world.CARD_COLOURS, world.SHAPES))
    return _stacked({title: sprites.card_sprite(*title, 88, "", size_px) for title in titles})


@lru_cache(maxsize=48)
def _numbers(colour, shape, size_px):
    return _stacked({number: sprites.card_sprite(colour, shape, number, "", size_px) for number in world.NUMBERS})


@cache
def _lamps(size_px):
    return _stacked({colour: sprites.lamp_sprite(colour, size_px) for colour in (*world.LAMP_COLOURS, None)})


@cache
def _objects(size_px):
    return _stacked({thing: sprites.object_sprite(thing, size_px) for thing in world.OBJECTS})


def place(event, size_px):
    """Return the rows and columns of a frame that an event's sprite covers."""
    sprite, top_px, left_px = rooms.placed(event, size_px)
    height_px, width_px = sprite.transparency.shape[:2]
    return slice(top_px, top_px + height_px), slice(left_px, left_px + width_px)


def read_card(pixels, size_px):
    """Return (colour, shape, number) of a card cut out of a frame."""
    title = nearest(pixels, _looks(size_px))
    return *title, nearest(pixels, _numbers(*title, size_px))


def read(event, frame):
    """Return what the frame shows at the place of an event, in the terms of the event."""
    size_px = frame.shape[0]
    pixels = frame[place(event, size_px)]
    if isinstance(event, Card):
        return read_card(pixels, size_px)
    return nearest(pixels, _lamps(size_px) if isinstance(event, Lamp) else _objects(size_px))


def truth(event):
    """Return what `read` should give."""
    if isinstance(event, Card):
        return event.colour, event.shape, event.number
    return event.thing if isinstance(event, Move) else event.colour
