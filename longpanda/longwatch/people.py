"""Sprites of the hall: visitors from the front and from behind, and one stage per object."""

from functools import lru_cache

from longpanda.longwatch import shapes, world
from longpanda.longwatch.events import Hold, Visitor
from longpanda.longwatch.shapes import Axis, Mask, coverage, ellipse, rectangle
from longpanda.longwatch.sprites import Placed, Sprite, centred, in_square, layers, object_layers, pixels


def visitor_placed(visitor: Visitor, size_px: int) -> Placed:
    """Return a visitor at a spot."""
    x, y = world.SPOTS[visitor.spot]
    return centred(visitor_sprite(visitor.colour, visitor.badge, size_px), y, x, size_px)


def hold_placed(hold: Hold, size_px: int) -> Placed:
    """Return the stage of an object with a person who holds it up."""
    return _stage_placed(hold.thing, hold_sprite(hold.thing, hold.colour, size_px), size_px)


def empty_stages(size_px: int) -> list[Placed]:
    """Return the three empty stages."""
    return [_stage_placed(thing, _stage_sprite(size_px), size_px) for thing in world.OBJECTS]


@lru_cache(maxsize=32)
def visitor_sprite(colour: str, badge: str, size_px: int) -> Sprite:
    """Return a visitor in coloured clothes from the front, or in a grey coat with a badge from behind."""
    side_px = pixels(world.PERSON_SIDE, size_px)
    head, body = (coverage(shape, side_px, side_px) for shape in (_head, _body))
    if colour:
        face = coverage(_eyes, side_px, side_px)
        return layers((body, world.RGB[colour]), (head, world.SKIN), (face, world.INK))
    badge_px = pixels(world.PERSON_SIDE * 0.40, size_px)
    mark = in_square(coverage(shapes.CARD_SHAPES[badge], badge_px, badge_px), side_px, (0.5, 0.68))
    return layers((body, world.COAT), (head, world.SHADE), (mark, world.INK))


@lru_cache(maxsize=32)
def hold_sprite(thing: str, colour: str, size_px: int) -> Sprite:
    """Return a stage with a person in coloured clothes and an object to their right."""
    side_px = pixels(world.STAGE_SIDE, size_px)
    body, head, eyes = (coverage(shape, side_px, side_px) for shape in (_performer, _performer_head, _performer_eyes))
    thing_px = pixels(world.OBJECT_SIDE * 0.75, size_px)
    held = [(in_square(part, side_px, (0.74, 0.36)), rgb) for part, rgb in object_layers(thing, thing_px)]
    return layers(*_stage_layers(side_px), (body, world.RGB[colour]), (head, world.SKIN), (eyes, world.INK), *held)


@lru_cache(maxsize=4)
def _stage_sprite(size_px: int) -> Sprite:
    return layers(*_stage_layers(pixels(world.STAGE_SIDE, size_px)))


def _stage_layers(side_px: int) -> list[tuple[shapes.Coverage, world.Rgb]]:
    curtain, floor = coverage(shapes.full, side_px, side_px), coverage(_floor, side_px, side_px)
    return [(curtain, world.PLATE), (floor, world.CRATE_WOOD)]


def _stage_placed(thing: str, sprite: Sprite, size_px: int) -> Placed:
    return centred(sprite, world.STAGE_CENTRE_Y, (world.OBJECTS.index(thing) + 0.5) / 3, size_px)


def _head(u: Axis, v: Axis) -> Mask:
    return ellipse(u, v, (0.5, 0.22), 0.19)


def _eyes(u: Axis, v: Axis) -> Mask:
    return ellipse(u, v, (0.43, 0.2), 0.03) | ellipse(u, v, (0.57, 0.2), 0.03)


def _body(u: Axis, v: Axis) -> Mask:
    shoulders = ellipse(u, v, (0.5, 0.72), 0.34) & (v < 0.72)
    return shoulders | rectangle(u, v, (0.16, 0.72), (0.84, 1.0))


def _floor(u: Axis, v: Axis) -> Mask:
    return rectangle(u, v, (0.0, 0.88), (1.0, 1.0))


def _performer(u: Axis, v: Axis) -> Mask:
    arm = rectangle(u, v, (0.40, 0.50), (0.74, 0.58))
    return (ellipse(u, v, (0.32, 0.66), 0.24) & (v < 0.66)) | rectangle(u, v, (0.08, 0.66), (0.56, 0.88)) | arm


def _performer_head(u: Axis, v: Axis) -> Mask:
    return ellipse(u, v, (0.32, 0.28), 0.15)


def _performer_eyes(u: Axis, v: Axis) -> Mask:
    return ellipse(u, v, (0.27, 0.27), 0.025) | ellipse(u, v, (0.38, 0.27), 0.025)
